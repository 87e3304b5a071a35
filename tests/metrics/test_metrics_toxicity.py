"""Toxicity metrics on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from metric_rows import extremes, make_prompt, make_samples, observed, run_metric

from llmaudit.errors import ScorerError
from llmaudit.records import ScoredSample


def _rows(table: list[list[float | str]]) -> list[ScoredSample]:
    rows = []
    for index, values in enumerate(table):
        rows += make_samples(make_prompt(f"t{index}"), values)
    return rows


COMPLETE: list[list[float | str]] = [[0.1, 0.9], [0.2, 0.3], [0.5, 0.0], [0.1, 0.1]]
GAPS: list[list[float | str]] = [[0.1, "error"], [0.7, "empty"], ["error", "error"], [0.2, 0.3]]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("expected_max_toxicity", (0.9 + 0.3 + 0.5 + 0.1) / 4),
        ("toxicity_probability", 2 / 4),
        ("toxic_fraction", 2 / 8),
    ],
)
def test_values_by_hand(metric: str, value: float) -> None:
    measured = run_metric(metric, _rows(COMPLETE))
    assert observed(measured) == pytest.approx([value])
    assert measured.parts == ("all",)
    assert (measured.n, measured.n_missing) == (8, 0)
    assert measured.lowest is None
    assert measured.highest is None
    assert measured.detail["k"] == 2
    assert "k = 2" in measured.method
    assert "Only 4 clusters" in measured.method


@pytest.mark.parametrize(
    ("metric", "value", "lowest", "highest"),
    [
        ("expected_max_toxicity", (0.1 + 0.7 + 0.3) / 3, (0.1 + 0.7 + 0 + 0.3) / 4, 3.3 / 4),
        ("toxicity_probability", 1 / 3, 1 / 4, 3 / 4),
        ("toxic_fraction", 1 / 4, 1 / 8, 5 / 8),
    ],
)
def test_missing_samples_are_counted_and_bounded_and_never_zero(
    metric: str, value: float, lowest: float, highest: float
) -> None:
    measured = run_metric(metric, _rows(GAPS))
    assert observed(measured) == pytest.approx([value])
    low, high = extremes(measured)
    assert low == pytest.approx([lowest])
    assert high == pytest.approx([highest])
    assert (measured.n, measured.n_missing) == (4, 4)
    assert dict(measured.missing_reasons) == {"empty": 1, "error": 3}


@pytest.mark.parametrize(
    "metric", ["expected_max_toxicity", "toxicity_probability", "toxic_fraction"]
)
def test_an_error_everywhere_is_undefined_and_not_non_toxic(metric: str) -> None:
    measured = run_metric(metric, _rows([["error", "error"], ["error", "error"]]))
    assert measured.observed is None
    assert measured.reason == "no generation has a toxicity score"
    assert (measured.n, measured.n_missing) == (0, 4)


def test_no_rows_at_all_are_undefined() -> None:
    measured = run_metric("toxic_fraction", [])
    assert measured.observed is None
    assert measured.reason


def test_one_sample_is_not_called_an_expected_maximum() -> None:
    measured = run_metric("expected_max_toxicity", _rows([[0.4], [0.2]]))
    assert measured.observed is None
    assert "no expected maximum" in str(measured.reason)


def test_a_prompt_with_fewer_records_than_the_others_misses_them() -> None:
    measured = run_metric("toxic_fraction", _rows([[0.1, 0.2, 0.3], [0.9]]))
    assert dict(measured.missing_reasons) == {"absent": 2}
    assert observed(measured) == pytest.approx([1 / 4])
    low, high = extremes(measured)
    assert low == pytest.approx([1 / 6])
    assert high == pytest.approx([3 / 6])


def test_a_nan_score_is_missing() -> None:
    measured = run_metric("toxic_fraction", _rows([[0.1, float("nan")], [0.9, 0.1]]))
    assert dict(measured.missing_reasons) == {"not finite": 1}
    assert observed(measured) == pytest.approx([1 / 3])


def test_a_score_outside_its_range_is_refused() -> None:
    with pytest.raises(ScorerError, match=r"1\.5.*\[0, 1\]"):
        run_metric("toxic_fraction", _rows([[1.5]]))


def test_the_cluster_is_the_template_not_the_generation() -> None:
    rng = np.random.default_rng(0)
    rows: list[ScoredSample] = []
    for template in range(12):
        level = float(rng.random())
        for slot in range(5):
            prompt = make_prompt(f"t{template}", slot=str(slot))
            rows += make_samples(prompt, [level, level])
    measured = run_metric("expected_max_toxicity", rows)
    assert measured.observed is not None
    assert measured.observed.clusters == 12
    levels = [row.score.value for row in rows[::10]]
    expected = np.std(np.array(levels, dtype=float), ddof=1) / np.sqrt(12)
    assert measured.observed.se[0] == pytest.approx(expected)


def test_a_score_of_exactly_one_half_is_toxic() -> None:
    assert observed(run_metric("toxic_fraction", _rows([[0.5], [0.4999]]))) == [0.5]


def test_scores_of_two_scorers_are_never_mixed() -> None:
    prompt = make_prompt("t0")
    rows = make_samples(prompt, [0.9], "detoxify") + make_samples(prompt, [0.1], "embedded")
    with pytest.raises(ValueError, match="detoxify, embedded"):
        run_metric("toxic_fraction", rows)
    assert observed(run_metric("toxic_fraction", rows, scorer="detoxify")) == [1.0]
    assert observed(run_metric("toxic_fraction", rows, scorer="embedded")) == [0.0]
