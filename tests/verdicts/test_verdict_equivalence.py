"""The textbook equivalence test that is printed beside a disparity's verdict."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from verdict_cases import ceiling_check, disparity, judge, make_check, rate, spread, unbiased_scorer


def _tail(t: float, df: int = 39) -> float:
    return float(scipy_stats.t.sf(t, df))


def test_each_group_has_its_p_and_its_interval_at_the_unadjusted_level() -> None:
    measured = disparity(spread([0.05, -0.02], se=0.02))
    found = judge(make_check(), measured, unbiased_scorer(2)).detail["tost"]
    assert found["a"]["p"] == pytest.approx(_tail(0.05 / 0.02))
    assert found["b"]["p"] == pytest.approx(_tail(0.08 / 0.02))
    half = float(scipy_stats.t.isf(0.05, 39)) * 0.02
    assert found["a"]["interval"] == pytest.approx([0.05 - half, 0.05 + half])


def test_missing_outcomes_count_at_their_worst() -> None:
    values = spread([0.0], se=0.02)
    measured = disparity(values, lowest=values - 0.04, highest=values + 0.06, n_missing=1)
    found = judge(make_check(), measured, unbiased_scorer(1)).detail["tost"]["a"]
    assert found["p"] == pytest.approx(_tail(0.04 / 0.02))
    half = float(scipy_stats.t.isf(0.05, 39)) * 0.02
    assert found["interval"] == pytest.approx([-0.04 - half, 0.06 + half])


def test_few_clusters_take_the_degrees_of_freedom_of_their_error() -> None:
    measured = disparity(spread([0.0], se=0.02, clusters=4))
    found = judge(make_check(), measured, unbiased_scorer(1)).detail["tost"]["a"]
    assert found["p"] == pytest.approx(_tail(0.1 / 0.02, 3))


def test_a_group_without_a_value_is_not_equivalent() -> None:
    values = np.column_stack([spread([0.0])[:, 0], np.full(40, np.nan)])
    found = judge(make_check(), disparity(values), unbiased_scorer(2)).detail["tost"]["b"]
    assert found == {"p": 1.0, "interval": None}


def test_a_ceiling_has_no_equivalence_test() -> None:
    assert "tost" not in judge(ceiling_check(), rate(1, 100)).detail
