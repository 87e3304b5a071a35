"""Prediction-powered inference against numbers worked out by hand and the plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from llmaudit.stats import (
    LabelledSample,
    Powered,
    midp_interval,
    ppi_difference,
    ppi_mean,
    ratio_and_error,
    stratified_difference,
    stratified_share,
    widen,
)
from llmaudit.stats.prediction_powered import Array
from llmaudit.stats.stratified import effective_labels

NAN = float("nan")


def sample(
    predicted: list[float],
    human: list[float],
    weight: list[float] | None = None,
    cluster: list[int] | None = None,
    group: list[int] | None = None,
    stratum: list[int] | None = None,
) -> LabelledSample:
    """Return a sample of lists; by default each answer is its own cluster."""
    rows, zeros = len(human), [0] * len(human)
    return LabelledSample(
        np.array(predicted, dtype=float),
        np.array(human, dtype=float),
        np.array(weight or [1.0] * rows, dtype=float),
        np.array(cluster if cluster is not None else range(rows), dtype=np.intp),
        np.array(group or zeros, dtype=np.intp),
        np.array(stratum or zeros, dtype=np.intp),
    )


def drawn(seed: int, rows: int = 60, groups: int = 1, kind: float = 0.8) -> LabelledSample:
    """Return a random sample, half of it labelled, with unequal weights and clusters of three."""
    rng = np.random.default_rng(seed)
    human = (rng.random(rows) < 0.4).astype(float)
    right = rng.random(rows) < kind
    predicted = np.where(right, human, 1 - human)
    known = rng.random(rows) < 0.5
    known[: 4 * groups] = True
    group = np.arange(rows) % groups
    return LabelledSample(
        predicted,
        np.where(known, human, np.nan),
        rng.choice([1.0, 2.0, 5.0], size=rows),
        np.arange(rows) // (3 * groups),
        group.astype(np.intp),
        (predicted > 0.5).astype(np.intp),
    )


def summed(cluster: NDArray[np.intp], values: Array, number: int) -> Array:
    """Return the sums of values over clusters, shape (clusters, 1)."""
    return np.asarray(np.bincount(cluster, values, number)[:, None], dtype=np.float64)


def join(first: LabelledSample, second: LabelledSample, *, apart: int) -> LabelledSample:
    """Return two samples as two groups, the second's clusters numbered ``apart`` higher."""
    rows = len(first.human)
    return LabelledSample(
        np.concatenate([first.predicted, second.predicted]),
        np.concatenate([first.human, second.human]),
        np.concatenate([first.weight, second.weight]),
        np.concatenate([first.cluster, second.cluster + apart]),
        np.repeat(np.arange(2), rows).astype(np.intp),
        np.zeros(2 * rows, dtype=np.intp),
    )


def test_a_mean_worked_out_by_hand() -> None:
    # Weighted labels: (1·1 + 3·0) / 4 = 0.25. Predictions of the labelled: (1·1 + 3·0.5) / 4 =
    # 0.625, of all (1 + 0.5 + 0 + 0.5) / 4 = 0.5. With lambda 1: 0.25 - (0.625 - 0.5) = 0.125.
    given_sample = sample([1.0, 0.5, 0.0, 0.5], [1.0, 0.0, NAN, NAN], [1.0, 3.0, 2.0, 2.0])
    full = ppi_mean(given_sample, tuning=1.0)
    assert full.value == pytest.approx(0.125)
    # Labels add 0.25·0.75 and -0.75·0.25 to the error; predictions lean by 0.25·0.375 - 0.125,
    # 0.75·-0.125 - 0, 0 + 0.125 and 0, which are -0.03125, -0.09375, 0.125 and 0.
    of_labels = np.array([0.1875, -0.1875, 0.0, 0.0])
    leaning = np.array([-0.03125, -0.09375, 0.125, 0.0])
    assert full.se == pytest.approx(math.sqrt(2 / 1 * ((of_labels - leaning) ** 2).sum()))
    best = ppi_mean(given_sample)
    assert best.tuning == pytest.approx(float(of_labels @ leaning / (leaning @ leaning)))
    assert best.value == pytest.approx(0.25 - best.tuning * 0.125)
    assert (full.clusters, best.clusters) == (2, 2)
    assert full.interval(0.05)[0] == pytest.approx(0.125 - 12.7062047 * full.se)


