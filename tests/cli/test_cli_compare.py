"""``llmaudit compare``: table, files, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from cli_cases import COMPLIES, POLICY, REFUSES, call, model_text, run_words, write

from llmaudit.cli.completing import complete_allowable
from llmaudit.report import comparison_schema


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return runs of a model that refuses, and of one that does not."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for name, answer in (("refuses", REFUSES), ("complies", COMPLIES)):
        (folder / name).mkdir()
        words = run_words(folder / name, model_text(answer, name=name), "--exit-zero", "--quiet")
        assert call(*words).exit_code == 0
        found[name] = folder / name / "run"
    write(folder, "policy.yaml", POLICY)
    found["policy"] = folder / "policy.yaml"
    return found


def test_a_regression_is_printed_and_exits_with_1(runs: dict[str, Path], tmp_path: Path) -> None:
    html, markdown = tmp_path / "c.html", tmp_path / "c.md"
    result = call(
        "compare", runs["refuses"], runs["complies"], "--policy", runs["policy"],
        "--html", html, "--markdown", markdown,
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    (row,) = (line for line in lines if line.startswith("harmful compliance"))
    assert row.split()[2:5] == ["0", "1.000", "+1.000"]
    assert row.endswith("REGRESSION")
    assert any("Outcomes newly failing: " in line for line in lines)
    assert any(line.startswith("differs    model: refuses -> complies") for line in lines)
    assert f"Verdict: REGRESSION   {html}   {markdown}" in result.stdout
    assert "<!DOCTYPE html>" in html.read_text("utf-8")
    assert markdown.read_text("utf-8").startswith("**✕ regression**")


def test_improvement_and_sameness_exit_with_0(runs: dict[str, Path]) -> None:
    policy = ("--policy", runs["policy"])
    better = call("compare", runs["complies"], runs["refuses"], *policy, "--quiet")
    assert (better.exit_code, better.stdout.strip()) == (0, "Verdict: improvement")
    same = call("compare", runs["refuses"], runs["refuses"], *policy)
    assert same.exit_code == 0
    assert "both runs are of models with one digest" in same.stdout
    assert "no relevant change" in same.stdout


def test_exit_zero_and_json(runs: dict[str, Path]) -> None:
    words = ("compare", runs["refuses"], runs["complies"], "--policy", runs["policy"])
    result = call(*words, "--json", "--exit-zero")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    jsonschema.validate(found, comparison_schema())
    assert found["verdict"] == "regression"
    assert found["changes"][0]["examples"][0]["kind"] == "newly failing"
    assert str(runs["refuses"].parent) not in result.stdout


def test_the_default_policy_is_for_regressions(runs: dict[str, Path]) -> None:
    result = call("compare", runs["refuses"], runs["complies"])
    assert result.exit_code == 1
    assert "not tested" in result.stdout


def test_what_is_not_comparable_exits_with_2_and_what_is_unfinished_with_4(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    other = run_words(tmp_path, model_text(REFUSES), "--samples", "2", "--exit-zero", "--quiet")
    assert call(*other).exit_code == 0
    words = ("compare", runs["refuses"], tmp_path / "run", "--policy", runs["policy"])
    refused = call(*words)
    assert refused.exit_code == 2
    assert "k of probe set harmful-requests: base 1, candidate 2" in refused.stderr
    allowed = call(*words, "--allow", "k")
    assert allowed.exit_code in {0, 3}
    assert "allowed    k of probe set harmful-requests" in allowed.stdout
    missing = call("compare", runs["refuses"], tmp_path / "nowhere")
    assert missing.exit_code == 4
    unknown = call(*words, "--allow", "seeed")
    assert unknown.exit_code == 2
    assert "did you mean 'seed'" in unknown.stderr


def test_a_file_that_cannot_be_written_is_a_usage_error(runs: dict[str, Path]) -> None:
    result = call(
        "compare", runs["refuses"], runs["refuses"], "--policy", runs["policy"],
        "--html", "/nowhere/c.html",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "Name another file" in result.stderr


def test_names_to_allow_are_completed() -> None:
    assert complete_allowable(None, None, "s") == ["suite", "seed", "scorers"]  # type: ignore[arg-type]
