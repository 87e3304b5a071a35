"""The four interval rules: interval and p agree, and nothing is ever falsely tight."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from llmaudit.findings import Distribution
from llmaudit.stats import PartInterval, cluster_bootstrap, part_intervals

UNIT = (0.0, 1.0)


def _rate(sums: list[float], size: float) -> Distribution:
    table = np.array(sums)[:, None]
    return cluster_bootstrap(table, np.full_like(table, size), 300, np.random.default_rng(0))


def _one(distribution: Distribution, outcomes: int | None) -> PartInterval:
    (part,) = part_intervals(distribution, proportion=True, bounds=UNIT, outcomes=outcomes)
    return part


def test_single_outcome_clusters_are_plain_wilson() -> None:
    part = _one(_rate([1.0] * 3 + [0.0] * 37, 1), 40)
    assert part.method == "Wilson score interval"
    assert part.interval(0.05) == pytest.approx((0.025836, 0.198648), abs=1e-5)
    p = 2 * scipy_stats.norm.sf((0.075 - 0.05) / math.sqrt(0.05 * 0.95 / 40))
    assert part.p_value(0.05) == pytest.approx(p)


def test_no_events_in_clusters_of_five_count_as_one_outcome_per_cluster() -> None:
    low, high = _one(_rate([0.0] * 20, 5), 100).interval(0.05)
    z2 = float(scipy_stats.norm.isf(0.025)) ** 2
    assert (low, high) == pytest.approx((0.0, z2 / (20 + z2)))
    assert high > 3 / 100


def test_correlated_outcomes_count_less_than_independent_ones() -> None:
    together = _one(_rate([5.0, 5.0] + [0.0] * 18, 5), 100).interval(0.05)
    apart = _one(_rate([1.0] * 10 + [0.0] * 10, 5), 100).interval(0.05)
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])


def test_effective_outcomes_never_exceed_the_outcomes() -> None:
    part = _one(_rate([1.0] * 20, 2), 40)
    assert f"{40 * 21 / 22:.1f} effective outcomes" in part.method
    low, high = part.interval(0.05)
    assert high - low > 0.28


def test_the_design_effect_is_shrunk_towards_complete_correlation() -> None:
    distribution = _rate([1.0, 1.0] + [0.0] * 28, 5)
    part = _one(distribution, 150)
    independent = (2 / 150) * (148 / 150) / 150
    estimated = max(1.0, float(distribution.se[0]) ** 2 / independent)
    assert f"{150 / ((2 * estimated + 5) / 3):.1f} effective outcomes" in part.method
    assert part.interval(0.05)[1] > 0.06


def test_a_proportion_whose_number_of_outcomes_is_unknown_counts_its_clusters() -> None:
    assert "effective outcomes" in _one(_rate([4.0] + [0.0] * 19, 5), None).method


def test_growth_of_a_rate_says_how_many_prompts_settle_it() -> None:
    part = _one(_rate([0.0] * 40, 1), 40)
    assert part.interval(0.05)[1] > 0.05
    needed = math.ceil(40 * part.growth(0.05, 0.05))
    assert needed == 73
    assert _one(_rate([0.0] * needed, 1), needed).interval(0.05)[1] < 0.05
    assert _one(_rate([0.0] * (needed - 1), 1), needed - 1).interval(0.05)[1] > 0.05


def test_a_rate_at_an_impossible_bound() -> None:
    part = _one(_rate([0.0] * 40, 1), 40)
    assert part.p_value(0.0) == 1.0
    assert part.growth(0.0, 0.05) == math.inf
    assert part.p_value(1.0) == 0.0


def test_equal_scores_everywhere_do_not_give_a_zero_width_interval() -> None:
    table = np.zeros((20, 2))
    drawn = cluster_bootstrap(table, np.ones_like(table), 200, np.random.default_rng(0))
    first, _ = part_intervals(drawn, proportion=False, bounds=(-1.0, 1.0))
    hidden = 1 - 0.025 ** (1 / 20)
    assert first.interval(0.05) == pytest.approx((-hidden, hidden))
    assert first.p_value(0.3) == pytest.approx(2 * 0.7**20)
    assert first.p_value(0.0) == 1.0
    assert first.p_value(1.5) == 0.0
    assert first.growth(0.0, 0.05) == math.inf
    needed = math.ceil(20 * first.growth(0.1, 0.05))
    assert 1 - 0.025 ** (1 / needed) < 0.1 < 1 - 0.025 ** (1 / (needed - 1))


def test_no_variation_and_no_known_range_gives_no_interval() -> None:
    table = np.full((20, 1), 0.7)
    drawn = cluster_bootstrap(table, np.ones_like(table), 200, np.random.default_rng(0))
    for bounds in (None, (0.0, 0.0)):
        (part,) = part_intervals(drawn, proportion=False, bounds=bounds)
        assert part.interval(0.05) == (-math.inf, math.inf)
        assert "no outcome varies" in part.method


def test_flat_and_moving_parts_share_alpha() -> None:
    values = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 0.0]
    drawn = cluster_bootstrap(values, np.ones_like(values), 2000, np.random.default_rng(0))
    alone = cluster_bootstrap(values[:, :1], np.ones((30, 1)), 2000, np.random.default_rng(0))
    moving, flat = part_intervals(drawn, proportion=False, bounds=(-1.0, 1.0))
    (single,) = part_intervals(alone, proportion=False, bounds=(-1.0, 1.0))
    assert moving.interval(0.1) == pytest.approx(single.interval(0.05))
    assert moving.p_value(0.5) == pytest.approx(min(1.0, 2 * single.p_value(0.5)))
    assert flat.interval(0.1)[1] == pytest.approx(1 - 0.05 ** (1 / 30))


def test_two_varying_clusters_of_forty_are_too_few_for_an_interval() -> None:
    table = np.zeros((40, 1))
    table[:2] = 0.5
    drawn = cluster_bootstrap(table, np.ones_like(table), 1000, np.random.default_rng(0))
    (part,) = part_intervals(drawn, proportion=False, bounds=UNIT)
    assert part.interval(0.05) == (-math.inf, math.inf)
    assert part.growth(0.3, 0.05) == math.inf
    assert part.p_value(0.3) > 0.05


def test_a_single_cluster_has_no_interval() -> None:
    drawn = cluster_bootstrap(np.array([[3.0]]), np.array([[4.0]]), 100, np.random.default_rng(0))
    (part,) = part_intervals(drawn, proportion=True, bounds=UNIT, outcomes=4)
    assert part.value == 0.75
    assert part.interval(0.05) == (-math.inf, math.inf)


@given(
    clusters=st.integers(2, 25),
    kind=st.sampled_from(["normal", "discrete", "flat", "binary"]),
    seed=st.integers(0, 10_000),
    alpha=st.floats(0.002, 0.4),
    bound=st.floats(-0.9, 0.9),
)
@settings(max_examples=150, deadline=None)
def test_an_interval_excludes_a_bound_exactly_when_its_p_is_at_most_alpha(
    clusters: int, kind: str, seed: int, alpha: float, bound: float
) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "normal": rng.normal(size=(clusters, 3)) / 3,
        "discrete": rng.integers(-2, 3, size=(clusters, 3)) / 4,
        "flat": np.full((clusters, 3), 0.25),
        "binary": rng.integers(0, 2, size=(clusters, 1)).astype(float),
    }[kind]
    drawn = cluster_bootstrap(made, np.ones_like(made), 150, rng)
    parts = part_intervals(
        drawn, proportion=kind == "binary", bounds=(-1.0, 1.0), outcomes=clusters
    )
    for part in parts:
        low, high = part.interval(alpha)
        p = part.p_value(bound)
        if abs(p - alpha) > 1e-9:
            assert (bound < low or bound > high) == (p <= alpha)
        assert low <= part.value <= high
