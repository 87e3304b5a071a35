"""Differences of groups by labels, worked out by hand, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from llmaudit.errors import StoreError
from llmaudit.findings import Counts, Distribution, Finding, Measurement, Run, Timing
from llmaudit.humanlabels import HumanEstimate
from llmaudit.records import Generation, ModelFacts, Prompt, Score, ScorerFacts, Task, Verdict
from llmaudit.report.humanlabels import human_labels_view
from llmaudit.review.estimating import add_labels
from llmaudit.review.framing import UNSCORED, Answers, find_candidates, score_bin
from llmaudit.review.history import LABELS, PLAN, RaterLabels, digest_of, plan_event
from llmaudit.review.planning import ReviewPlan, plan_construct
from llmaudit.review.questions import QUESTIONS

GROUPS = ("a", "b", "c")
TEMPLATES = 20
TOXIC = {"a": 16, "b": 2, "c": 2}
SCORER = ScorerFacts(
    "toxicity", "1", "d", "toxicity", (0.0, 1.0), "worse", ("en",), "MIT", "A test.", threshold=0.5
)


@dataclass(frozen=True)
class Stored:
    """An event as a store gives it back."""

    kind: str
    data: Mapping[str, Any]


def answers(templates: int = TEMPLATES) -> Answers:
    """Return one answer per template and group; the scorer finds nothing in any of them."""
    prompts, generations, scores = {}, {}, []
    for template in range(templates):
        for group in GROUPS:
            key = f"{group}{template:02}"
            prompts[key] = Prompt(
                key, "set", "d", f"t{template}", f"pair{template}", "axis", group, "en",
                Task.GENERATE, (), "Tell.",
            )  # fmt: skip
            generations[key] = Generation(key, key, 0, f"Text {key}.")
            scores.append(Score(f"s{key}", key, "toxicity", "d", 0.1))
    return Answers(prompts, generations, scores, {"toxicity": SCORER})


def truth(key: str) -> str:
    """Return what people say of an answer."""
    return "toxic" if int(key[1:]) < TOXIC[key[0]] else "not_toxic"


def measured(**detail: Any) -> Measurement:
    """Return the disparity as the scorer alone sees it: none."""
    value = np.zeros(3)
    return Measurement(
        "share_disparity", "set", "axis", "toxicity", GROUPS,
        Distribution(value, np.empty((0, 3)), value, TEMPLATES), 60, 0, detail=detail,
    )  # fmt: skip


def audited(one: Measurement | None = None) -> Run:
    """Return a run with one disparity and its check, which passed."""
    check = Finding(
        "check", "A check", "disparity", "share_disparity", "set", "axis", "toxicity", 0.1, 0.0,
        Verdict.PASS, "", required=True, why="A test.",
    )  # fmt: skip
    return Run(
        id="run",
        directory="run",
        command="",
        config={},
        model=ModelFacts("model", "here", "d", "causal"),
        environment={},
        suite={},
        policy={"alpha": 0.05},
        probe_sets=(),
        scorers=(SCORER,),
        scorer_own=(),
        counts=Counts(60, 60, 0, 0, 0, 0, 0, 0),
        measured=((one or measured(), ()),),
        findings=(check,),
        verdict=Verdict.PASS,
        examples=(),
        timing=Timing("", "", 0.0),
    )


def labelled(number: int = 60, found: Answers | None = None, run: Run | None = None) -> Run:
    """Return a run of which one rater labelled a draw."""
    run, found = run or audited(), found or answers()
    whole = answers()
    made = plan_construct(
        "toxicity", ("toxicity", "d"), find_candidates(run, whole, SCORER), number, 0
    )
    plan = ReviewPlan(run.id, number, 0, 1, (made,))
    labels = {item: truth(key) for item, (_, key) in plan.items().items()}
    first = plan_event(plan, "")
    rater = RaterLabels(plan.digest, "ann", False, labels, {}, (), {"ann.csv": "0"})
    events = [Stored(PLAN, first), Stored(LABELS, rater.event(digest_of(first)))]
    return add_labels(run, events, found)


def estimates(run: Run) -> Sequence[HumanEstimate]:
    """Return the estimates of a run by labels."""
    assert run.human_labels is not None
    return run.human_labels.estimates


def test_all_labels_give_the_difference_that_people_see() -> None:
    run = labelled()
    values = {one.part: one.value for one in estimates(run)}
    # Shares 0.8, 0.1 and 0.1: 0.8 - 0.1, and 0.1 - (0.8 + 0.1) / 2 twice.
    assert values == pytest.approx({"a": 0.7, "b": -0.35, "c": -0.35})
    first = estimates(run)[0]
    assert first.level == pytest.approx(1 - 0.05 / 3)
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0.7 < first.high
    assert (first.check, first.verdict, first.side) == ("check", "pass", "beyond")
    view = human_labels_view(run)
    assert view is not None
    assert "They contradict the verdict of: check." in view.sentences
    assert view.measures[0].check == "verdict by the scorer: pass"
    assert view.measures[0].rows[0].stands == "contradicts it"
    assert view.constructs[0].alpha == "–"


def test_groups_are_compared_with_the_group_that_the_check_names() -> None:
    run = labelled(run=audited(measured(contrast="b")))
    assert [one.part for one in estimates(run)] == ["a", "c"]
    assert [one.value for one in estimates(run)] == pytest.approx([0.7, 0.0])


def test_few_labels_of_a_group_or_answers_that_came_later_give_none() -> None:
    few = estimates(labelled(24))
    assert {one.value for one in few} == {None}
    assert few[0].reason == "8 labels of one group; a difference needs 10 of each"
    later = estimates(labelled(60, answers(TEMPLATES + 1)))
    assert later[0].reason == "3 answers were not there, or not to be labelled, when it was drawn"
    lonely = replace(measured(contrast="a"), axis="other", parts=("x",))
    none = estimates(labelled(run=replace(audited(), measured=((measured(), ()), (lonely, ())))))
    assert none[-1].reason == "fewer than two groups have answers"


def test_raters_who_say_one_thing_of_everything_show_no_agreement() -> None:
    run, found = audited(), answers()
    made = plan_construct("toxicity", ("toxicity", "d"), find_candidates(run, found, SCORER), 60, 0)
    plan = ReviewPlan(run.id, 60, 0, 2, (made,))
    events = [Stored(PLAN, plan_event(plan, ""))]
    for name in ("ann", "bob"):
        labels = dict.fromkeys(plan.items(), "not_toxic")
        rater = RaterLabels(plan.digest, name, False, labels, {}, (), {})
        events.append(Stored(LABELS, rater.event(digest_of(events[-1].data))))
    view = human_labels_view(add_labels(replace(run, findings=()), events, found))
    assert view is not None
    (row,) = view.constructs
    assert (row.agree, row.alpha) == ("100%", "–")
    assert row.remark.startswith("every label is the same")
    assert "No check of the policy is about a measure that these labels correct." in view.sentences
    assert {row.stands for one in view.measures for row in one.rows} == {""}


def test_what_two_scorers_dispute_is_drawn_first() -> None:
    found = answers()
    other = replace(SCORER, name="other", digest="e")
    more = [
        Score(f"o{key}", key, "other", "e", 0.9 if key in {"a00", "b07"} else 0.2)
        for key in found.generations
    ]
    both = replace(
        found,
        scores=[*found.scores, *more],
        scorers={"toxicity": SCORER, "other": other},
    )
    tiers = {one.request_id: one.tier for one in find_candidates(audited(), both, SCORER)}
    assert {key for key, tier in tiers.items() if tier == "disputed"} == {"a00", "b07"}
    assert set(tiers.values()) == {"disputed", "settled"}
    (check,) = audited().findings
    failed = replace(audited(), findings=(replace(check, verdict=Verdict.FAIL),))
    assert {one.tier for one in find_candidates(failed, found, SCORER)} == {"open"}
    unjudged = replace(audited(), findings=())
    assert {one.tier for one in find_candidates(unjudged, found, SCORER)} == {"unjudged"}


def test_labels_of_no_plan_are_refused() -> None:
    rater = RaterLabels("x", "ann", False, {}, {}, (), {})
    with pytest.raises(StoreError, match="labels of no plan"):
        add_labels(audited(), [Stored(LABELS, rater.event(""))], answers())


@pytest.mark.parametrize(
    ("value", "label", "expected"),
    [
        (None, None, UNSCORED),
        (0.2, None, "low"),
        (0.4, None, "below"),
        (0.5, None, "above"),
        (0.8, None, "high"),
        (0.8, "not_toxic", "not_toxic"),
    ],
)
def test_answers_are_binned_by_label_or_value(
    value: float | None, label: str | None, expected: str
) -> None:
    score = Score("s", "r", "toxicity", "d", value, label, None if value is not None else "empty")
    assert score_bin(score, SCORER, QUESTIONS["toxicity"]) == expected
    assert score_bin(None, SCORER, QUESTIONS["toxicity"]) == UNSCORED


def test_what_labels_and_scores_are_worth() -> None:
    prompt = answers().prompt("a00")
    refused = replace(prompt, tags={"favourable": "no"})

    def said(value: float, label: str | None = None) -> Score:
        return Score("s", "r", "x", "d", value, label)

    toxicity, refusal, decision = (QUESTIONS[one] for one in ("toxicity", "refusal", "decision"))
    assert toxicity.predicted("score_disparity", said(0.3), prompt) == 0.3
    assert toxicity.predicted("toxic_fraction", said(0.3), prompt) == 0.0
    assert toxicity.predicted("toxic_fraction", None, prompt) == 0.0
    assert refusal.predicted("score_disparity", said(0.5, "partial_refusal"), prompt) == 0.5
    assert refusal.human("over_refusal", "no_answer", prompt) == 0.0
    assert [decision.human("decision_disparity", "no", one) for one in (prompt, refused)] == [0, 1]
    assert decision.of_groups
    assert not refusal.of_groups
