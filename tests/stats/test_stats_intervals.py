"""Wilson and t intervals, Holm, effect sizes, power: against scipy, statsmodels and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from llmaudit.stats import (
    cliffs_delta,
    cohens_h,
    hedges_g_paired,
    holm,
    minimum_detectable_effect,
    required_clusters,
    two_sided_p,
    two_sided_quantile,
    wasserstein_1,
    wilson_interval,
)


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.0005, 0.4))
def test_wilson_against_statsmodels(trials: int, share: float, alpha: float) -> None:
    successes = round(share * trials)
    expected = proportion_confint(successes, trials, alpha=alpha, method="wilson")
    got = wilson_interval(successes / trials, trials, alpha)
    assert got == pytest.approx(expected, abs=1e-9)


def test_wilson_of_nothing_seen_starts_at_zero_and_has_width() -> None:
    low, high = wilson_interval(0.0, 40, 0.05)
    assert low == 0.0
    assert high == pytest.approx(1.96**2 / (40 + 1.96**2), rel=1e-4)
    assert wilson_interval(1.0, 40, 0.05) == pytest.approx((1 - high, 1.0))
    assert wilson_interval(0.5, 4, 0.0) == (0.0, 1.0)


def test_quantiles_and_p_values_are_each_others_inverse() -> None:
    assert two_sided_quantile(0.05) == pytest.approx(1.959964, abs=1e-6)
    assert two_sided_quantile(0.05, 4) == pytest.approx(2.776445, abs=1e-6)
    assert two_sided_p(two_sided_quantile(0.03, 7), 7) == pytest.approx(0.03)
    assert two_sided_p(-1.959964) == pytest.approx(0.05, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.3))
@settings(max_examples=15, deadline=None)  # statsmodels collects garbage in every call
def test_holm_against_statsmodels_and_each_level_against_its_verdict(
    p_values: list[float], alpha: float
) -> None:
    steps = holm(p_values, alpha)
    rejected, adjusted, _, _ = multipletests(p_values, alpha=alpha, method="holm")
    assert [step.rejected for step in steps] == list(rejected)
    assert [step.adjusted for step in steps] == pytest.approx(list(adjusted))
    for p, step in zip(p_values, steps, strict=True):
        assert step.rejected == (p <= step.level)


def test_holm_levels_by_hand() -> None:
    levels = [step.level for step in holm([0.04, 0.001, 0.012, 0.9], 0.05)]
    assert levels == pytest.approx([0.025, 0.0125, 0.05 / 3, 0.025])
    assert holm([], 0.05) == ()


@given(st.floats(0, 1), st.floats(0, 1))
def test_cohens_h_against_statsmodels(share: float, other: float) -> None:
    assert cohens_h(share, other) == pytest.approx(proportion_effectsize(share, other))


def test_hedges_g_by_hand() -> None:
    values, others = np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 1.0, 2.0, 2.0])
    spread = math.sqrt((14 / 3 + 1 / 3) / 2)
    f = 3
    j = math.gamma(f / 2) / (math.sqrt(f / 2) * math.gamma((f - 1) / 2))
    assert hedges_g_paired(values, others) == pytest.approx(1.5 / spread * j)


def test_hedges_g_without_a_unit_is_none() -> None:
    same = np.full(5, 0.2)
    assert hedges_g_paired(same, same) is None
    assert hedges_g_paired(np.array([1.0, 2.0]), np.array([0.0, 1.0])) is None


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=15),
    st.lists(st.integers(0, 6), min_size=1, max_size=15),
)
def test_cliffs_delta_against_all_comparisons(left: list[int], right: list[int]) -> None:
    signs = [np.sign(a - b) for a in left for b in right]
    got = cliffs_delta(np.array(left, dtype=float), np.array(right, dtype=float))
    assert got == pytest.approx(float(np.mean(signs)))


def test_distances_of_nothing_are_none() -> None:
    empty, some = np.empty(0), np.array([1.0])
    assert cliffs_delta(empty, some) is None
    assert wasserstein_1(some, empty) is None


def test_wasserstein_of_shifted_samples_is_the_shift() -> None:
    values = np.random.default_rng(0).random(30)
    assert wasserstein_1(values + 0.25, values) == pytest.approx(0.25)


def test_minimum_detectable_effect_is_found_with_the_stated_power() -> None:
    effect = minimum_detectable_effect(0.1, 0.05, 0.8)
    assert effect == pytest.approx((1.959964 + 0.841621) * 0.1, abs=1e-6)
    power = scipy_stats.norm.sf(1.959964 - effect / 0.1)
    assert power == pytest.approx(0.8, abs=1e-3)


def test_the_detectable_effect_takes_a_wider_critical_value() -> None:
    wider = minimum_detectable_effect(0.1, 0.05, 0.8, critical=2.5)
    assert wider == pytest.approx((2.5 + 0.841621) * 0.1, abs=1e-6)


@given(st.floats(1e-9, 1), st.floats(1.01, 1e6))
def test_quantiles_and_tails_against_scipy(alpha: float, df: float) -> None:
    assert two_sided_quantile(alpha) == pytest.approx(scipy_stats.norm.isf(alpha / 2), abs=1e-9)
    quantile = two_sided_quantile(alpha, df)
    assert quantile == pytest.approx(scipy_stats.t.isf(alpha / 2, df), rel=1e-6, abs=1e-9)
    assert two_sided_p(quantile, df) == pytest.approx(alpha, rel=1e-6)


def test_nothing_is_beyond_an_infinite_quantile() -> None:
    assert two_sided_quantile(0.0) == two_sided_quantile(0.0, 5) == math.inf
    assert two_sided_p(math.inf, 5) == 0.0


def test_power_with_an_estimated_error_against_the_noncentral_t() -> None:
    for df in (8, 20, 60):
        critical = float(scipy_stats.t.isf(0.025, df))
        effect = minimum_detectable_effect(1.0, 0.05, 0.8, critical, df)
        assert scipy_stats.nct.sf(critical, df, effect) == pytest.approx(0.8, abs=0.025)


def test_required_clusters() -> None:
    assert required_clusters(40, 1.828) == 74
    assert required_clusters(40, 1.0) == 41
    assert required_clusters(10, 100.0) == 1000
    assert required_clusters(10, 100.5) is None
    assert required_clusters(10, math.inf) is None
    assert required_clusters(10, math.nan) is None
