"""Effect sizes of a group against its siblings in every resample at once, and their intervals.

A resample is a column of weights, how often each cluster was drawn. The point values are those of
`llmaudit.stats.effects`; here they are computed for all columns together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.bootstrap import MIN_CLUSTERS, resample_counts
from llmaudit.stats.effects import cliffs_delta, hedges_g_paired, wasserstein_1
from llmaudit.stats.resampling import bca_interval, expanded_alpha

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Interval = tuple[float, float] | None

MAX_POINTS = 256
"""In at most so many steps the movement of two distribution functions is integrated."""

_CHUNK_CELLS = 4_000_000
_STILL = 1e-12


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect size with its interval; None where it is not defined or not known."""

    value: float | None
    interval: Interval


@dataclass(frozen=True, slots=True)
class EffectSizes:
    """The three effect sizes of a group against its siblings."""

    hedges_g: Effect
    cliffs_delta: Effect
    wasserstein_1: Effect


@dataclass(frozen=True, slots=True)
class _Sample:
    """Values and the cluster of each."""

    values: Array
    clusters: Index


def effect_sizes(
    own: Array,
    siblings: Array,
    clusters: Index,
    number: int,
    *,
    alpha: float,
    resamples: int,
    rng: np.random.Generator,
) -> EffectSizes:
    """Return Hedges' g, Cliff's delta and Wasserstein-1 with cluster-bootstrap intervals.

    Hedges' g pairs each value with the mean of its siblings; the two others compare the group's
    values with its siblings' pooled. g and delta have BCa intervals. The Wasserstein distance
    cannot be negative, so its replicates lie too high; it is bounded by how far the difference of
    the two distribution functions moves instead: W ± the 1 - alpha quantile of the integral of
    |(F* - G*) - (F - G)|, cut at 0. By the triangle inequality that holds the true distance at
    least as often as the bootstrap of the distribution functions is right. All three are taken at
    the level that makes up for few clusters (`expanded_alpha`).

    Parameters
    ----------
    own : ndarray of float64, shape (pairs,)
        NaN where the group has no value.
    siblings : ndarray of float64, shape (pairs, siblings)
    clusters : ndarray of int, shape (pairs,)
        The cluster of each pair, in ``range(number)``.
    number : int
    alpha : float
        One minus the confidence level, for each effect by itself.
    resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    EffectSizes
        Without intervals where fewer than 5 clusters have a value of the group.
    """
    known, pooled = ~np.isnan(own), ~np.isnan(siblings)
    both = known & pooled.any(axis=1)
    paired = np.nanmean(siblings[both], axis=1)
    g = hedges_g_paired(own[both], paired)
    delta = cliffs_delta(own[known], siblings[pooled])
    distance = wasserstein_1(own[known], siblings[pooled])
    used = len(np.unique(clusters[both]))
    if used < MIN_CLUSTERS or delta is None or distance is None:
        return EffectSizes(Effect(g, None), Effect(delta, None), Effect(distance, None))
    level = expanded_alpha(alpha, used)
    mine = _Sample(own[known], clusters[known])
    rows, columns = np.nonzero(pooled)
    theirs = _Sample(siblings[rows, columns], clusters[rows])
    weights = resample_counts(resamples, number, rng)
    without = 1.0 - np.eye(number)

    def bca(value: float | None, replicate: Callable[[Array], Array]) -> Effect:
        if value is None:
            return Effect(None, None)
        return Effect(value, bca_interval(value, replicate(weights), replicate(without), level))

    table = _pair_table(own[both], paired, clusters[both], number)
    moved = _move_interval(distance, _moves(mine, theirs, weights), level)
    return EffectSizes(
        bca(g, partial(_paired_gs, table)),
        bca(delta, partial(_deltas, mine, theirs)),
        Effect(distance, moved),
    )


def _move_interval(distance: float, moves: Array, alpha: float) -> Interval:
    move = float(np.quantile(moves, 1 - alpha)) if not np.isnan(moves).any() else 0.0
    return None if move <= _STILL else (max(0.0, distance - move), distance + move)


