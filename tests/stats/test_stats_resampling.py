"""Percentile and BCa intervals, effect sizes in every resample, permutation, equivalence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import ttost_paired

from llmaudit.stats import (
    bca_interval,
    cliffs_delta,
    effect_sizes,
    equivalence_interval,
    equivalence_p,
    expanded_alpha,
    hedges_g_paired,
    percentile_interval,
    sign_flip_p,
    wasserstein_1,
)

Array = NDArray[np.float64]


def _skewed(size: int, seed: int) -> Array:
    return np.random.default_rng(seed).exponential(size=size)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
@pytest.mark.parametrize("seed", range(4))
def test_intervals_of_a_ratio_over_clusters_against_scipy(method: str, seed: int) -> None:
    sums, counts = _skewed(25, seed), _skewed(25, seed + 100) + 1

    def ratio(s: Array, c: Array, axis: int = -1) -> Array:
        return np.asarray(s.sum(axis=axis) / c.sum(axis=axis))

    drawn = scipy_stats.bootstrap(
        (sums, counts), ratio, paired=True, vectorized=True, method=method, n_resamples=2000,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    replicates = np.asarray(drawn.bootstrap_distribution)
    found = percentile_interval(replicates, 0.05)
    if method == "BCa":
        without = (sums.sum() - sums) / (counts.sum() - counts)
        found = bca_interval(float(ratio(sums, counts)), replicates, without, 0.05)
    assert found == pytest.approx(
        (drawn.confidence_interval.low, drawn.confidence_interval.high), rel=1e-6
    )


def test_no_interval_where_resamples_say_nothing() -> None:
    assert percentile_interval(np.full(100, 0.3), 0.05) is None
    assert percentile_interval(np.full(100, np.nan), 0.05) is None
    assert percentile_interval(np.array([np.nan] * 6 + [*range(94)]), 0.05) is None
    assert percentile_interval(np.array([np.nan] * 4 + [*range(96)]), 0.05) is not None
    jackknife = np.arange(5.0)
    assert bca_interval(-1.0, np.arange(100.0), jackknife, 0.05) is None
    assert bca_interval(0.0, np.full(100, np.nan), jackknife, 0.05) is None


def test_bca_without_bias_and_skew_is_the_percentile_interval() -> None:
    replicates = np.arange(-50.0, 51.0)
    found = bca_interval(0.0, replicates, np.array([1.0, 1.0]), 0.1)
    assert found == pytest.approx(percentile_interval(replicates, 0.1))


def _draw(clusters: int, seed: int) -> tuple[Array, Array, NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    index = np.repeat(np.arange(clusters), rng.integers(1, 4, size=clusters))
    own = rng.integers(0, 6, size=len(index)) / 5
    siblings = rng.integers(0, 6, size=(len(index), 2)) / 5
    own[::9] = np.nan
    siblings[::7, 0] = np.nan
    return own, siblings, index


class _Recorded(np.random.Generator):
    """A generator that draws the clusters it is told to."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        super().__init__(np.random.PCG64(0))
        self._rows = rows

    def integers(self, *_args: object, **_options: object) -> NDArray[np.int64]:  # type: ignore[override]
        return self._rows.copy()


@pytest.mark.parametrize("seed", range(3))
def test_effects_of_resamples_are_those_of_the_repeated_data(seed: int) -> None:
    own, siblings, index = _draw(8, seed)
    rows = np.random.default_rng(seed).integers(0, 8, size=(400, 8))
    found = effect_sizes(own, siblings, index, 8, alpha=0.1, resamples=400, rng=_Recorded(rows))

    def by_hand(members: NDArray[np.int64]) -> tuple[float, float, list[float]]:
        taken = np.concatenate([np.flatnonzero(index == one) for one in members])
        mine, theirs = own[taken], siblings[taken]
        known, pooled = ~np.isnan(mine), ~np.isnan(theirs)
        both = known & pooled.any(axis=1)
        g = hedges_g_paired(mine[both], np.nanmean(theirs[both], axis=1))
        delta = cliffs_delta(mine[known], theirs[pooled])
        points = np.linspace(0, 1, 6)
        gap = [
            float(np.mean(mine[known] <= point) - np.mean(theirs[pooled] <= point))
            for point in points
        ]
        return np.nan if g is None else g, np.nan if delta is None else delta, gap

    paired = ~np.isnan(own) & ~np.isnan(siblings).all(axis=1)
    level = expanded_alpha(0.1, len(np.unique(index[paired])))
    g, delta, gap = by_hand(np.arange(8))
    replicates = [by_hand(row) for row in rows]
    jackknife = [by_hand(np.delete(np.arange(8), one)) for one in range(8)]
    for name, value, place in (("hedges_g", g, 0), ("cliffs_delta", delta, 1)):
        expected = bca_interval(
            value,
            np.array([one[place] for one in replicates]),
            np.array([one[place] for one in jackknife]),
            level,
        )
        effect = getattr(found, name)
        assert effect.value == pytest.approx(value)
        assert effect.interval == pytest.approx(expected, abs=1e-9)
    moves = [float(np.abs(np.subtract(one[2], gap)).sum() / 5) for one in replicates]
    move = float(np.quantile(moves, 1 - level))
    distance = found.wasserstein_1.value
    assert distance is not None
    assert found.wasserstein_1.interval == pytest.approx((max(0, distance - move), distance + move))


