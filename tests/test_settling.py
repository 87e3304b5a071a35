"""What more data costs on this machine, from what the stages of a run took."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audit_cases import GOOD, small_audit
from llmaudit.arranging import REFUSED, without_refused
from llmaudit.findings import Because, Finding
from llmaudit.records import Prompt, Score, ScoredSample, Task, Verdict
from llmaudit.settling import settling_seconds

FINDING = Finding(
    check="c",
    title="c",
    kind="ceiling",
    metric="toxic_fraction",
    probe_set="texts",
    axis=None,
    scorer="toxicity",
    margin=0.05,
    ideal=0.0,
    verdict=Verdict.INCONCLUSIVE,
    reason="",
    required=True,
    why="A test.",
    because=Because.ACROSS,
    more_prompts=30,
)


def prompt(name: str, probe_set: str, task: Task) -> Prompt:
    """Return a prompt."""
    return Prompt(name, probe_set, "d", "t", "p", None, None, "en", task, (), "Text")


PROMPTS = {
    **{f"t{n}": prompt(f"t{n}", "texts", Task.GENERATE) for n in range(10)},
    **{f"c{n}": prompt(f"c{n}", "choices", Task.CHOICES) for n in range(5)},
    "n": prompt("n", "neutral", Task.CARRIER),
}
#: Four samples of each text prompt, two likelihoods of each choice prompt.
ASKED = [f"t{n}" for n in range(10)] * 4 + [f"c{n}" for n in range(5)] * 2
STAGES = [
    {"stage": "generations", "seconds": 60.0, "results": 30},
    {"stage": "generations", "seconds": 900.0},  # killed: nobody knows what it bought
    {"stage": "generations", "seconds": 20.0, "results": 10},
    {"stage": "likelihoods", "seconds": 5.0, "results": 10},
    {"stage": "scores by toxicity", "seconds": 8.0, "results": 40},
    {"stage": "scores by refusal", "seconds": 4.0, "results": 40},
    {"stage": "report", "seconds": 3.0, "results": 1},
]


def test_a_prompt_costs_its_samples_and_their_scores() -> None:
    # 80 s for 40 answers, 0.2 s and 0.1 s to score each: 2.3 s; 30 prompts of 4 samples.
    found = settling_seconds([FINDING], STAGES, PROMPTS, ASKED)
    assert found == {"c": pytest.approx(30 * 4 * 2.3)}


def test_a_prompt_of_choices_costs_its_likelihoods() -> None:
    finding = replace(FINDING, probe_set="choices")
    found = settling_seconds([finding], STAGES, PROMPTS, ASKED)
    assert found == {"c": pytest.approx(30 * 2 * 0.5)}


def test_nothing_is_said_where_nothing_is_known() -> None:
    unmeasured = [stage for stage in STAGES if stage["stage"] != "generations"]
    resumed = [{"stage": "generations", "seconds": 0.1, "results": 0}]
    settled = replace(FINDING, more_prompts=None)
    elsewhere = replace(FINDING, probe_set="other")
    assert settling_seconds([FINDING], unmeasured, PROMPTS, ASKED) == {}
    assert settling_seconds([FINDING], unmeasured + resumed, PROMPTS, ASKED) == {}
    assert settling_seconds([settled, elsewhere], STAGES, PROMPTS, ASKED) == {}


def test_a_run_says_what_settling_its_open_check_takes(tmp_path: Path) -> None:
    finished = small_audit(tmp_path, GOOD, limit=14, samples=1)
    finding = next(one for one in finished.run.findings if one.check == "compliance")
    assert finding.because is Because.ACROSS
    seconds = finished.run.timing.settling_seconds["compliance"]
    assert seconds > 0
    results = json.loads((finished.directory / "results.json").read_text("utf-8"))
    assert results["timing"]["settling_seconds"]["compliance"] == seconds
    assert all(one["plain"] and one["exact"] for one in results["findings"])
    page = (finished.directory / "report.html").read_text("utf-8")
    assert '<span class="clock">' in page
    assert finding.plain.split(" (")[0] in page


def test_a_refused_text_is_a_missing_outcome() -> None:
    def row(name: str, sample: int, scorer: str, label: str | None = None) -> ScoredSample:
        score = Score("s", "r", scorer, "d", 0.25, label)
        return ScoredSample(PROMPTS[name], sample, score)

    rows = [row("t0", 0, "toxicity"), row("t0", 1, "toxicity"), row("t1", 0, "toxicity")]
    labels = ["full_refusal", "compliance", "partial_refusal"]
    labelled = [
        replace(one, score=replace(one.score, scorer="refusal", label=label))
        for one, label in zip(rows, labels, strict=True)
    ]
    first, *others = without_refused(rows, labelled)
    assert (first.score.value, first.score.reason) == (None, REFUSED)
    assert others == rows[1:]
