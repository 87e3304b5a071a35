"""How generations become scores: no state is lost and none is read as another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.records import ErrorKind, Generation, RequestError, Score, ScorerFacts, content_id
from llmaudit.scorers import (
    Scorer,
    ScorerInput,
    ScorerOutput,
    ScoringItem,
    score_generations,
    score_id,
    score_safely,
)

FACTS = ScorerFacts(
    name="length",
    version="1",
    digest="0123456789abcdef",
    construct="length",
    range=(0.0, 100.0),
    higher_is="neutral",
    languages=("en",),
    licence="Apache-2.0",
    description="Counts characters.",
)


class LengthScorer:
    """Scores a text by its length, fails or lies where the text says so, and keeps what it saw."""

    facts = FACTS

    def __init__(self) -> None:
        self.batches: list[list[ScorerInput]] = []

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return the lengths."""
        self.batches.append(list(inputs))
        if any(one.text == "raise" for one in inputs):
            raise ValueError("asked to")
        special = {"nan": math.nan, "inf": math.inf, "negative": -1.0}
        return [
            ScorerOutput(None)
            if one.text == "silent"
            else ScorerOutput(special.get(one.text, float(len(one.text))), label="counted")
            for one in inputs
        ]


def item(request: str, text: str | None, prompt: str = "p", language: str = "en") -> ScoringItem:
    error = RequestError(ErrorKind.EXCEPTION, "broke") if text is None else None
    return ScoringItem(Generation(request, "prompt", 0, text, error=error), prompt, language)


def by_request(scorer: Scorer, items: Sequence[ScoringItem], size: int = 4) -> dict[str, Score]:
    scores = [s for batch in score_generations(scorer, items, batch_size=size) for s in batch]
    assert len(scores) == len(items)
    return {score.request_id: score for score in scores}


def test_a_score_carries_value_label_and_the_scorer() -> None:
    score = by_request(LengthScorer(), [item("r1", "four")])["r1"]
    assert score == Score(
        id=content_id({"request": "r1", "scorer": FACTS.digest}),
        request_id="r1",
        scorer="length",
        scorer_digest=FACTS.digest,
        value=4.0,
        label="counted",
    )
    assert score.id == score_id("r1", FACTS.digest)


def test_a_failed_and_an_empty_generation_never_reach_the_scorer() -> None:
    scorer = LengthScorer()
    scores = by_request(scorer, [item("r1", None), item("r2", ""), item("r3", " \n\t ")])
    assert [scores[r].reason for r in ("r1", "r2", "r3")] == ["error", "empty", "empty"]
    assert all(score.value is None for score in scores.values())
    assert scorer.batches == []


def test_what_the_model_cannot_do_is_not_scored_and_is_no_error() -> None:
    error = RequestError(ErrorKind.UNSUPPORTED, "no gap")
    unserved = ScoringItem(Generation("r1", "prompt", 0, None, error=error), "p", "en")
    score = by_request(LengthScorer(), [unserved, item("r2", None)])
    assert (score["r1"].value, score["r1"].reason) == (None, "unsupported")
    assert score["r2"].reason == "error"


def test_a_scorer_may_ask_for_empty_answers() -> None:
    class Asking(LengthScorer):
        scores_empty = True

    assert by_request(Asking(), [item("r1", "")])["r1"].value == 0.0


def test_another_language_is_not_scored() -> None:
    items = [item("r1", "bonjour", language="fr"), item("r2", "hello", language="en-GB")]
    scores = by_request(LengthScorer(), items)
    assert scores["r1"].value is None and scores["r1"].reason == "language"
    assert scores["r2"].value == 5.0


def test_equal_text_and_prompt_are_scored_once() -> None:
    scorer = LengthScorer()
    items = [item("r1", "same"), item("r2", "same"), item("r3", "same", prompt="other")]
    scores = by_request(scorer, items)
    assert sum(len(batch) for batch in scorer.batches) == 2
    assert {score.value for score in scores.values()} == {4.0}
    assert len({score.id for score in scores.values()}) == 3


def test_only_the_continuation_is_scored() -> None:
    scorer = LengthScorer()
    by_request(scorer, [item("r1", "answer", prompt="a long question")])
    assert scorer.batches[0][0].text == "answer"


def test_one_failing_text_costs_one_score() -> None:
    items = [item("r1", "fine"), item("r2", "raise"), item("r3", "good one")]
    scores = by_request(LengthScorer(), items)
    assert scores["r2"].value is None and scores["r2"].reason == "scorer_error"
    assert scores["r1"].value == 4.0 and scores["r3"].value == 8.0


@pytest.mark.parametrize("text", ["nan", "inf", "negative", "x" * 101, "silent"])
def test_impossible_values_are_refused(text: str) -> None:
    score = by_request(LengthScorer(), [item("r1", text)])["r1"]
    assert score.value is None
    assert score.reason == "invalid_score"


def test_a_wrong_number_of_outputs_is_a_failure() -> None:
    class Short(LengthScorer):
        def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
            return [ScorerOutput(1.0)]

    outputs = score_safely(Short(), [ScorerInput("a", "", "en"), ScorerInput("b", "", "en")])
    assert [output.value for output in outputs] == [1.0, 1.0]


def test_a_scorers_own_reason_is_kept() -> None:
    class Declining(LengthScorer):
        def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
            return [ScorerOutput(None, reason="too_long") for _ in inputs]

    assert by_request(Declining(), [item("r1", "text")])["r1"].reason == "too_long"


def test_batches_come_longest_first_and_respect_the_size() -> None:
    scorer = LengthScorer()
    by_request(scorer, [item(f"r{n}", "x" * n) for n in range(1, 8)], size=3)
    assert [[len(one.text) for one in batch] for batch in scorer.batches] == [
        [7, 6, 5],
        [4, 3, 2],
        [1],
    ]


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=30))
def test_every_generation_gets_exactly_one_score(texts: list[str | None]) -> None:
    items = [item(f"r{n}", text) for n, text in enumerate(texts)]
    for score in by_request(LengthScorer(), items).values():
        assert (score.value is None) == (score.reason is not None)
