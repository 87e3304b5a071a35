"""The four interval rules: interval and p agree, and nothing is ever falsely tight."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from llmaudit.findings import Distribution
from llmaudit.stats import (
    PartInterval,
    cluster_bootstrap,
    midp_interval,
    midp_p,
    part_intervals,
    satterthwaite_df,
    two_sided_quantile,
    wilson_interval,
)

UNIT = (0.0, 1.0)


def _rate(sums: list[float], size: float) -> Distribution:
    table = np.array(sums)[:, None]
    return cluster_bootstrap(table, np.full_like(table, size), 300, np.random.default_rng(0))


def _one(distribution: Distribution, outcomes: int | None) -> PartInterval:
    (part,) = part_intervals(distribution, proportion=True, bounds=UNIT, outcomes=outcomes)
    return part


def test_single_outcome_clusters_are_wilson_widened_to_the_exact_tails() -> None:
    part = _one(_rate([1.0] * 3 + [0.0] * 37, 1), 40)
    assert part.method == "Wilson score interval, no narrower than mid-P"
    exact = midp_interval(0.075, 40, 0.05)
    assert part.interval(0.05) == pytest.approx((exact[0], 0.198648), abs=1e-5)
    assert exact[0] < wilson_interval(0.075, 40, 0.05)[0] == pytest.approx(0.025836, abs=1e-5)
    score = 2 * scipy_stats.norm.sf((0.075 - 0.05) / math.sqrt(0.05 * 0.95 / 40))
    assert part.p_value(0.05) == pytest.approx(max(score, midp_p(0.075, 40, 0.05)))


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
    needed = math.ceil(40 * part.growth(0.05, 0.05, 0.8))
    assert needed == 73
    assert _one(_rate([0.0] * needed, 1), needed).interval(0.05)[1] < 0.05
    assert _one(_rate([0.0] * (needed - 1), 1), needed - 1).interval(0.05)[1] > 0.05


def test_a_rate_at_an_impossible_bound() -> None:
    part = _one(_rate([0.0] * 40, 1), 40)
    assert part.p_value(0.0) == 1.0
    assert part.growth(0.0, 0.05, 0.8) == math.inf
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
    assert first.growth(0.0, 0.05, 0.8) == math.inf
    needed = math.ceil(20 * first.growth(0.1, 0.05, 0.8))
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
    assert part.growth(0.3, 0.05, 0.8) == math.inf
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


def test_growth_plans_for_power_with_the_quantile_that_the_grown_data_will_have() -> None:
    values = np.random.default_rng(0).normal(size=(4, 1)) / 10
    drawn = cluster_bootstrap(values, np.ones_like(values), 10, np.random.default_rng(0))
    (part,) = part_intervals(drawn, proportion=False, bounds=None)
    bound = part.value + 0.01
    clusters = 4 * part.growth(bound, 0.05, 0.8)
    se = float(drawn.se[0]) * math.sqrt(4 / clusters)
    quantile = scipy_stats.t.isf(0.025, clusters - 1)
    spread = math.sqrt(1 + quantile**2 / (2 * (clusters - 1)))
    assert 0.01 / se == pytest.approx(quantile + scipy_stats.norm.ppf(0.8) * spread, rel=1e-4)
    assert part.growth(bound, 0.05, 0.9) > part.growth(bound, 0.05, 0.8)
    assert part.growth(part.value, 0.05, 0.8) == math.inf
    assert part.growth(part.value + 100, 0.05, 0.8) < 1


def test_the_detectable_effect_is_the_half_width_and_the_reach_of_power() -> None:
    values = np.random.default_rng(0).normal(size=(30, 3))
    drawn = cluster_bootstrap(values, np.ones_like(values), 2000, np.random.default_rng(0))
    part = part_intervals(drawn, proportion=False, bounds=None)[1]
    half = part.interval(0.05)[1] - part.value
    se = float(drawn.se[1])
    reach = scipy_stats.norm.ppf(0.8) * se * math.sqrt(1 + (half / se) ** 2 / (2 * 29))
    assert part.detectable(0.05, 0.8) == pytest.approx(half + reach)
    rate = _one(_rate([1.0] * 10 + [0.0] * 30, 1), 40)
    spread = math.sqrt(0.25 * 0.75 / 40)
    expected = (scipy_stats.norm.isf(0.025) + scipy_stats.norm.ppf(0.8)) * spread
    assert rate.detectable(0.05, 0.8) == pytest.approx(expected)


def test_nothing_is_detectable_without_variation() -> None:
    flat = cluster_bootstrap(np.zeros((9, 1)), np.ones((9, 1)), 10, np.random.default_rng(0))
    (part,) = part_intervals(flat, proportion=False, bounds=(-1.0, 1.0))
    assert part.detectable(0.05, 0.8) == math.inf
    (unknown,) = part_intervals(flat, proportion=False, bounds=None)
    assert unknown.detectable(0.05, 0.8) == math.inf


def test_unequal_clusters_have_fewer_degrees_of_freedom() -> None:
    counts = np.array([[9.0], [1.0], [1.0], [1.0]])
    sums = counts * np.array([[0.1], [0.4], [0.2], [0.3]])
    drawn = cluster_bootstrap(sums, counts, 10, np.random.default_rng(0))
    # By hand: residuals of the cluster means, each pulled by n / (12 - n), as a quadratic form.
    pull, share = counts[:, 0] / (12 - counts[:, 0]), counts[:, 0] / 12
    form = np.diag(pull) @ (np.eye(4) - np.ones((4, 1)) * share)
    roots = np.linalg.svd(form, compute_uv=False) ** 2
    assert drawn.df is not None
    assert drawn.df == pytest.approx([roots.sum() ** 2 / (roots**2).sum()])
    assert satterthwaite_df(np.full((4, 1), 5.0)) == pytest.approx([3.0])
    assert np.isnan(satterthwaite_df(np.array([[2.0], [0.0]]))).all()
    (part,) = part_intervals(drawn, proportion=False, bounds=None)
    assert "df, only 4 clusters" in part.method
    wide = two_sided_quantile(0.05, float(drawn.df[0])) * float(drawn.se[0])
    assert part.interval(0.05)[1] == pytest.approx(part.value + wide)


def test_five_clusters_have_a_bootstrap_that_says_how_few_they_are() -> None:
    values = np.random.default_rng(1).normal(size=(5, 1))
    drawn = cluster_bootstrap(values, np.ones_like(values), 4000, np.random.default_rng(0))
    (part,) = part_intervals(drawn, proportion=False, bounds=None)
    assert "only 5 clusters" in part.method
    low, high = part.interval(0.05)
    student = scipy_stats.ttest_1samp(values[:, 0], 0).confidence_interval(0.95)
    assert math.isfinite(high)
    assert high - low > student.high - student.low
    assert part.interval(0.0005) == (-math.inf, math.inf)
