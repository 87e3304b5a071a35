"""Intervals of sums of independent estimates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.stats import combine_intervals

ESTIMATES = st.lists(
    st.tuples(st.floats(-10, 10), st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=5
)


@given(ESTIMATES)
def test_each_side_adds_as_variances_do(parts: list[tuple[float, float, float]]) -> None:
    low, high = combine_intervals([(value, value - a, value + b) for value, a, b in parts])
    total = sum(value for value, _, _ in parts)
    assert total - low == pytest.approx(math.sqrt(sum(a**2 for _, a, _ in parts)), abs=1e-9)
    assert high - total == pytest.approx(math.sqrt(sum(b**2 for _, _, b in parts)), abs=1e-9)


def test_nothing_is_known_of_a_sum_with_an_unknown_part() -> None:
    assert combine_intervals([(1.0, 0.0, 2.0), (0.5, -math.inf, 0.5)]) == (-math.inf, 2.5)
