"""``lint`` on the command line: lines to read, JSON, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

from cli_cases import POLICY, SUITE, call, write

PROBES = Path(__file__).parents[2] / "probes"
SOUND = ("harmful-requests", "benign-lookalikes")


def test_sound_files_are_counted() -> None:
    result = call("lint", *(PROBES / "safety" / f"{name}.yaml" for name in SOUND))
    assert (result.exit_code, result.stdout) == (0, "2 files checked, no problems\n")
    assert result.stderr == ""


def test_problems_have_file_line_key_and_remedy(tmp_path: Path) -> None:
    suite = write(tmp_path, "suite.yaml", SUITE.replace("harmful-requests", "harmful-reqests"))
    policy = write(tmp_path, "policy.yaml", POLICY.replace("margin:", "margn:"))
    result = call("lint", suite, policy)
    assert result.exit_code == 2
    first, *_ = result.stdout.splitlines()
    assert first.startswith(f"{suite}:10: probe_sets[0].id: unknown probe set 'harmful-reqests' (")
    assert "did you mean 'harmful-requests'?" in first
    assert f"{policy}:13: checks[0].margn: unknown key 'margn' (did you mean" in result.stdout
    assert result.stderr == "2 files checked, 3 problems\n"


def test_json(tmp_path: Path) -> None:
    file = write(tmp_path, "other.yaml", "a: 1\n")
    result = call("lint", file, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["files"] == [str(file)]
    (problem,) = found["problems"]
    assert set(problem) == {"file", "line", "key", "problem", "remedy"}
    sound = call("lint", PROBES / "suites", "--json")
    assert (sound.exit_code, json.loads(sound.stdout)["problems"]) == (0, [])


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml"):
        result = call("lint", path)
        assert result.exit_code == 2
        assert str(path) in result.stdout
    assert call("lint").exit_code == 2


def test_a_hostile_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    result = call("lint", write(tmp_path, "bad.yaml", 'format: 1\nchecks: "\\x1b[31m\\u202e"\n'))
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
