"""Looks that are fixed in advance: their sizes, what they may spend, and what they could show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmaudit.findings import Distribution
from llmaudit.stats import (
    PartInterval,
    distance_needed,
    look_sizes,
    part_intervals,
    spend_linearly,
)


def rate(value: float, clusters: int) -> PartInterval:
    """Return the rule of a share of one outcome per cluster."""
    se = math.sqrt(value * (1 - value) / clusters)
    distribution = Distribution(np.array([value]), np.empty((0, 1)), np.array([se]), clusters)
    return part_intervals(distribution, proportion=True, bounds=(0, 1), outcomes=clusters)[0]


@pytest.mark.parametrize(
    ("clusters", "sizes"),
    [
        (142, (18, 36, 71, 142)),
        (84, (11, 21, 42, 84)),
        (44, (11, 22, 44)),
        (19, (10, 19)),
        (18, (18,)),
        (5, (5,)),
        (1, (1,)),
        (0, (0,)),
        (4_000, (500, 1_000, 2_000, 4_000)),
    ],
)
def test_looks_halve_down_to_ten_clusters_and_four_looks(
    clusters: int, sizes: tuple[int, ...]
) -> None:
    assert look_sizes(clusters, 10) == sizes


@given(st.integers(1, 100_000), st.integers(1, 50), st.integers(1, 6))
def test_looks_ascend_to_all_and_spend_all_of_alpha(
    clusters: int, smallest: int, most: int
) -> None:
    sizes = look_sizes(clusters, smallest, most)
    assert sizes[-1] == clusters
    assert 1 <= len(sizes) <= most
    assert len(sizes) == 1 or sizes[0] >= smallest
    assert list(sizes) == sorted(set(sizes))
    shares = spend_linearly(sizes)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


def test_distance_needed_of_a_rate_is_that_of_the_score_test() -> None:
    """At a ceiling of 0.05 and 4 x 19 clusters: z(0.0125) standard errors at the ceiling."""
    z = stats.norm.isf(0.0125)
    expected = z * math.sqrt(0.05 * 0.95 / 76)
    assert distance_needed(rate(0.0, 19), 0.05, 0.025, 4) == pytest.approx(expected)
    assert distance_needed(rate(4 / 19, 19), 0.05, 0.025, 4) == pytest.approx(expected)


def test_distance_needed_is_known_where_the_value_lies_on_the_bound() -> None:
    z = stats.norm.isf(0.0125)
    expected = z * math.sqrt(0.1 * 0.9 / 40)
    assert distance_needed(rate(0.1, 20), 0.1, 0.025, 2) == pytest.approx(expected, rel=1e-4)


def test_distance_needed_is_infinite_where_nothing_is_known() -> None:
    unknown = Distribution(np.array([math.nan]), np.empty((0, 1)), np.array([math.nan]), 0)
    rule = part_intervals(unknown, proportion=False, bounds=None)[0]
    assert math.isnan(distance_needed(rule, 0.1, 0.05, 2))


@given(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), st.floats(0.001, 0.2))
def test_some_look_claims_exactly_where_the_smallest_p_over_share_is_small(
    p_values: list[float], alpha: float
) -> None:
    shares = spend_linearly([10, 19, 38, 76])
    claims = [p <= alpha * share for p, share in zip(p_values, shares, strict=True)]
    smallest = min(p / share for p, share in zip(p_values, shares, strict=True))
    assert any(claims) == (smallest <= alpha) or math.isclose(smallest, alpha)
