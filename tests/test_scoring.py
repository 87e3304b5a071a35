"""A scorer more for a finished run: nothing is generated again, and leaks are not printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_cases import GOOD, small_audit
from llmaudit.audit import score_run
from llmaudit.cli import main
from llmaudit.errors import StoreError, UnknownNameError
from llmaudit.records import Prompt, Task
from llmaudit.scorers import load_scorer
from llmaudit.scoring import answer_items, carrier_items, references_of
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