def test_effects_without_an_interval() -> None:
    rng = np.random.default_rng(0)
    own, siblings = np.full(12, 0.5), np.full((12, 2), 0.5)
    flat = effect_sizes(own, siblings, np.arange(12), 12, alpha=0.05, resamples=50, rng=rng)
    assert flat.hedges_g.value is None
    assert flat.cliffs_delta.value == 0.0
    assert flat.wasserstein_1.value == 0.0
    assert flat.hedges_g.interval is flat.cliffs_delta.interval is None
    assert flat.wasserstein_1.interval is None
    few = effect_sizes(
        rng.random(4), rng.random((4, 2)), np.arange(4), 4, alpha=0.05, resamples=50, rng=rng
    )
    assert few.cliffs_delta.value is not None
    assert few.cliffs_delta.interval is None
    nothing = effect_sizes(
        np.full(9, np.nan), rng.random((9, 2)), np.arange(9), 9, alpha=0.05, resamples=50, rng=rng
    )
    assert nothing.cliffs_delta.value is None


def test_many_values_are_taken_in_chunks_and_the_distance_on_a_grid() -> None:
    rng = np.random.default_rng(0)
    own, siblings = rng.random(3000), rng.random((3000, 2))
    found = effect_sizes(
        own + 0.2, siblings, np.arange(3000) % 40, 40, alpha=0.05, resamples=1500, rng=rng
    )
    distance = wasserstein_1(own + 0.2, siblings.ravel())
    low, high = found.wasserstein_1.interval or (0.0, 0.0)
    assert distance is not None
    assert low < 0.2 < high
    assert high - distance < 0.05


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_sign_flips_of_few_clusters_are_all_tried(values: list[int]) -> None:
    sums = np.array(values, dtype=float)[:, None]
    patterns = itertools.product((-1, 1), repeat=len(values))
    reached = [abs(np.dot(signs, values)) >= abs(sum(values)) for signs in patterns]
    found = sign_flip_p(sums, 10, np.random.default_rng(0))
    assert found.tolist() == pytest.approx([float(np.mean(reached))])


def test_sign_flips_against_scipy_exact_and_drawn() -> None:
    rng = np.random.default_rng(3)
    few, many = rng.normal(0.4, 1, size=(11, 2)), rng.normal(0.2, 1, size=(60, 2))

    def total(values: Array, axis: int) -> Array:
        return np.asarray(np.abs(values.sum(axis=axis)))

    for sums, tolerance in ((few, 1e-12), (many, 0.015)):
        expected = scipy_stats.permutation_test(
            (sums,), total, permutation_type="samples", axis=0, alternative="greater",
            vectorized=True, n_resamples=9999, rng=rng,
        ).pvalue  # fmt: skip
        assert sign_flip_p(sums, 9999, rng) == pytest.approx(expected, abs=tolerance)


def test_a_drawn_p_is_never_zero_and_no_difference_is_one() -> None:
    sums = np.column_stack([np.ones(40), np.zeros(40)])
    assert sign_flip_p(sums, 999, np.random.default_rng(0)).tolist() == [0.001, 1.0]


@given(st.integers(0, 10_000), st.integers(3, 30), st.floats(0.01, 2), st.floats(0.001, 0.4))
@settings(max_examples=60, deadline=None)
def test_equivalence_against_statsmodels_and_its_interval(
    seed: int, pairs: int, bound: float, alpha: float
) -> None:
    one, other = np.random.default_rng(seed).normal(size=(2, pairs))
    difference = one - other
    se = float(difference.std(ddof=1) / np.sqrt(pairs))
    found = equivalence_p(float(difference.mean()), se, pairs - 1, -bound, bound)
    assert found == pytest.approx(ttost_paired(one, other, -bound, bound)[0])
    low, high = equivalence_interval(float(difference.mean()), se, pairs - 1, alpha)
    if abs(found - alpha) > 1e-9:
        assert (found <= alpha) == (-bound <= low and high <= bound)


def test_equivalence_without_an_error_is_not_shown() -> None:
    assert equivalence_p(0.0, 0.0, 9, -0.1, 0.1) == 1.0
    assert equivalence_p(float("nan"), 0.1, 9, -0.1, 0.1) == 1.0
    one_sided = equivalence_p(0.0, 0.1, 9, -np.inf, 0.2)
    assert one_sided == pytest.approx(scipy_stats.t.sf(2, 9))


def test_the_expanded_level_makes_a_percentile_interval_of_a_mean_a_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=12)
    # A normal bootstrap distribution: its spread is the biased standard error.
    law = scipy_stats.norm(values.mean(), values.std() / np.sqrt(12))
    low = law.ppf(expanded_alpha(0.05, 12) / 2)
    assert low == pytest.approx(scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95).low)
