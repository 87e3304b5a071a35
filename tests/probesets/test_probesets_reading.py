"""A faulty file tells all of its faults at once, with the lines they stand on, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from probe_files import NAMES_ES, SPANISH, with_changes, write, write_spanish

from llmaudit.cli import main
from llmaudit.errors import InvalidFileError
from llmaudit.probesets import load_lexicon, load_probe_set

BROKEN = """\
format: 1
id: broken
title: x
title: y
version: 1.0
licence: Apache-2.0
license: MIT
language: en
construct: decisions
task: choices
axes: [gender]
metrics: [choice_log_odds_disparity]
author: me
datasheet: {intended_use: x, not_for: x, composition: x, collection: x}
sources: []
slurs: []
written: by machine
choices: {yes: "Yes", no: "No"}
favourable: yes
templates:
  - {id: a, prompt: "{identity.noun} {rle}", slots: {role: [x]}}
  - {id: a, prompt: "{identity.nown}"}
  - {id: c, promt: "x", prompt: "Hi"}
  - {id: d, prompt: 7}
  - {id: e, prompt: "{identity.noun}", tags: *foo}
  - {id: d, prompt: "{identity.noun} is {f:x|m:y}"}
  - 5
"""
TOLD = [
    (4, "key 'title' is already on line 3"),
    (5, "expected text, found number 1.0"),
    (7, "unknown key 'license'"),
    (14, "datasheet.known_limits: this key is missing"),
    (17, "written: found text 'by machine'"),
    (21, "{rle} is not among the template's slots"),
    (21, "slot 'role' is not used"),
    (22, "id 'a' is already that of templates[0]"),
    (22, "lexicon gender.en has no form 'nown'"),
    (23, "unknown key 'promt'"),
    (23, "names no group, but the axes are gender"),
    (24, "expected text, found number 7"),
    (25, "an alias (*name) is not allowed"),
    (26, "id 'd' is already that of templates[3]"),
    (26, "the groups of lexicon gender.en have no agreement"),
    (27, "expected a mapping (key: value), found number 5"),
]


def lint(*paths: Path) -> tuple[int, list[str]]:
    """Return what the command returns and prints."""
    done = CliRunner().invoke(main, ["lint", *map(str, paths)])
    return done.exit_code, done.stdout.splitlines()


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN, encoding="utf-8")
    code, lines = lint(path)
    assert code == 2
    for line, said in TOLD:
        assert any(one.startswith(f"{path}:{line}:") and said in one for one in lines), said
    assert len(lines) == len(TOLD)


def test_groups_out_of_balance_are_told_beside_the_rest(tmp_path: Path) -> None:
    path = write_spanish(
        tmp_path, with_changes(SPANISH, axes=["gender-by-name"], author=None, unknown="x")
    )
    groups = [NAMES_ES["groups"][0], {**NAMES_ES["groups"][1], "names": ["Juan"]}]
    write(tmp_path, with_changes(NAMES_ES, groups=groups, licence=None))
    with pytest.raises(InvalidFileError) as caught:
        load_probe_set(path)
    said = [problem.problem for problem in caught.value.problems]
    assert any("has 1 names, the first group 3" in each for each in said)
    assert sum("this key is missing" in each for each in said) == 2
    assert any("unknown key 'unknown'" in each for each in said)


@pytest.mark.parametrize(
    ("key", "value"),
    [("axes", "gender"), ("task", "dance"), ("templates", {}), ("language", "English")],
)
def test_what_checks_rest_on_stops_them(tmp_path: Path, key: str, value: object) -> None:
    path = write_spanish(tmp_path, with_changes(SPANISH, **{key: value}))
    with pytest.raises(InvalidFileError) as caught:
        load_probe_set(path)
    assert {problem.key for problem in caught.value.problems} == {key}


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- a\n", encoding="utf-8")
    with pytest.raises(InvalidFileError, match="expected a mapping"):
        load_probe_set(path)
    with pytest.raises(InvalidFileError, match="expected a mapping"):
        load_lexicon(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(2**30)
    start = time.perf_counter()
    code, lines = lint(path)
    assert (code, len(lines)) == (2, 1)
    assert "larger than 8388608 bytes" in lines[0]
    assert time.perf_counter() - start < 20


def test_what_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"format: 1\nid: latin\ntitle: caf\xe9\n")
    assert lint(path) == (
        2,
        [f"{path}:3: byte 0xe9 is not UTF-8 (save the file as UTF-8)"],
    )


def test_a_bomb_of_aliases_is_not_built(tmp_path: Path) -> None:
    levels = [
        f"  l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 30)
    ]
    path = tmp_path / "bomb.yaml"
    text = 'templates:\n  l0: &l0 ["lol"]\n' + "\n".join(levels) + "\n"
    path.write_text(text, encoding="utf-8")
    start = time.perf_counter()
    code, lines = lint(path)
    assert code == 2
    assert "anchor &l0 is not allowed" in lines[0]
    assert len(lines) <= 102
    assert time.perf_counter() - start < 20
