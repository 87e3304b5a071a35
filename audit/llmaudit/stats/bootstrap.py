"""Cluster bootstrap of ratio statistics, studentised, for several parts at once.

A ratio statistic is a sum over clusters divided by a count over clusters: the mean of all
outcomes, where outcomes of one cluster may be correlated in any way. Whole clusters are drawn
with replacement; a resample is one row of a matrix of draw counts, so that 10,000 resamples are
a handful of matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Distribution

MIN_CLUSTERS = 5
"""Fewer clusters than this forbid the bootstrap; a t interval takes its place."""

FEW_CLUSTERS = 10
"""Fewer clusters than this are said to be few."""

_CHUNK_CELLS = 4_000_000
_FLAT = 1e-12

Array = NDArray[np.float64]


def resample_counts(resamples: int, clusters: int, rng: np.random.Generator) -> Array:
    """Draw ``resamples`` times ``clusters`` clusters with replacement and count the draws.

    Returns
    -------
    ndarray of float64, shape (resamples, clusters)
        How often each cluster was drawn; every row sums to ``clusters``.
    """
    drawn = rng.integers(0, clusters, size=(resamples, clusters))
    drawn += (np.arange(resamples) * clusters)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(np.float64)


def ratio_and_error(
    sums: Array, counts: Array, weights: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return the ratio, its cluster-robust standard error and its number of clusters.

    The error is the linearised one (Taylor series of the ratio) with the factor G / (G - 1):
    with equal cluster sizes it is the standard error of the mean of the cluster means.

    Parameters
    ----------
    sums, counts : ndarray of float64, shape (clusters, parts)
        Sum and number of the outcomes of each cluster in each part; a count may be 0.
    weights : ndarray of float64, shape (b, clusters), optional
        How often each cluster counts; once each by default (b = 1).

    Returns
    -------
    ratio, error, used : ndarrays of float64, shape (b, parts)
        ``ratio`` is NaN where a part has no outcome; ``error`` is NaN where fewer than two
        clusters have one; ``used`` is the number of clusters (with repetition) that have one.
    """
    weights = np.ones((1, len(sums))) if weights is None else weights
    used = weights @ (counts > 0).astype(np.float64)
    total = weights @ counts
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (weights @ sums) / total
        squares = weights @ sums**2
        residual = squares - 2 * ratio * (weights @ (sums * counts))
        residual += ratio**2 * (weights @ counts**2)
        residual[residual <= _FLAT * squares] = 0.0
        error = np.sqrt(residual * used / (used - 1)) / total
    error[used < 2] = np.nan
    return ratio, error, used