def _pair_table(own: Array, others: Array, clusters: Index, number: int) -> Array:
    """Return per cluster: pairs, sums and sums of squares of both, shape (clusters, 5)."""
    x, y = own - own.mean(), others - others.mean()
    rows = np.stack([np.ones_like(x), x, y, x**2, y**2], axis=1)
    rows = np.column_stack([rows, own - others])
    table = np.zeros((number, rows.shape[1]))
    np.add.at(table, clusters, rows)
    return table


def _paired_gs(table: Array, weights: Array) -> Array:
    """Return Hedges' g for each row of weights, NaN where there is no unit."""
    from scipy import special

    n, x, y, xx, yy, difference = (weights @ table).T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(((xx - x**2 / n) + (yy - y**2 / n)) / (n - 1) / 2)
        f = n - 1
        j = np.exp(special.gammaln(f / 2) - special.gammaln((f - 1) / 2)) / np.sqrt(f / 2)
        g = difference / n / spread * j
    g[(n < 3) | ~(spread > _STILL)] = np.nan
    return np.asarray(g, dtype=np.float64)


def _deltas(mine: _Sample, theirs: _Sample, weights: Array) -> Array:
    """Return Cliff's delta for each row of weights, NaN where a sample is empty.

    It is the sum, over the distinct values of the group, of the share there times the siblings'
    share below plus their share at or below, minus 1.
    """
    from scipy import sparse

    values, place = np.unique(mine.values, return_inverse=True)
    shape = len(values), weights.shape[1]
    here = sparse.csr_array((np.ones(len(place)), (place, mine.clusters)), shape=shape)
    step = np.searchsorted(values, theirs.values)
    equal = values[np.minimum(step, shape[0] - 1)] == theirs.values
    gains = sparse.csr_array(
        (
            np.ones(2 * len(step)),
            (np.concatenate([step, step + equal]), np.tile(theirs.clusters, 2)),
        ),
        shape=(shape[0] + 2, shape[1]),
    )
    made = []
    for rows in _chunks(weights, shape[0]):
        at = here @ rows.T
        below = np.cumsum(gains @ rows.T, axis=0)
        pairs = at.sum(axis=0) * below[-1] / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            made.append(np.einsum("ub,ub->b", at, below[: shape[0]]) / pairs - 1)
    return np.concatenate(made)


def _moves(mine: _Sample, theirs: _Sample, weights: Array) -> Array:
    """Return the integral of |(F* - G*) - (F - G)| for each row of weights.

    Taken over at most 257 points, evenly spaced among the distinct values. NaN where a sample is
    empty.
    """
    values = np.unique(np.concatenate([mine.values, theirs.values]))
    grid = values[np.unique(np.linspace(0, len(values) - 1, MAX_POINTS + 1).round().astype(int))]
    f, g = (_counts_up_to(grid, sample, weights.shape[1]) for sample in (mine, theirs))
    base = f.sum(axis=1) / f[-1].sum() - g.sum(axis=1) / g[-1].sum()
    gaps = np.diff(grid)
    made = []
    for rows in _chunks(weights, len(grid)):
        up, other = f @ rows.T, g @ rows.T
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = np.abs(up / up[-1] - other / other[-1] - base[:, None])
        made.append(gaps @ moved[:-1])
    return np.concatenate(made)


def _counts_up_to(grid: Array, sample: _Sample, clusters: int) -> Array:
    """Return how many values each cluster has up to each point, shape (points, clusters)."""
    counts = np.zeros((len(grid), clusters))
    np.add.at(counts, (np.searchsorted(grid, sample.values), sample.clusters), 1.0)
    return np.cumsum(counts, axis=0)


def _chunks(weights: Array, width: int) -> Iterator[Array]:
    """Yield the rows of weights, so many at a time that ``width`` numbers each fit in memory."""
    step = max(1, _CHUNK_CELLS // max(width, 1))
    for start in range(0, len(weights), step):
        yield weights[start : start + step]