def test_without_clusters_the_variance_is_the_textbook_one() -> None:
    """Labels overlap the predictions: Var(Y - f)/n + (2 Cov(Y - f, f) + Var f)/N at lambda 1."""
    rng = np.random.default_rng(0)
    rows, labelled = 4_000, 1_000
    human = (rng.random(rows) < 0.3).astype(float)
    predicted = np.clip(human * 0.6 + rng.random(rows) * 0.4, 0, 1)
    seen = np.where(np.arange(rows) < labelled, human, np.nan)
    found = ppi_mean(sample(predicted.tolist(), seen.tolist()), tuning=1.0)
    y, f = human[:labelled], predicted[:labelled]
    assert found.value == pytest.approx(float(predicted.mean() + (y - f).mean()))
    cross = float(np.cov(y - f, f)[0, 1])
    variance = np.var(y - f) / labelled + (2 * cross + np.var(predicted)) / rows
    assert found.se == pytest.approx(math.sqrt(variance), rel=0.01)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_lambda_nought_is_the_mean_of_the_labels(seed: int) -> None:
    one = drawn(seed)
    known = one.labelled
    weight, human, cluster = one.weight[known], one.human[known], one.cluster[known]
    number = int(one.cluster.max()) + 1
    sums = summed(cluster, weight * human, number)
    counts = summed(cluster, weight, number)
    ratio, error, _ = ratio_and_error(sums, counts)
    found = ppi_mean(one, tuning=0.0)
    assert found.value == pytest.approx(float(ratio[0, 0]))
    assert found.se == pytest.approx(float(error[0, 0]))


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_perfect_classifier_leaves_its_own_error_only(seed: int) -> None:
    one = drawn(seed, kind=1.0)
    found = ppi_mean(one, tuning=1.0)
    assert found.value == pytest.approx(float(one.predicted.mean()))
    number = int(one.cluster.max()) + 1
    sums = summed(one.cluster, one.predicted, number)
    counts = summed(one.cluster, np.ones(len(one.cluster)), number)
    _, error, used = ratio_and_error(sums, counts)
    smaller = math.sqrt(found.clusters / (found.clusters - 1) * (used[0, 0] - 1) / used[0, 0])
    assert found.se == pytest.approx(float(error[0, 0]) * smaller)


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_no_lambda_has_a_smaller_error_than_the_tuned_one(seed: int, other: float) -> None:
    one = drawn(seed)
    tuned = ppi_mean(one)
    assert 0 <= tuned.tuning <= 1
    assert tuned.se <= ppi_mean(one, tuning=other).se + 1e-12


def test_groups_of_other_clusters_are_independent_and_of_the_same_are_not() -> None:
    first, second = drawn(1), drawn(2)
    joined = join(first, second, apart=100)
    contrast = np.array([1.0, -1.0])
    found = ppi_difference(joined, contrast, tuning=0.5)
    apart = [ppi_mean(one, tuning=0.5) for one in (first, second)]
    assert found.value == pytest.approx(apart[0].value - apart[1].value)
    clusters = [one.clusters for one in apart]
    plain = [one.se**2 * (n - 1) / n for one, n in zip(apart, clusters, strict=True)]
    total = sum(clusters)
    assert found.se == pytest.approx(math.sqrt(total / (total - 1) * sum(plain)))
    # The same answers twice: their difference is 0 without error.
    again = join(first, first, apart=0)
    same = ppi_difference(again, contrast)
    assert same.value == pytest.approx(0.0)
    assert same.se == pytest.approx(0.0, abs=1e-12)


def test_one_cluster_says_nothing() -> None:
    found = ppi_mean(sample([0.0, 1.0, 0.0], [0.0, 1.0, NAN], cluster=[0, 0, 1]))
    assert math.isnan(found.se)
    assert found.interval(0.05) == (-math.inf, math.inf)


