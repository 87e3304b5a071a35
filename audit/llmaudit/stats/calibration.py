"""How far probabilities are from what happens: expected calibration error and Brier score.

Naeini, Cooper and Hauskrecht 2015 for the error by bins of equal width; Brier 1950.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.bootstrap import resample_counts

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS = 15
"""Bins of equal width from 0 to 1; an edge belongs to the bin above it, 1 to the last."""

_CHUNK_CELLS = 1_000_000


def bin_residuals(values: Array, positive: Flags, bins: int = BINS) -> Array:
    """Return label minus probability of every text, in the column of its bin.

    Parameters
    ----------
    values : ndarray of float64, shape (texts,)
        Probabilities.
    positive : ndarray of bool, shape (texts,)
    bins : int

    Returns
    -------
    ndarray of float64, shape (texts, bins)
    """
    place = np.minimum((values * bins).astype(int), bins - 1)
    residuals = np.zeros((len(values), bins))
    residuals[np.arange(len(values)), place] = positive - values
    return residuals


def weighted_error(residuals: Array, weights: Array) -> Array:
    """Return the expected calibration error for each row of weights, shape (b,).

    Parameters
    ----------
    residuals : ndarray of float64, shape (texts, bins)
        From `bin_residuals`.
    weights : ndarray of float64, shape (b, texts)
        How often each text counts.
    """
    return np.asarray(np.abs(weights @ residuals).sum(axis=1) / weights.sum(axis=1))


def error_distance(residuals: Array, weights: Array) -> Array:
    """Return how far the bins of each resample lie from the observed ones, summed, shape (b,).

    Parameters
    ----------
    residuals : ndarray of float64, shape (texts, bins)
    weights : ndarray of float64, shape (b, texts)
    """
    drawn = weights @ residuals / weights.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(drawn - residuals.mean(axis=0)).sum(axis=1))


def error_interval(
    value: float, errors: Array, distances: Array, alpha: float
) -> tuple[float, float]:
    """Return an interval of an expected calibration error from its resamples.

    The error is a sum of sizes, so chance alone makes it larger than it is, in resamples once
    more: a perfect scorer's percentile interval never holds 0. The true bins lie within the
    ``1 - alpha / 2`` quantile of the resamples' distance from the observed ones, and so does the
    true error below the observed one; that is the lower end, the upper is the resamples' own
    quantile. Conservative between the extremes (``studies/statistics/calibration_interval.py``).

    Parameters
    ----------
    value : float
        The observed error.
    errors, distances : ndarrays of float64, shape (b,)
        `weighted_error` and `error_distance` of the same resamples.
    alpha : float
        One minus the confidence level.
    """
    reach = float(np.quantile(distances, 1 - alpha / 2))
    return max(0.0, value - reach), max(value, float(np.quantile(errors, 1 - alpha / 2)))


def calibration_error(values: Array, positive: Flags, bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal width.

    The sum over bins of |share of positives - mean probability| times the bin's share of the texts.

    Examples
    --------
    >>> values, positive = np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, True, True, True])
    >>> round(calibration_error(values, positive), 4)
    0.25
    """
    residuals = bin_residuals(values, positive, bins)
    return float(weighted_error(residuals, np.ones((1, len(values))))[0])


def brier_score(values: Array, positive: Flags) -> float:
    """Return the mean squared difference between probability and label.

    Examples
    --------
    >>> round(brier_score(np.array([0.9, 0.2]), np.array([True, False])), 4)
    0.025
    """
    return float(((values - positive) ** 2).mean())


def bootstrap_texts(
    statistics: Sequence[Callable[[Array], Array]],
    clusters: NDArray[np.intp],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[Array, ...]:
    """Return each statistic in every resample of the texts, whole clusters drawn with replacement.

    Parameters
    ----------
    statistics : sequence of callable
        Each takes weights of shape (b, texts) and returns values of shape (b,).
    clusters : ndarray of int, shape (texts,)
        The cluster of each text, numbered from 0 without gaps; where texts are independent, each
        is its own.
    resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of ndarray of float64, shape (resamples,)
        One per statistic, all of the same resamples.
    """
    count = int(clusters.max()) + 1
    step = max(1, _CHUNK_CELLS // len(clusters))
    found: list[list[Array]] = [[] for _ in statistics]
    for start in range(0, resamples, step):
        weights = resample_counts(min(step, resamples - start), count, rng)[:, clusters]
        for held, statistic in zip(found, statistics, strict=True):
            held.append(statistic(weights))
    return tuple(np.concatenate(held) for held in found)
