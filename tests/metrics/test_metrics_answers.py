"""Shares of answers, insecure code, decisions and other scales: numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from metric_rows import Value, extremes, make_prompt, make_samples, observed, run_metric

from llmaudit.errors import ScorerError
from llmaudit.records import ScoredSample


def rows_of(*values: Value, scorer: str = "x") -> list[ScoredSample]:
    """Return one template with one sample per value."""
    return make_samples(make_prompt("t"), values, scorer)


@pytest.mark.parametrize(
    ("metric", "values", "value", "low", "high"),
    [
        ("pii_leak_rate", [(1.0, "email"), (0.0, "none"), (0.0, "a"), "error"], 1 / 3, 1 / 4, 0.5),
        ("truth_rate", [(1.0, "true"), (0.0, "not_true"), "unparseable"], 0.5, 1 / 3, 2 / 3),
        ("language_match", [(1.0, "en"), (0.0, "fr"), (1.0, "en"), "too_short"], 2 / 3, 0.5, 0.75),
        ("degenerate_share", [(1.0, "echo"), (0.0, "ok"), (0.0, "b"), "error"], 1 / 3, 1 / 4, 0.5),
        ("negative_sentiment", [(0.1, "negative"), (0.5, "positive"), "x"], 0.5, 1 / 3, 2 / 3),
    ],
)  # fmt: skip
def test_shares_of_answers(
    metric: str, values: list[Value], value: float, low: float, high: float
) -> None:
    measured = run_metric(metric, rows_of(*values))
    assert observed(measured) == pytest.approx([value])
    lows, highs = extremes(measured)
    assert lows == pytest.approx([low])
    assert highs == pytest.approx([high])
    assert sum(measured.detail["counts"].values()) == measured.n
    assert measured.n_missing == 1


@pytest.mark.parametrize("metric", ["pii_leak_rate", "truth_rate", "insecure_code"])
def test_nothing_scored_is_undefined(metric: str) -> None:
    measured = run_metric(metric, rows_of("error", "no_code"))
    assert measured.observed is None
    assert measured.reason


def test_insecure_code_counts_code_answers_only() -> None:
    values: list[Value] = [
        (1.0, "high"), (1.0, "low"), (0.0, "none"), (0.0, "none"),
        "no_code", "no_code", "code_language", "unparseable",
    ]  # fmt: skip
    measured = run_metric("insecure_code", rows_of(*values))
    assert observed(measured) == [0.5]
    lows, highs = extremes(measured)
    assert lows + highs == pytest.approx([2 / 5, 3 / 5])
    assert (measured.n, measured.n_missing) == (4, 1)
    assert measured.missing_reasons == {"unparseable": 1}
    assert measured.detail["answers_without_code"] == {"code_language": 1, "no_code": 2}
    assert measured.detail["counts"] == {"high": 1, "low": 1, "none": 2}
    assert measured.detail["shares"] == {"low": 0.25, "medium": 0.0, "high": 0.25}


def test_insecure_code_without_gaps_has_no_extremes() -> None:
    measured = run_metric("insecure_code", rows_of((1.0, "high"), "no_code"))
    assert observed(measured) == [1.0]
    assert measured.lowest is None
    assert measured.units is not None and len(measured.units.ids) == 1


YES, NO, OTHER = (1.0, "yes"), (0.0, "no"), (0.5, "other")


def decisions(**by_group: list[Value]) -> list[ScoredSample]:
    return [
        row
        for group, values in by_group.items()
        for row in make_samples(make_prompt("t", group), values, "decision")
    ]


def test_hedging_is_no_favourable_decision() -> None:
    rows = decisions(a=[YES, YES, YES, NO], b=[YES, OTHER, OTHER, OTHER])
    measured = run_metric("decision_disparity", rows, axis="gender")
    assert measured.parts == ("a", "b")
    assert observed(measured) == [0.5, -0.5]
    assert measured.detail["groups"]["b"]["answers"] == {
        "yes": 1, "other": 3, "no": 0, "missing": 0,
    }  # fmt: skip
    assert measured.detail["smallest_to_largest"] == pytest.approx(1 / 3)
    assert measured.detail["four_fifths_rule"] is False


def test_missing_decisions_bound_the_difference_and_no_can_be_favourable() -> None:
    prompts = {
        group: replace(make_prompt("t", group), tags={"favourable": "no"}) for group in ("a", "b")
    }
    rows = [
        *make_samples(prompts["a"], [NO, "error"], "decision"),
        *make_samples(prompts["b"], [YES, YES], "decision"),
    ]
    measured = run_metric("decision_disparity", rows, axis="gender")
    assert observed(measured) == [1.0, -1.0]
    lows, highs = extremes(measured)
    assert (lows, highs) == ([0.5, -1.0], [1.0, -0.5])
    assert measured.detail["smallest_to_largest"] == 0.0


def test_decisions_without_any_favourable_one_have_no_ratio() -> None:
    measured = run_metric("decision_disparity", decisions(a=[NO], b=[NO]), axis="gender")
    assert measured.detail["four_fifths_rule"] is None
    undefined = run_metric("decision_disparity", decisions(a=[NO]), axis="gender")
    assert undefined.reason == "1 groups named; a disparity needs two"


def test_a_decision_is_one_of_three_values() -> None:
    with pytest.raises(ScorerError, match="must be 1"):
        run_metric("decision_disparity", decisions(a=[0.3], b=[YES]), axis="gender")


def scaled(rows: list[ScoredSample], scale: tuple[float, float]) -> list[ScoredSample]:
    return [replace(row, scale=scale) for row in rows]


def test_sentiment_is_bounded_by_its_own_scale() -> None:
    rows = scaled(decisions(a=[-0.5, "error"], b=[0.25, 0.75]), (-1.0, 1.0))
    measured = run_metric("score_disparity", rows, axis="gender")
    assert observed(measured) == [-1.0, 1.0]
    lows, highs = extremes(measured)
    assert (lows, highs) == ([-1.25, 0.25], [-0.25, 1.25])
    assert measured.detail["range"] == [-2.0, 2.0]
    with pytest.raises(ScorerError, match=r"values in \[-1, 1\]"):
        run_metric(
            "score_disparity", scaled(decisions(a=[2.0], b=[0.0]), (-1.0, 1.0)), axis="gender"
        )


def test_lengths_are_bounded_by_what_was_observed() -> None:
    rows = scaled(decisions(a=[10.0, "error"], b=[30.0, 50.0]), (-math.inf, math.inf))
    measured = run_metric("score_disparity", rows, axis="gender")
    assert observed(measured) == [-30.0, 30.0]
    lows, highs = extremes(measured)
    assert (lows, highs) == ([-30.0, 10.0], [-10.0, 30.0])
    assert measured.detail["observed_range"] == [-40.0, 40.0]
    assert "range" not in measured.detail
    assert "smallest and largest observed" in measured.method


def test_negative_regard_is_counted_and_who_is_not_mentioned_stays() -> None:
    def answers(group: str, *given: Value) -> list[ScoredSample]:
        rows = make_samples(make_prompt("t", group), list(given), "regard")
        return [replace(row, scale=(-1.0, 1.0)) for row in rows]

    bad, good, none = (-0.9, "negative"), (0.8, "positive"), (0.0, "unmentioned")
    rows = [*answers("a", bad, bad, none, good), *answers("b", bad, none, none, "error")]
    measured = run_metric("regard_disparity", rows, axis="gender")
    assert observed(measured) == [pytest.approx(2 / 4 - 1 / 3), pytest.approx(1 / 3 - 2 / 4)]
    lows, highs = extremes(measured)
    assert (lows[0], highs[0]) == (2 / 4 - 2 / 4, 2 / 4 - 1 / 4)
    assert measured.detail["groups"]["b"]["labels"] == {
        "negative": 1, "neutral": 0, "positive": 0, "unmentioned": 2, "missing": 1,
    }  # fmt: skip
    alone = run_metric("regard_disparity", answers("a", bad), axis="gender")
    assert alone.reason == "1 groups named; a disparity needs two"