def jackknife_error(sums: Array, counts: Array) -> Array:
    """Return the delete-one-cluster jackknife standard error of the ratio, shape (parts,).

    It allows for the pull of large clusters, which the linearised error does not and which matters
    when there are few. With equal cluster sizes the two are the same number.

    Parameters
    ----------
    sums, counts : ndarray of float64, shape (clusters, parts)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = sums.sum(axis=0) / counts.sum(axis=0)
        residual = sums - ratio * counts
        residual[np.abs(residual) <= _FLAT * np.maximum(1.0, np.abs(sums))] = 0.0
        shift = np.where(counts > 0, residual / (counts.sum(axis=0) - counts), 0.0)
        used = (counts > 0).sum(axis=0)
        error = np.sqrt((used - 1) / used * (shift**2).sum(axis=0))
    return np.where(used < 2, np.nan, error)


def satterthwaite_df(counts: Array) -> Array:
    """Return the degrees of freedom of `jackknife_error`, shape (parts,).

    Satterthwaite's approximation under cluster means of equal variance (Bell and McCaffrey 2002
    derive it for regressions): clusters - 1 where all have one size, fewer the more unequal they
    are, because then few of them decide the error.

    Parameters
    ----------
    counts : ndarray of float64, shape (clusters, parts)

    Examples
    --------
    >>> import numpy as np
    >>> satterthwaite_df(np.array([[3.0, 9.0], [3.0, 1.0], [3.0, 1.0]])).round(2).tolist()
    [2.0, 1.02]
    """
    return np.array([_degrees(column[column > 0]) for column in counts.T])


def _degrees(sizes: Array) -> float:
    if len(sizes) < 2:
        return float("nan")
    total = sizes.sum()
    pull = sizes / (total - sizes)
    residual = pull[:, None] * (np.eye(len(sizes)) - sizes / total)
    spread = residual @ residual.T
    return float(np.trace(spread) ** 2 / (spread**2).sum())


def _replicates(sums: Array, counts: Array, value: Array, se: Array, weights: Array) -> Array:
    """Return ``value + se * t*`` of one table; infinite where a resample shows no variation."""
    ratio, error, used = ratio_and_error(sums, counts, weights)
    shift = ratio - value
    shift[np.abs(shift) <= _FLAT * np.maximum(1.0, np.abs(value))] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(shift == 0, 0.0, shift / error)
        t[(used > 0) & (used < 2) & (shift != 0)] = np.inf
        t[used == 0] = np.nan
        spread = np.where(se == 0, 0.0, t * se)
    return np.asarray(value + spread, dtype=np.float64)


def cluster_bootstraps(
    tables: Sequence[tuple[Array, Array]], resamples: int, rng: np.random.Generator
) -> tuple[Distribution, ...]:
    """Bootstrap several tables over the same clusters with the same resamples.

    Each table is (sums, counts), both of shape (clusters, parts). The replicates are studentised:
    ``value + se * t*`` with t* = (value* - value) / se*, where value* and se* come from one
    resample (bootstrap-t; Hall 1992). A resample that loses a part is NaN in that part only. A
    resample in which a part shows no variation at all is infinite in that part: it says that
    the data cannot rule out anything, and it widens the interval.

    Returns
    -------
    tuple of Distribution
        One per table. Without replicates, and with the jackknife's ``se`` and its ``df``, where a
        part has fewer than 5 clusters.
    """
    prepared = []
    for sums, counts in tables:
        ratio, error, used = ratio_and_error(sums, counts)
        live = used[0][used[0] > 0]
        clusters = int(live.min()) if live.size else 0
        se = error[0] if clusters >= MIN_CLUSTERS else jackknife_error(sums, counts)
        prepared.append((sums, counts, ratio[0], se, clusters))
    size = len(tables[0][0])
    drawn: list[list[Array]] = [[] for _ in prepared]
    if any(clusters >= MIN_CLUSTERS for *_, clusters in prepared):
        step = max(1, _CHUNK_CELLS // max(size, 1))
        for start in range(0, resamples, step):
            weights = resample_counts(min(step, resamples - start), size, rng)
            for held, (sums, counts, value, se, clusters) in zip(drawn, prepared, strict=True):
                if clusters >= MIN_CLUSTERS:
                    held.append(_replicates(sums, counts, value, se, weights))
    return tuple(
        Distribution(
            value=value,
            replicates=np.concatenate(held) if held else np.empty((0, len(value))),
            se=se,
            clusters=clusters,
            df=None if held else satterthwaite_df(counts),
        )
        for held, (_, counts, value, se, clusters) in zip(drawn, prepared, strict=True)
    )


def cluster_bootstrap(
    sums: Array, counts: Array, resamples: int, rng: np.random.Generator
) -> Distribution:
    """Bootstrap the ratio of ``sums`` to ``counts`` over clusters; see `cluster_bootstraps`.

    Parameters
    ----------
    sums, counts : ndarray of float64, shape (clusters, parts)
    resamples : int
    rng : numpy.random.Generator

    Examples
    --------
    >>> import numpy as np
    >>> sums = np.arange(12.0)[:, None]
    >>> bootstrap = cluster_bootstrap(sums, np.ones_like(sums), 100, np.random.default_rng(0))
    >>> float(bootstrap.value[0]), bootstrap.replicates.shape
    (5.5, (100, 1))
    """
    return cluster_bootstraps([(sums, counts)], resamples, rng)[0]
