"""Exact tails of a rate, correction for a scorer's errors, worst cases, and false discoveries."""

from __future__ import annotations

import fairlearn.metrics as fairlearn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from llmaudit.stats import (
    Validated,
    WilsonPart,
    cluster_bootstrap,
    corrected_rate,
    false_discovery_rates,
    midp_interval,
    midp_p,
    part_intervals,
    rogan_gladen,
    worst_case_contrasts,
    worst_case_values,
)


@given(st.integers(1, 60), st.floats(0, 1), st.floats(0.01, 0.99))
def test_midp_against_binomial_tails(trials: int, share: float, bound: float) -> None:
    hits = round(share * trials)
    law = scipy_stats.binom(trials, bound)
    above = law.sf(hits) + law.pmf(hits) / 2
    expected = min(1.0, 2 * min(above, 1 - above))
    assert midp_p(hits / trials, trials, bound) == pytest.approx(expected, abs=1e-9)


@given(st.floats(0, 1), st.floats(2, 300), st.floats(0.001, 0.4), st.floats(0.01, 0.99))
def test_the_midp_interval_inverts_its_test(
    share: float, trials: float, alpha: float, bound: float
) -> None:
    low, high = midp_interval(share, trials, alpha)
    p = midp_p(share, trials, bound)
    if abs(p - alpha) > 1e-6:
        assert (bound < low or bound > high) == (p <= alpha)


def test_midp_at_the_ends() -> None:
    assert midp_p(0.0, 20, 0.0) == 1.0
    assert midp_p(0.2, 20, 0.0) == 0.0
    assert midp_interval(0.0, 20, 0.05) == pytest.approx((0.0, 1 - 0.05 ** (1 / 20)))
    assert midp_interval(1.0, 20, 0.05) == pytest.approx((0.05 ** (1 / 20), 1.0))


@pytest.mark.parametrize("trials", [12, 20, 60])
def test_at_small_levels_a_rate_errs_hardly_more_often_than_it_says(trials: int) -> None:
    alpha = 0.05 / 8
    ends = [
        WilsonPart(hits / trials, trials, None, 1.0, "").interval(alpha)
        for hits in range(trials + 1)
    ]
    low, high = np.array(ends).T
    rates = np.linspace(0.01, 0.99, 99)[:, None]
    chance = scipy_stats.binom.pmf(np.arange(trials + 1), trials, rates)
    worst = np.where((low > rates) | (high < rates), chance, 0.0).sum(axis=1).max()
    assert worst < 1.3 * alpha


def test_rogan_gladen_by_hand_and_where_it_is_undefined() -> None:
    assert rogan_gladen(0.14, 0.8, 0.9) == pytest.approx(0.04 / 0.7)
    assert rogan_gladen(0.05, 0.8, 0.9) == 0.0
    assert rogan_gladen(0.95, 0.8, 0.9) == 1.0
    assert rogan_gladen(0.3, 0.4, 0.6) is None
    assert rogan_gladen(0.3, 0.2, 0.6) is None


@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_rogan_gladen_undoes_what_errors_do(rate: float, se: float, sp: float) -> None:
    shown = rate * se + (1 - rate) * (1 - sp)
    assert rogan_gladen(shown, se, sp) == pytest.approx(rate, abs=1e-9)


def _corrected(share: float, validated: Validated, trials: float = 400.0) -> tuple[object, ...]:
    rng = np.random.default_rng(0)
    made = corrected_rate(share, trials, validated, alpha=0.05, draws=40_000, rng=rng)
    return made.value, made.low, made.high, made.reason


def test_the_uncertainty_of_the_scorer_widens_the_interval() -> None:
    exact = Validated(80_000, 100_000, 90_000, 100_000)
    value, low, high, reason = _corrected(0.3, exact)
    assert reason is None
    assert value == pytest.approx(0.2 / 0.7)
    # Sensitivity and specificity known, only the share is uncertain: its error over their sum - 1.
    se = np.sqrt(0.3 * 0.7 / 400) / 0.7
    assert (low, high) == pytest.approx((0.2 / 0.7 - 1.96 * se, 0.2 / 0.7 + 1.96 * se), abs=0.004)
    rough = _corrected(0.3, Validated(80, 100, 90, 100))
    # The delta method: the three variances, each times its squared derivative.
    p, slope = 0.2 / 0.7, 1 / 0.7
    spread = slope * np.sqrt(0.21 / 400 + p**2 * 0.16 / 100 + (1 - p) ** 2 * 0.09 / 100)
    assert rough[2] - rough[1] == pytest.approx(2 * 1.96 * spread, rel=0.06)  # type: ignore[operator]


def test_a_correction_that_means_nothing_is_undefined() -> None:
    assert _corrected(0.3, Validated(40, 100, 60, 100))[0] is None
    value, low, _, reason = _corrected(0.3, Validated(6, 10, 6, 10))
    assert value is not None
    assert low is None
    assert reason is not None and "too few labelled texts" in reason  # type: ignore[operator]
    missed = _corrected(0.01, Validated(600, 1000, 800, 1000))
    assert missed[:3] == (None, None, None)
    assert "unlike what was scored" in str(missed[3])


def test_false_discovery_rates_against_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        p = rng.random(size) ** 2
        expected = multipletests(p, method="fdr_bh")[1]
        assert false_discovery_rates(list(p)) == pytest.approx(tuple(expected))
    assert false_discovery_rates([]) == ()


@given(
    st.lists(st.sampled_from([0.0, 1.0, None]), min_size=2, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_no_missing_outcome_can_move_a_rate_beyond_its_worst_cases(
    given_values: list[float | None], truth: list[bool]
) -> None:
    values = np.array([np.nan if value is None else value for value in given_values])
    lowest, highest = worst_case_values(values, 0.0, 1.0)
    real = np.where(np.isnan(values), np.array(truth[: len(values)], dtype=float), values)
    assert lowest.mean() <= real.mean() <= highest.mean()


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_no_missing_outcome_can_move_a_difference_beyond_its_worst_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real = rng.random((12, 3))
    values = np.where(rng.random((12, 3)) < 0.3, np.nan, real)
    low, high = worst_case_contrasts(*worst_case_values(values, 0.0, 1.0))
    least, most = worst_case_contrasts(real, real)
    assert (low <= least + 1e-12).all()
    assert (most <= high + 1e-12).all()


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_group_rates_and_their_differences_against_fairlearn(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    shown = rng.integers(0, 2, size=(40, groups)).astype(float)
    made = cluster_bootstrap(shown, np.ones_like(shown), 5, rng)
    members = np.tile(np.arange(groups), 40)
    frame = fairlearn.MetricFrame(
        metrics=fairlearn.selection_rate, y_true=shown.ravel(), y_pred=shown.ravel(),
        sensitive_features=members,
    )  # fmt: skip
    assert made.value == pytest.approx(frame.by_group.to_numpy().astype(float))
    parity = fairlearn.demographic_parity_difference(
        shown.ravel(), shown.ravel(), sensitive_features=members
    )
    assert float(np.ptp(made.value)) == pytest.approx(parity)
    ratio = fairlearn.demographic_parity_ratio(
        shown.ravel(), shown.ravel(), sensitive_features=members
    )
    assert made.value.min() / made.value.max() == pytest.approx(ratio)
    assert len(part_intervals(made, proportion=True, bounds=(0, 1), outcomes=40)) == groups
