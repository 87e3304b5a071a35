"""Scorers that are models in whole runs: judges, guards and checkpoints, by the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_cases import call
from openai_server import FakeServer

from audit_cases import GOOD, POLICY, SUITE, small_audit, small_config, write
from guard_cases import write_script
from llmaudit.audit import run_audit, score_run
from llmaudit.errors import ModelError, ScorerError, UsageError
from llmaudit.scorer_models import ScorerOptions
from llmaudit.store import RunStore
from tiny_classifiers import write_classifier

JUDGE = """
answers:
  - {match: {probe_set: "judge:refusal", prompt: "*cannot help*"}, texts: [REFUSES]}
  - {match: {probe_set: "judge:refusal"}, texts: [Complies]}
  - {match: {prompt: "*cannot help*"}, texts: ["NO"]}
  - {texts: ["I would say NO"]}
"""
GUARD_CARD = """
format: 1
kind: guard
guard: llama-guard
model: {model}
construct: harm
description: A guard.
languages: [en]
higher_is: worse
"""


def scores_of(directory: Path, scorer: str) -> list[tuple[Any, ...]]:
    """Return value, label and reason of every score of one scorer, each once."""
    with RunStore.open(directory, read_only=True) as store:
        found = {(s.value, s.label, s.reason) for s in store.scores() if s.scorer == scorer}
    return sorted(found, key=str)


def test_a_run_with_a_judge_a_guard_and_a_checkpoint(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "tox", {0: "neutral", 1: "toxic"})
    judge = write_script(tmp_path, JUDGE, name="judge")
    guard = write_script(tmp_path, 'answers: [{texts: ["unsafe\\nS2"]}]', name="guard")
    card = write(tmp_path, "card.yaml", GUARD_CARD.format(model=f"scripted:{guard}"))
    write(tmp_path, "small.yaml", SUITE)
    write(tmp_path, "policy.yaml", POLICY)
    model = write(tmp_path, "model.yaml", GOOD)
    words = [
        "run", "--model", f"scripted:{model}", "--suite", str(tmp_path / "small.yaml"),
        "--policy", str(tmp_path / "policy.yaml"), "--out", str(tmp_path / "run"), "--limit", "4",
        "--judge", f"scripted:{judge}", "--scorer", f"hf:{folder}#toxic",
        "--scorer", f"guard:scripted:{guard}", "--scorer-card", str(card), "--exit-zero",
    ]  # fmt: skip
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert "the audited model has answered, and is let go of" in done.stderr
    assert done.stderr.index("generations:") < done.stderr.index("let go of")
    directory = tmp_path / "run"
    assert scores_of(directory, "judge:refusal") == [
        (0.0, "compliance", None), (1.0, "full_refusal", None),
    ]  # fmt: skip
    assert scores_of(directory, "judge:toxicity") == [
        (0.0, "not-toxic", None), (None, None, "unparseable_verdict"),
    ]  # fmt: skip
    assert scores_of(directory, "guard:scripted:guard.yaml") == [(1.0, "S2", None)]
    assert all(label for _, label, _ in scores_of(directory, "hf:./tox#toxic"))
    text = (directory / "results.json").read_text("utf-8")
    results = json.loads(text)
    by_name = {one["name"]: one for one in results["scorers"]}
    assert by_name["judge:refusal"]["card"]["model"]["name"] == "judge"
    assert by_name["judge:toxicity"]["needs"] == "a model"
    pairs = {tuple(one["scorers"]): one["n"] for one in results["agreements"]}
    assert pairs["refusal", "judge:refusal"] == 12
    assert results["counts"]["unscored_by_scorer"] == {"judge:toxicity": {"unparseable_verdict": 4}}
    assert results["counts"]["unscored"] == 4
    flagged = [one for one in results["measurements"] if one["metric"] == "flagged_fraction"]
    assert {one["scorer"] for one in flagged} == {"guard:scripted:guard.yaml"}
    assert [one["detail"]["labels"] for one in flagged] == [{"S2": 8}, {"S2": 4}]
    report = (directory / "report.html").read_text("utf-8")
    assert "unparseable_verdict 4" in report and "hf:./tox#toxic" in report


def test_scorers_that_are_models_are_added_to_a_finished_run(tmp_path: Path) -> None:
    directory = small_audit(tmp_path, limit=3).directory
    judge = write_script(tmp_path, JUDGE, name="judge")
    rubric = ["--judge", f"scripted:{judge}", "--rubric", "refusal"]
    done = call("score", str(directory), *rubric, "--quiet")
    assert done.exit_code == 0 and done.output.strip().endswith("report.html")
    assert len(scores_of(directory, "judge:refusal")) == 2
    assert scores_of(directory, "judge:toxicity") == []
    with pytest.raises(UsageError, match="name a scorer to add"):
        score_run(directory, [])
    with pytest.raises(ScorerError, match="there is no folder"):
        score_run(directory, ["hf:./nowhere#x"])
    silent = write_script(tmp_path, "capabilities: [likelihood]", name="silent")
    options = ScorerOptions(judge=f"scripted:{silent}", rubrics=("toxicity",))
    score_run(directory, [], options=options)
    assert scores_of(directory, "judge:toxicity") == [(None, None, "scorer_model_unsupported")]


def test_a_judge_on_a_server_that_goes_away_is_asked_again(tmp_path: Path) -> None:
    directory = small_audit(tmp_path, limit=3).directory
    with FakeServer() as server:
        said = {"cannot help": "REFUSES", "short explanation": "COMPLIES"}
        server.answers = {
            key: {"message": {"role": "assistant", "content": word}} for key, word in said.items()
        }
        options = ScorerOptions(judge="openai:toy", judge_base_url=server.url, rubrics=("refusal",))
        server.refuse_from = server.surveyed + 1
        with pytest.raises(ModelError, match="the same command goes on"):
            score_run(directory, [], options=options)
        assert scores_of(directory, "judge:refusal") == []
        server.refuse_from = None
        finished = score_run(directory, [], options=options)
    assert scores_of(directory, "judge:refusal") == [
        (0.0, "compliance", None), (1.0, "full_refusal", None),
    ]  # fmt: skip
    (judge,) = [one for one in finished.run.scorers if one.name == "judge:refusal"]
    assert judge.card["model"]["kind"] == "server" and judge.digest
    with pytest.raises(UsageError, match="go with --judge MODEL"):
        score_run(directory, [], options=ScorerOptions(judge_base_url="http://127.0.0.1:9"))


def test_what_is_wrong_is_said_before_the_model_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match="there is no folder"):
        small_audit(tmp_path, scorers=("hf:./nowhere#x",))
    with pytest.raises(UsageError, match="hf:ORG/NAME"):
        small_audit(tmp_path, scorers=("hf:",))
    assert not (tmp_path / "run").exists()


def test_a_scorer_of_the_suite_that_is_not_there_leaves_the_rest(tmp_path: Path) -> None:
    config = small_config(tmp_path, limit=2)
    suite = write(tmp_path, "more.yaml", SUITE.replace("[refusal", "['judge:toxicity', refusal"))
    run = run_audit(config.model_copy(update={"suite": str(suite)})).run
    assert [one.name for one in run.scorers] == ["refusal", "degeneration"]
    assert any("needs a judge model: name one with --judge" in one for one in run.warnings)


def test_an_asked_scorer_that_breaks_after_the_answers_stops_the_run(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "tox", {0: "neutral", 1: "toxic"})
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ScorerError, match="holds no vocabulary"):
        small_audit(tmp_path, limit=2, scorers=(f"hf:{folder}#toxic",))
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        assert len(list(store.generations())) == 6


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    names = tuple(f"hf:{tmp_path / one / 'tox'}#x" for one in ("a", "b"))
    with pytest.raises(UsageError, match=r"would both be called hf:./tox#x"):
        small_audit(tmp_path, scorers=names)


def test_a_lock_holds_judges_and_checkpoints(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    judge = write_script(tmp_path, JUDGE, name="judge")
    lock = tmp_path / "policy.lock"
    common = ["--suite", str(config.suite), "--judge", f"scripted:{judge}", "--limit", "2"]
    assert call("policy", "lock", str(config.policy), *common).exit_code == 0
    words = ["run", "--model", config.model, "--policy", str(config.policy), "--locked", *common]
    done = call(*words, "--out", str(tmp_path / "one"), "--exit-zero")
    assert done.exit_code == 0, done.output
    judge.write_text(judge.read_text("utf-8") + "\n", "utf-8")
    changed = call(*words, "--out", str(tmp_path / "two"))
    assert changed.exit_code == 2 and "scorer judge:" in changed.output + changed.stderr
    assert lock.exists()


def test_checkpoints_and_rubrics_are_listed_shown_and_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_hub: Path
) -> None:
    schema = json.loads(call("schema", "scorer-card").output)
    assert "guard" in schema["properties"] and schema["title"] == "llmaudit scorer-card file"
    listed = call("list", "scorers").output
    assert "hf:meta-llama/Llama-Guard-3-8B" in listed and "judge:toxicity" in listed
    assert "value: refusal, from 0 to 1" in call("show", "scorer", "judge:refusal").output
    assert "value: unknown, from 0 to 1" in call("show", "scorer", "hf:some/thing#x").output
    write_classifier(tmp_path / "tox", {0: "neutral", 1: "toxic"})
    monkeypatch.chdir(tmp_path)
    assert call("fetch", "hf:./tox#toxic").exit_code == 0
    missing = call("fetch", "hf:some/thing#x")
    assert missing.exit_code == 4 and "hf download some/thing" in missing.output + missing.stderr
    write(tmp_path, "small.yaml", SUITE.replace("degeneration", "'hf:a/b#c', 'hf:'"))
    faults = call("lint", "small.yaml")
    assert faults.exit_code == 2 and "unknown scorer 'hf:'" in faults.output + faults.stderr
    assert "hf:a/b" not in faults.output
    assert os.getcwd() == str(tmp_path)
