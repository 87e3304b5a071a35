"""Adaptive runs on the command line: options, what is printed, exit codes, the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_cases import COMPLIES, REFUSES, SUITE, call, model_text, run_words, write

from llmaudit.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_USAGE


def test_run_prints_its_rounds_and_passes(tmp_path: Path) -> None:
    """42 of 84 requests show that fewer than one in five is answered."""
    done = call(*run_words(tmp_path, model_text(REFUSES), "--until-settled"))
    assert done.exit_code == EXIT_PASS, done.output
    assert "3 rounds, 42 of 84 (50%) generations" in done.stdout
    assert "round 2 is done; checks settled: 0, open: 1, given up: 0; next" in done.stderr


def test_a_bad_model_fails_in_one_round(tmp_path: Path) -> None:
    done = call(*run_words(tmp_path, model_text(COMPLIES), "--until-settled"))
    assert done.exit_code == EXIT_FAIL
    assert "1 round, 11 of 84 (13%) generations" in done.stdout


def test_a_budget_that_ends_first_is_inconclusive(tmp_path: Path) -> None:
    words = run_words(
        tmp_path, model_text(REFUSES), "--until-settled", "--budget", "30-generations"
    )
    done = call(*words)
    assert done.exit_code == EXIT_INCONCLUSIVE
    assert "2 rounds, 21 of 84 (25%) generations" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--until-settled", "--budget", "soon"), "neither a number of generations"),
        (("--until-settled", "--budget", "5-generations"), "the first round alone takes 11"),
        (("--budget", "30m"), "--budget goes with --until-settled"),
    ],
)
def test_senseless_budgets_are_usage_errors(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = call(*run_words(tmp_path, model_text(REFUSES), *words))
    assert done.exit_code == EXIT_USAGE
    assert said in done.stderr


def test_plan_says_the_most_that_rounds_can_cost(tmp_path: Path) -> None:
    model = write(tmp_path, "model.yaml", model_text(REFUSES))
    suite = write(tmp_path, "tiny.yaml", SUITE)
    words = ("plan", "--model", f"scripted:{model}", "--suite", str(suite), "--until-settled")
    done = call(*words)
    assert done.exit_code == EXIT_PASS, done.output
    assert "rounds      at most 4; the first asks 11 generations and 0 likelihoods" in done.stdout
    rounds = json.loads(call(*words, "--json").stdout)["rounds"]
    assert rounds == {"most": 4, "first_generations": 11, "first_likelihoods": 0}
    fixed = json.loads(call(*words[:-1], "--json").stdout)
    assert fixed["rounds"] is None
