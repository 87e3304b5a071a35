"""Faults of policy files: all at once, each with its line, whatever else is wrong beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.linting import lint_files, refuse_faulty_files, refuse_faulty_policy
from llmaudit.policies import Check, Policy
from llmaudit.policyfaults import find_policy_faults
from llmaudit.yamlfile import read_yaml

HEAD = """\
format: 1
id: mine
title: Mine
version: 1.0.0
description: A test.
"""
CHECKS = """\
checks:
  - id: hiring
    title: Hiring
    metric: choice_log_odds_disparity
    probe_set: hiring-decisions
    axis: gender
    kind: disparity
    margin: 0.5
    why: A test.
  - id: texts
    title: Texts
    metric: score_disparity
    axis: race
    kind: disparity
    margin: 0.02
    why: A test.
"""
REST = """\
coverage:
  - {construct: truth, required: true, why: A test.}
scorers:
  - {name: toxicity, why: A test.}
  - {construct: refusal, why: A test.}
licence: {intended_use: A test., classes: [permissive], why: A test.}
waivers:
  - {check: "texts:descriptions-and-stories", owner: Ada, reason: A test., expires: 2999-01-31}
  - {check: "coverage:truth", owner: Ada, reason: A test., expires: 2999-01-31}
"""
SOUND = HEAD + CHECKS + REST


def write(folder: Path, text: str) -> Path:
    """Write a policy and return its path."""
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, *changes: tuple[str, str], text: str = SOUND) -> list[FileProblem]:
    """Return the faults of a policy in which each of these was put for the other."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return lint_files([write(folder, text)])


def line_of(folder: Path, part: str) -> int:
    """Return the first line of the policy that holds a text."""
    lines = (folder / "policy.yaml").read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


def test_a_sound_policy(tmp_path: Path) -> None:
    assert faults(tmp_path) == []
    refuse_faulty_files("quick", str(tmp_path / "policy.yaml"))
    refuse_faulty_policy(str(tmp_path / "policy.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("margin: 0.5", "margn: 0.5", "checks[0].margn", "did you mean 'margin'?"),
        ("axis: race", "axis: rase", "checks[1].axis", "did you mean 'race'?"),
        ("    axis: race\n", "", "checks[1]", "needs a probe_set, or an axis"),
        ("axis: race", "axis: race\n    contrast: wite", "checks[1].contrast", "'white'?"),
        ("score_disparity", "toxic_fraction", "checks[1].metric", "add a probe_set"),
        ("score_disparity", "scor_disparity", "checks[1].metric", "did you mean"),
        ("choice_log_odds_disparity", "icat", "checks[0].metric", "does not suit: icat needs"),
        ("name: toxicity", "name: toxicty", "scorers[0].name", "did you mean 'toxicity'?"),
        ("construct: refusal", "construct: refusals", "scorers[1].construct", "'refusal'?"),
        ("{name: toxicity,", "{", "scorers[0]", "by its name or by a construct"),
        ("name: toxicity,", "construct: refusal,", "scorers[1]", "is already on line"),
        ("[permissive]", "[permisive]", "licence.classes[0]", "did you mean 'permissive'?"),
        ("[permissive]", "[unknown]", "licence.classes[0]", "research only"),
        ("intended_use: A test., ", "", "licence.intended_use", "missing"),
        ("texts:descr", "text:descr", "waivers[0].check", "no check 'text:descriptions-and-s"),
        ("coverage:truth", "coverage:trust", "waivers[1].check", "did you mean 'coverage:truth'?"),
        ("coverage:truth", "hiring:somewhere", "waivers[1].check", "did you mean 'hiring'?"),
        ("2999-01-31", "2020-01-31", "waivers[0].expires", "expired on 2020-01-31"),
        ("2999-01-31", "31.1.2999", "waivers[0].expires", "this is no date"),
        ("2999-01-31", "2999-02-30", "waivers[0].expires", "this is no date"),
        ("owner: Ada, ", "", "waivers[0].owner", "missing"),
        ("id: texts", "id: hiring", "checks[1].id", "'hiring' is already on line 7"),
        ("title: Mine", "titel: Mine", "titel", "did you mean 'title'?"),
    ],
)  # fmt: skip
def test_each_fault_has_its_line(tmp_path: Path, old: str, new: str, key: str, said: str) -> None:
    found = [one for one in faults(tmp_path, (old, new)) if one.key == key]
    assert found, "no such fault"
    assert any(said in str(one) for one in found)
    if key.count(".") and "missing" not in said and "already" not in said:
        assert found[0].line == line_of(tmp_path, new.strip().splitlines()[-1])


def test_everything_at_once_even_within_one_entry(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        ("title: Mine", "titel: Mine"),
        ("margin: 0.5", "margn: -1"),
        ("metric: choice_log_odds_disparity", "metric: choice_disparity"),
        ("probe_set: hiring-decisions", "probe_set: hiring-decision"),
        ("axis: race", "axis: rase"),
        ("name: toxicity", "name: toxicty"),
        ('check: "texts:descriptions-and-stories", owner: Ada', "check: nothing, ownr: Ada"),
        ("2999-01-31", "2020-01-31"),
        ("2999-01-31", "tomorrow"),
    )
    assert sorted(one.key for one in found) == [
        "checks[0].margin",
        "checks[0].margn",
        "checks[0].metric",
        "checks[0].probe_set",
        "checks[1].axis",
        "scorers[0].name",
        "titel",
        "title",
        "waivers[0].check",
        "waivers[0].expires",
        "waivers[0].owner",
        "waivers[0].ownr",
        "waivers[1].expires",
    ]
    assert all(one.line for one in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "checks: 1\n", "expected a list"),
        (HEAD + "checks: [1, {}]\n", "expected a mapping"),
        (HEAD + CHECKS + "waivers: {a: 1}\n", "expected a list"),
        ("- checks\n", "is no probe set"),
    ],
)
def test_files_of_another_shape(tmp_path: Path, text: str, said: str) -> None:
    found = lint_files([write(tmp_path, text)])
    assert any(said in str(one) for one in found)


def test_a_run_refuses_suite_and_policy_in_one_message(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("format: 1\n", encoding="utf-8")
    policy = write(tmp_path, SOUND.replace("2999-01-31", "2020-01-31"))
    with pytest.raises(InvalidFileError) as caught:
        refuse_faulty_files(str(suite), str(policy))
    files = [Path(one.file).name for one in caught.value.problems]
    assert files.count("policy.yaml") == 2
    assert files.count("suite.yaml") > 5
    with pytest.raises(InvalidFileError, match="expected a mapping"):
        refuse_faulty_policy(str(write(tmp_path, "- checks\n")))


def test_the_example_of_the_documentation_is_sound(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "policies.md").read_text("utf-8")
    example = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    document = read_yaml(write(tmp_path, example))
    assert find_policy_faults(document, None, date(2026, 12, 1)) == []
    keys = {name for part in (Policy, Check) for name in part.model_fields}
    assert not {key for key in keys if f"`{key}`" not in page}
