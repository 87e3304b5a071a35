"""A scorer more for a finished run: nothing is generated again, and leaks are not printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_cases import GOOD, SUITE, small_audit, write
from llmaudit.audit import report_run, score_run
from llmaudit.cli import main
from llmaudit.errors import StoreError, UnknownNameError
from llmaudit.progress import Silence
from llmaudit.records import Prompt, ScorerFacts, Task
from llmaudit.scorers import ScorerInput, ScorerOutput, load_scorer
from llmaudit.scoring import add_scorers, answer_items, carrier_items, references_of
from llmaudit.store import RunStore

LEAKING = GOOD.replace(
    "Of course. Here is a short explanation of how this works in practice.",
    "Of course. Write to ann.lee@mail.de and they will help you with that.",
)


def prompt(**given: object) -> Prompt:
    values: dict[str, object] = {
        "id": "p", "probe_set": "s", "probe_set_digest": "d", "template_id": "t", "pair_id": "x",
        "axis": None, "group": None, "language": "en", "task": Task.GENERATE, "messages": (),
        "plain": "Which?", **given,
    }  # fmt: skip
    return Prompt(**values)  # type: ignore[arg-type]


def test_a_scorer_is_added_without_generating_again(tmp_path: Path) -> None:
    before = small_audit(tmp_path, LEAKING)
    with RunStore.open(before.directory, read_only=True) as store:
        generations = list(store.generations())
    after = score_run(before.directory, ["pii", "sentiment"])
    with RunStore.open(before.directory, read_only=True) as store:
        assert list(store.generations()) == generations
        added = [one for one in store.scores() if one.scorer == "pii"]
    assert len(added) == len(generations)
    assert {one.scorer for one, _ in after.run.measured if one.metric == "pii_leak_rate"} == {"pii"}
    assert [one.name for one in after.run.scorers] == [
        "refusal", "degeneration", "pii", "sentiment",
    ]  # fmt: skip
    assert after.run.verdict == before.run.verdict
    rates = {m.probe_set: e[0].value for m, e in after.run.measured if m.metric == "pii_leak_rate"}
    assert rates == {"harmful-requests": 0.0, "benign-lookalikes": 1.0}
    own = {one.scorer for one in after.run.scorer_own}
    assert own <= {"sentiment", "refusal"}
    report = after.report.read_text(encoding="utf-8")
    assert "ann.lee@mail.de" not in report
    assert "[email masked]" in report
    results = json.loads((before.directory / "results.json").read_text(encoding="utf-8"))
    assert "ann.lee@mail.de" not in json.dumps(results)


class SecondReader:
    """Takes every answer for a refusal."""

    facts = ScorerFacts(
        "second", "1", "second-1", "refusal", (0.0, 1.0), "neutral", ("any",), "MIT", "Refuses."
    )

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return the same label for all."""
        return [ScorerOutput(1.0, label="full_refusal") for _ in inputs]


def test_a_second_scorer_of_a_construct_is_held_against_the_first(tmp_path: Path) -> None:
    before = small_audit(tmp_path, GOOD)
    assert before.run.agreements == ()
    with RunStore.open(before.directory) as store:
        add_scorers(store, [SecondReader()], Silence())
    after = report_run(before.directory)
    (found,) = after.run.agreements
    assert (found.construct, found.scorers) == ("refusal", ("refusal", "second"))
    counts = before.run.counts
    assert (found.n, found.differing) == (counts.generations, counts.generations - counts.refusals)
    report = after.report.read_text(encoding="utf-8")
    assert "that refusal and second see most differently" in report
    results = json.loads((before.directory / "results.json").read_text(encoding="utf-8"))
    assert results["agreements"][0]["disputed"][0]["scores"]


def test_a_metric_that_a_set_declares_and_no_scorer_serves_is_said(tmp_path: Path) -> None:
    listed = "  - {id: context-leakage, samples: 1, max_new_tokens: 20, limit: 4}\nscorers:"
    suite = write(tmp_path, "leaks.yaml", SUITE.replace("scorers:", listed))
    done = small_audit(tmp_path, suite=str(suite))
    [(measured, [estimate])] = [pair for pair in done.run.measured if pair[0].metric == "leak_rate"]
    assert measured.reason == estimate.reason == "No scorer for leakage was used in this run."
    assert (measured.scorer, estimate.value) == (None, None)
    assert "No scorer for leakage was used" in done.report.read_text(encoding="utf-8")


def test_scoring_twice_adds_nothing(tmp_path: Path) -> None:
    directory = small_audit(tmp_path).directory
    score_run(directory, ["length"])
    with RunStore.open(directory, read_only=True) as store:
        first = list(store.scores())
    score_run(directory, ["length", "length"])
    with RunStore.open(directory, read_only=True) as store:
        assert list(store.scores()) == first


def test_what_cannot_be_scored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sentiment'"):
        score_run(tmp_path, ["sentimnt"])
    with pytest.raises(StoreError):
        score_run(tmp_path, ["sentiment"])


def test_the_command_prints_the_report(tmp_path: Path) -> None:
    directory = small_audit(tmp_path).directory
    done = CliRunner().invoke(main, ["score", str(directory), "--scorer", "length", "--quiet"])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith("report.html")
    assert CliRunner().invoke(main, ["score", str(directory)]).exit_code == 2


def test_what_scorers_are_shown() -> None:
    both = prompt(references=("Paris", "City of Paris"), expected="A")
    assert references_of(both) == ("Paris", "City of Paris")
    assert references_of(prompt(expected="A")) == ("A",)
    assert references_of(prompt()) == ()
    assert answer_items({}, []) == []


def test_carriers_are_for_what_is_read_from_the_text_alone() -> None:
    carrier = prompt(plain="A woman lives there.", task=Task.CARRIER)
    assert [one.generation.text for one in carrier_items(load_scorer("sentiment").facts, [carrier])]
    assert carrier_items(load_scorer("pii").facts, [carrier]) == []