def test_labels_are_worth_fewer_where_clusters_or_weights_differ() -> None:
    ones, hits = np.ones(12), np.array([1.0, 0.0] * 6)
    alone = np.arange(12, dtype=np.intp)
    assert effective_labels(hits, ones, alone) == pytest.approx(12.0)
    # No hit: each of four clusters counts as one label; with weights 3, 1, 1, 1 as (6)²/12 = 3.
    assert effective_labels(np.zeros(12), ones, alone // 3) == pytest.approx(4.0)
    uneven = np.array([3.0, 1.0, 1.0, 1.0])
    assert effective_labels(np.zeros(4), uneven, alone[:4]) == pytest.approx(3.0)
    # Two clusters that agree within: p = 1/2, residuals ± 3/12, variance 2 · 2 · (1/4)² = 1/4 where
    # twelve independent ones would have 1/44: design effect 11. The largest is 12 / 2 = 6.
    agreeing = np.repeat([1.0, 0.0], 6)
    expected = 12 * (6 + 1) / (6 * 11 + 6)
    assert effective_labels(agreeing, ones, alone // 6) == pytest.approx(expected)


def test_a_share_of_one_stratum_is_the_exact_interval() -> None:
    found = stratified_share(sample([0.0] * 20, [1.0] * 3 + [0.0] * 17), 0.05)
    low, high = midp_interval(0.15, 20, 0.05)
    assert [found.low, found.high] == pytest.approx([low, high])
    assert found.value == pytest.approx(0.15)


def test_strata_are_weighted_and_their_distances_squared() -> None:
    # 30 answers of stratum 0 with 10 labels and no hit, 10 of stratum 1 with 8 hits of 10.
    human = [0.0] * 10 + [NAN] * 20 + [1.0] * 8 + [0.0] * 2
    found = stratified_share(sample([0.0] * 40, human, stratum=[0] * 30 + [1] * 10), 0.05)
    assert found.value == pytest.approx(0.25 * 0.8)
    low, high = midp_interval(0.8, 10, 0.05)
    _, none = midp_interval(0.0, 10, 0.05)
    # How many answers lie in each stratum varies too: g is 0 or 0.8 around 0.2.
    error = math.sqrt(40 / 39 * (30 * 0.2**2 + 10 * 0.6**2)) / 40
    composition = float(scipy_stats.t.ppf(0.975, 39)) * error
    below = math.hypot(0.25 * (0.8 - low), composition)
    above = math.sqrt((0.25 * (high - 0.8)) ** 2 + (0.75 * none) ** 2 + composition**2)
    assert [found.low, found.high] == pytest.approx([0.2 - below, 0.2 + above])


def test_a_stratum_without_labels_could_be_anything() -> None:
    human = [0.0] * 30 + [NAN] * 10
    found = stratified_share(
        sample([0.0] * 30 + [1.0] * 10, human, stratum=[0] * 30 + [1] * 10), 0.05
    )
    assert found.value == pytest.approx(0.25)
    assert found.low == pytest.approx(0.0)
    assert found.high > 0.25


def test_differences_of_shares_combine_the_groups_distances() -> None:
    human = [1.0] * 6 + [0.0] * 14 + [1.0] * 2 + [0.0] * 18
    one = sample([0.0] * 40, human, group=[0] * 20 + [1] * 20)
    found = stratified_difference(one, np.array([1.0, -1.0]), 0.05)
    (low, high), (other_low, other_high) = (midp_interval(p, 20, 0.05) for p in (0.3, 0.1))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - math.hypot(0.3 - low, other_high - 0.1))
    assert found.high == pytest.approx(0.2 + math.hypot(high - 0.3, 0.1 - other_low))


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_wider_interval_holds_both(seed: int) -> None:
    one = drawn(seed, groups=2)
    contrast: Array = np.array([1.0, -1.0])
    powered, exact = ppi_difference(one, contrast), stratified_difference(one, contrast, 0.05)
    low, high = widen(powered, exact, 0.05, (-1.0, 1.0))
    assert -1 <= low <= max(-1.0, powered.interval(0.05)[0], exact.low)
    assert 1 >= high >= min(1.0, powered.interval(0.05)[1], exact.high)
    assert low <= exact.value <= high


def test_no_hit_among_few_labels_is_no_certainty() -> None:
    none = sample([0.0] * 100, [0.0] * 40 + [NAN] * 60)
    powered = ppi_mean(none)
    assert powered == Powered(0.0, 0.0, 0.0, 40)
    low, high = widen(powered, stratified_share(none, 0.05), 0.05, (0.0, 1.0))
    assert low == 0.0
    assert high == pytest.approx(1 - 0.05 ** (1 / 40), rel=0.01)
