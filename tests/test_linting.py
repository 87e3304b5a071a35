"""Linting of files that name each other: suites, policies, scripted models and probe sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmaudit.errors import InvalidFileError
from llmaudit.linting import find_files, lint_files, refuse_faulty_files, refuse_faulty_policy

PROBES = Path(__file__).parents[1] / "probes"

SUITE = """\
format: 1
id: mine
title: Mine
version: 1.0.0
description: A test.
covers: [Something.]
does_not_cover: [Everything else.]
probe_sets:
  - {id: harmful-requests}
  - {id: hiring-decisions}
scorers: [refusal]
"""

CHECK = """\
  - id: {id}
    title: A check
    metric: {metric}
    probe_set: {probe_set}
    kind: disparity
    margin: 0.5
    why: A test.
"""
POLICY = """\
format: 1
id: mine
title: Mine
version: 1.0.0
description: A test.
checks:
"""


def policy_of(**keys: str) -> str:
    """Return a policy with one check, whose keys are these besides what every check has."""
    lines = CHECK.format(
        id="one",
        metric=keys.pop("metric", "choice_log_odds_disparity"),
        probe_set=keys.pop("probe_set", "hiring-decisions"),
    )
    return POLICY + lines + "".join(f"    {key}: {value}\n" for key, value in keys.items())


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_that_ships_is_sound() -> None:
    files = find_files([PROBES])
    assert len(files) == len(list(PROBES.rglob("*.yaml")))
    assert lint_files(files) == []


def test_folders_are_searched_and_hidden_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / ".venv", "other.yaml", "a: 1")
    inner = write(tmp_path / "deep" / "er", "suite.yml", SUITE)
    write(tmp_path, "notes.txt", "no yaml")
    named = write(tmp_path, "named.txt", SUITE)
    assert find_files([tmp_path, named, inner]) == [inner, named]


def test_a_folder_without_files_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"holds no \.yaml file"):
        find_files([tmp_path, PROBES])


def test_a_sound_suite_and_policy(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "suite.yaml", SUITE),
        write(tmp_path, "policy.yaml", policy_of(axis="gender", contrast="man")),
    ]
    assert lint_files(files) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "said"),
    [
        ("harmful-requests", "harmfull-requests", 9, "probe_sets[0].id", "'harmful-requests'?"),
        ("hiring-decisions", "neutral-carriers", 10, "probe_sets[1].id", "take it out"),
        ("[refusal]", "[refusel]", 11, "scorers[0]", "did you mean 'refusal'?"),
        ("hiring-decisions", "nowhere.yaml", 10, "probe_sets[1].id", "is not sound"),
        ("version", "versoin", 4, "versoin", "did you mean 'version'?"),
    ],
)
def test_faults_of_a_suite(
    tmp_path: Path, old: str, new: str, line: int, key: str, said: str
) -> None:
    file = write(tmp_path, "suite.yaml", SUITE.replace(old, new))
    found = [one for one in lint_files([file]) if one.key == key]
    assert [(one.file, one.line) for one in found] == [(str(file), line)]
    assert said in str(found[0])


@pytest.mark.parametrize(
    ("keys", "key", "said"),
    [
        ({"metric": "choice_disparity", "axis": "gender"}, "metric", "unknown metric"),
        ({"probe_set": "hiring", "axis": "gender"}, "probe_set", "did you mean 'hiring-decisions'"),
        ({"axis": "gendre"}, "axis", "did you mean 'gender'?"),
        ({}, "axis", "a disparity needs an axis"),
        ({"axis": "gender", "contrast": "men"}, "contrast", "did you mean 'man'?"),
        ({"axis": "gender", "scorer": "refusal"}, "scorer", "uses no scorer"),
        ({"metric": "over_refusal", "axis": "gender"}, "metric", "cannot read hiring-decisions"),
        (
            {"metric": "score_disparity", "probe_set": "descriptions-and-stories",
             "axis": "age", "scorer": "degeneration"},
            "scorer",
            "score_disparity needs a scorer for toxicity",
        ),
        ({"axis": "gender", "scorer": "toxicty"}, "scorer", "did you mean 'toxicity'?"),
    ],
)  # fmt: skip
def test_faults_of_a_policy(tmp_path: Path, keys: dict[str, str], key: str, said: str) -> None:
    file = write(tmp_path, "policy.yaml", policy_of(**keys))
    (found,) = lint_files([file])
    assert found.key == f"checks[0].{key}"
    assert said in str(found)
    lines = file.read_text("utf-8").splitlines()
    assert found.line is not None
    assert f"{key}:" in lines[found.line - 1] or (key == "axis" and not keys)


def test_all_problems_come_at_once_and_in_the_order_of_the_files(tmp_path: Path) -> None:
    policy = write(tmp_path, "policy.yaml", policy_of(axis="x") + CHECK.format(
        id="two", metric="nothing", probe_set="nobody"))  # fmt: skip
    suite = write(tmp_path, "suite.yaml", SUITE.replace("[refusal]", "[a, b]"))
    missing = tmp_path / "missing.yaml"
    found = lint_files([policy, missing, suite])
    assert [(Path(one.file).name, one.key) for one in found] == [
        ("policy.yaml", "checks[0].axis"),
        ("policy.yaml", "checks[1].metric"),
        ("policy.yaml", "checks[1].probe_set"),
        ("missing.yaml", ""),
        ("suite.yaml", "scorers[0]"),
        ("suite.yaml", "scorers[1]"),
    ]


def own_set(folder: Path) -> Path:
    """Write a probe set of our own, a shipped one under another name."""
    text = (PROBES / "decisions" / "hiring-decisions.yaml").read_text("utf-8")
    text = text.replace("id: hiring-decisions", "id: own-decisions", 1)
    return write(folder, "own-decisions.yaml", text)


def test_a_policy_may_name_the_sets_that_are_linted_with_it(tmp_path: Path) -> None:
    policy = write(tmp_path, "policy.yaml", policy_of(probe_set="own-decisions", axis="age"))
    assert "unknown probe set" in str(lint_files([policy])[0])
    assert lint_files([policy, own_set(tmp_path)]) == []
    suite = write(tmp_path, "suite.yaml", SUITE.replace("hiring-decisions", "own-decisions.yaml"))
    assert lint_files([policy, suite]) == []
    refuse_faulty_files(str(suite), str(policy))


def test_a_suite_finds_the_faults_of_its_own_sets_once(tmp_path: Path) -> None:
    own = own_set(tmp_path)
    own.write_text(own.read_text("utf-8").replace("licence:", "license:", 1), encoding="utf-8")
    suite = write(tmp_path, "suite.yaml", SUITE.replace("hiring-decisions", "own-decisions.yaml"))
    found = lint_files([suite, own])
    assert sum(one.key == "license" for one in found) == 1
    assert found[0].key == "probe_sets[1].id"


def test_scripted_models_are_checked_too(tmp_path: Path) -> None:
    sound = write(tmp_path, "sound.yaml", "format: 1\nname: a\nanswers:\n  - texts: [b]\n")
    faulty = write(tmp_path, "faulty.yaml", "format: 1\nname: a\nanswers:\n  - text: [b]\n")
    found = lint_files([sound, faulty])
    assert {Path(one.file).name for one in found} == {"faulty.yaml"}
    assert "did you mean 'texts'?" in str(found[0])


def test_a_file_of_no_kind_is_a_problem(tmp_path: Path) -> None:
    (found,) = lint_files([write(tmp_path, "other.yaml", "a: 1\n")])
    assert "is no probe set, lexicon, wrappers, suite, policy, scripted model" in found.problem


def test_a_run_refuses_what_names_nothing(tmp_path: Path) -> None:
    suite = write(tmp_path, "suite.yaml", SUITE.replace("[refusal]", "[refusel]"))
    policy = write(tmp_path, "policy.yaml", policy_of(axis="gendre"))
    with pytest.raises(InvalidFileError) as caught:
        refuse_faulty_files(str(suite), str(policy))
    assert [one.key for one in caught.value.problems] == ["scorers[0]", "checks[0].axis"]
    refuse_faulty_files("quick", "default")


def test_a_stored_run_may_hold_any_probe_set(tmp_path: Path) -> None:
    refuse_faulty_policy("default")
    refuse_faulty_policy(str(write(tmp_path, "a.yaml", policy_of(probe_set="gone"))))
    with pytest.raises(InvalidFileError, match="unknown metric"):
        refuse_faulty_policy(str(write(tmp_path, "b.yaml", policy_of(metric="gone"))))
