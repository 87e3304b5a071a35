"""The cluster bootstrap against numpy, scipy and brute force; its behaviour at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from llmaudit.stats import (
    cluster_bootstrap,
    cluster_bootstraps,
    cluster_table,
    jackknife_error,
    max_t_p,
    max_t_quantile,
    max_t_statistics,
    paired_contrasts,
    part_intervals,
    ratio_and_error,
    resample_counts,
)


def test_resample_counts_draw_every_cluster_equally_often() -> None:
    counts = resample_counts(4000, 7, np.random.default_rng(0))
    assert counts.shape == (4000, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.06)
    assert counts.var() == pytest.approx(6 / 7, rel=0.05)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_equal_clusters_give_the_standard_error_of_the_mean_of_cluster_means(
    clusters: int, seed: int
) -> None:
    means = np.random.default_rng(seed).normal(size=(clusters, 2))
    size = np.full((clusters, 2), 3.0)
    ratio, error, used = ratio_and_error(means * 3, size)
    assert ratio[0] == pytest.approx(means.mean(axis=0))
    assert error[0] == pytest.approx(scipy_stats.sem(means, axis=0))
    assert (used == clusters).all()


def test_unequal_clusters_against_the_linearised_variance_written_out() -> None:
    sums, counts = np.array([[2.0], [1.0], [6.0]]), np.array([[2.0], [1.0], [5.0]])
    ratio, error, _ = ratio_and_error(sums, counts)
    r = 9 / 8
    squares = (2 - 2 * r) ** 2 + (1 - r) ** 2 + (6 - 5 * r) ** 2
    assert ratio[0, 0] == pytest.approx(r)
    assert error[0, 0] == pytest.approx(np.sqrt(squares * 3 / 2) / 8)


def test_jackknife_by_leaving_each_cluster_out() -> None:
    sums, counts = np.array([[2.0], [1.0], [6.0], [0.0]]), np.array([[2.0], [1.0], [5.0], [0.0]])
    without = np.array([7 / 6, 8 / 7, 3 / 3])
    expected = np.sqrt(2 / 3 * ((without - 9 / 8) ** 2).sum())
    assert jackknife_error(sums, counts) == pytest.approx([expected])
    means = np.random.default_rng(0).normal(size=(6, 2))
    equal = jackknife_error(means * 4, np.full((6, 2), 4.0))
    assert equal == pytest.approx(scipy_stats.sem(means, axis=0))
    assert np.isnan(jackknife_error(np.ones((1, 1)), np.ones((1, 1)))).all()


def test_weights_equal_physically_repeated_clusters() -> None:
    rng = np.random.default_rng(3)
    sums, counts = rng.normal(size=(6, 2)), rng.integers(1, 4, size=(6, 2)).astype(float)
    drawn = np.array([0, 0, 3, 5, 5, 5])
    weights = np.bincount(drawn, minlength=6).astype(float)[None, :]
    weighted = ratio_and_error(sums, counts, weights)
    repeated = ratio_and_error(sums[drawn], counts[drawn])
    for left, right in zip(weighted, repeated, strict=True):
        assert left == pytest.approx(right)


def test_replicates_have_the_spread_the_standard_error_promises() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(80, 3))
    drawn = cluster_bootstrap(values, np.ones_like(values), 4000, rng)
    assert drawn.replicates.shape == (4000, 3)
    assert drawn.clusters == 80
    spread = (drawn.replicates - drawn.value) / drawn.se
    assert spread.std(axis=0) == pytest.approx(np.ones(3), abs=0.06)


def test_equal_seeds_give_equal_replicates() -> None:
    values = np.random.default_rng(1).normal(size=(20, 1))
    one, two = (
        cluster_bootstrap(values, np.ones_like(values), 50, np.random.default_rng(9))
        for _ in range(2)
    )
    assert np.array_equal(one.replicates, two.replicates)


def test_tables_share_their_resamples() -> None:
    rng = np.random.default_rng(2)
    sums = rng.normal(size=(15, 1))
    ones = np.ones_like(sums)
    one, two = cluster_bootstraps([(sums, ones), (2 * sums, ones)], 200, rng)
    assert two.replicates == pytest.approx(2 * one.replicates)


def test_fewer_than_five_clusters_have_no_replicates_and_a_t_interval() -> None:
    values = np.random.default_rng(4).normal(size=(4, 1))
    drawn = cluster_bootstrap(values, np.ones_like(values), 100, np.random.default_rng(0))
    assert drawn.replicates.shape == (0, 1)
    (part,) = part_intervals(drawn, proportion=False, bounds=None)
    expected = scipy_stats.ttest_1samp(values[:, 0], 0).confidence_interval(0.95)
    assert part.interval(0.05) == pytest.approx((expected.low, expected.high))
    assert part.p_value(0.4) == pytest.approx(scipy_stats.ttest_1samp(values[:, 0], 0.4).pvalue)
    assert "only 4 clusters" in part.method


def test_a_resample_that_loses_a_part_neither_crashes_nor_renumbers_the_others() -> None:
    rng = np.random.default_rng(6)
    sums = rng.normal(size=(30, 3)) + np.array([0.0, 50.0, 100.0])
    counts = np.ones_like(sums)
    sums[12:, 1] = counts[12:, 1] = 0.0
    drawn = cluster_bootstrap(sums, counts, 3000, rng)
    assert drawn.clusters == 12
    lost = cluster_bootstrap(sums[:, [0, 2]], counts[:, [0, 2]], 3000, np.random.default_rng(6))
    assert drawn.value[[0, 2]] == pytest.approx(lost.value)
    medians = np.nanmedian(drawn.replicates, axis=0)
    assert medians == pytest.approx(drawn.value, abs=0.6)
    assert np.isfinite(drawn.replicates[:, [0, 2]]).all()


def test_a_lost_part_is_nan_there_and_the_resample_still_counts_for_the_rest() -> None:
    rng = np.random.default_rng(8)
    sums = rng.normal(size=(60, 2))
    counts = np.ones_like(sums)
    sums[10:, 1] = counts[10:, 1] = 0.0
    drawn = cluster_bootstrap(sums, counts, 100_000, rng)
    assert 0 < np.isnan(drawn.replicates[:, 1]).sum() < 20
    assert len(max_t_statistics(drawn)) == 100_000
    assert np.isfinite(drawn.replicates[:, 0]).all()


def test_a_part_without_any_outcome_is_nan_and_never_zero() -> None:
    sums = np.random.default_rng(0).normal(size=(12, 2))
    counts = np.ones_like(sums)
    sums[:, 1] = counts[:, 1] = 0.0
    drawn = cluster_bootstrap(sums, counts, 100, np.random.default_rng(0))
    assert np.isnan(drawn.value[1])
    first, second = part_intervals(drawn, proportion=False, bounds=(-1, 1))
    assert np.isfinite(first.interval(0.05)).all()
    assert second.interval(0.05) == (-np.inf, np.inf)
    assert second.p_value(0.3) == 1.0
    assert second.growth(0.3, 0.05, 0.8) == np.inf


def test_no_outcome_at_all() -> None:
    drawn = cluster_bootstrap(np.zeros((3, 1)), np.zeros((3, 1)), 10, np.random.default_rng(0))
    assert np.isnan(drawn.value).all()
    assert drawn.clusters == 0


def test_many_clusters_are_resampled_in_chunks() -> None:
    values = np.random.default_rng(0).normal(size=(3000, 1))
    drawn = cluster_bootstrap(values, np.ones_like(values), 1500, np.random.default_rng(0))
    assert drawn.replicates.shape == (1500, 1)
    assert np.isfinite(drawn.replicates).all()


def test_max_t_is_the_maximum_over_parts_of_the_absolute_t() -> None:
    values = np.random.default_rng(0).normal(size=(25, 4))
    drawn = cluster_bootstrap(values, np.ones_like(values), 500, np.random.default_rng(0))
    by_hand = np.sort(np.abs((drawn.replicates - drawn.value) / drawn.se).max(axis=1))
    statistics = max_t_statistics(drawn)
    assert statistics == pytest.approx(by_hand)
    assert max_t_quantile(statistics, 0.05) == pytest.approx(by_hand[-25], rel=1e-6)
    single = max_t_statistics(
        cluster_bootstrap(values[:, :1], np.ones((25, 1)), 500, np.random.default_rng(0))
    )
    assert max_t_quantile(statistics, 0.05) > max_t_quantile(single, 0.05)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=200),
    st.floats(0.001, 0.5),
    st.integers(0, 20),
)
def test_quantile_and_p_agree_even_on_ties(values: list[int], alpha: float, t: int) -> None:
    statistics = np.sort(np.array(values, dtype=float))
    rejected = max_t_p(statistics, float(t)) <= alpha
    assert rejected == (t > max_t_quantile(statistics, alpha))


def test_too_few_resamples_for_a_small_alpha_reject_nothing() -> None:
    statistics = np.sort(np.random.default_rng(0).random(100))
    assert max_t_quantile(statistics, 0.001) == np.inf
    assert max_t_p(statistics, 99.0) > 0.001


def test_contrasts_against_the_mean_of_siblings_and_against_a_reference() -> None:
    own = np.array([[1.0, 2.0, 6.0], [4.0, np.nan, 2.0], [np.nan, 5.0, np.nan]])
    assert paired_contrasts(own)[0] == pytest.approx([-3.0, -1.5, 4.5])
    assert paired_contrasts(own)[1] == pytest.approx([2.0, np.nan, -2.0], nan_ok=True)
    assert np.isnan(paired_contrasts(own)[2]).all()
    against = paired_contrasts(own, reference=2)
    assert against[0] == pytest.approx([-5.0, -4.0, 0.0])
    assert np.isnan(against[2]).all()


def test_contrast_with_other_sibling_values() -> None:
    own, siblings = np.array([[0.0, 0.0]]), np.array([[1.0, 1.0]])
    assert paired_contrasts(own, siblings).tolist() == [[-1.0, -1.0]]


def test_cluster_table_leaves_nan_out() -> None:
    values = np.array([[1.0, np.nan], [2.0, 5.0], [4.0, 7.0]])
    sums, counts = cluster_table(values, np.array([0, 1, 1]), 3)
    assert sums.tolist() == [[1.0, 0.0], [6.0, 12.0], [0.0, 0.0]]
    assert counts.tolist() == [[1.0, 0.0], [2.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize("clusters", [12, 40])
def test_simultaneous_intervals_cover_about_as_often_as_they_say(clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    covered = 0
    for _ in range(200):
        size = rng.integers(1, 6, size=(clusters, 1)).repeat(4, axis=1).astype(float)
        effect = rng.normal(size=(clusters, 4)) + rng.normal(size=(clusters, 4)) / np.sqrt(size)
        drawn = cluster_bootstrap(effect * size, size, 500, rng)
        parts = part_intervals(drawn, proportion=False, bounds=None)
        ends = [part.interval(0.05) for part in parts]
        covered += all(low <= 0 <= high for low, high in ends)
    assert 0.90 <= covered / 200 <= 1.0
