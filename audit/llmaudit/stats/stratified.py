"""Shares by stratum, with intervals that stay honest where a stratum shows no hit at all.

A normal interval takes "none of 40 labelled answers was toxic" for certainty. Here every stratum
(what was known of an answer before it was labelled) has the exact interval of its own share on
effective counts, and the distances of these intervals from their shares are combined as standard
errors are: squared, weighted and added (the method of variance estimates recovery: Zou and
Donner 2008, Statistics in Medicine 27, 1693; for strata: Yan and Su 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.exact import midp_interval
from llmaudit.stats.intervals import two_sided_quantile
from llmaudit.stats.prediction_powered import LabelledSample, Powered

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bounded:
    """A value with its interval."""

    value: float
    low: float
    high: float


def effective_labels(human: Array, weight: Array, cluster: NDArray[np.intp]) -> float:
    """Return how many independent labels of equal weight the labels are worth.

    Labels over design effect; the design effect is the cluster-robust variance of the weighted
    share over that of as many independent labels, at least 1. Where hardly any label of the rarer
    kind was seen it cannot be estimated, so it is averaged with its largest value (clusters that
    agree completely), weighted as one more label of the rarer kind.

    Parameters
    ----------
    human, weight : ndarrays of float64, shape (labels,)
    cluster : ndarray of int, shape (labels,)
    """
    number = len(human)
    _, place = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(place, weight)
    least = float(sizes.sum() ** 2 / (sizes**2).sum())
    share = float(weight @ human / weight.sum())
    rarer = float(min(human.sum(), number - human.sum()))
    independent = share * (1 - share) / max(1, number - 1)
    if rarer <= 0 or independent <= 0 or len(sizes) < 2:
        return least
    residual = np.bincount(place, weight * (human - share)) / weight.sum()
    variance = len(sizes) / (len(sizes) - 1) * float(residual @ residual)
    estimated = max(1.0, variance / independent)
    return number * (rarer + 1) / (rarer * estimated + number / least)


def stratified_share(sample: LabelledSample, alpha: float) -> Bounded:
    """Return the share that people would find among all answers, by stratum.

    A stratum without a label counts with its prediction, and could be anything from 0 to 1. How
    many answers of each stratum there are varies with the clusters too; that is part of the
    interval.

    Parameters
    ----------
    sample : LabelledSample
        Its groups are not looked at.
    alpha : float
        One minus the confidence level.

    Examples
    --------
    None of 40 labelled, each a cluster of its own:

    >>> zeros = np.zeros(40, dtype=np.intp)
    >>> none = LabelledSample(np.zeros(40), np.zeros(40), np.ones(40), np.arange(40), zeros, zeros)
    >>> found = stratified_share(none, 0.05)
    >>> found.low, round(found.high, 4)
    (0.0, 0.0722)
    """
    rows = len(sample.human)
    shares = np.zeros(rows)
    below = above = value = 0.0
    for stratum in np.unique(sample.stratum):
        inside = sample.stratum == stratum
        found = _stratum(sample, inside, alpha)
        part = float(inside.sum()) / rows
        shares[inside] = found.value
        value += part * found.value
        below += (part * (found.value - found.low)) ** 2
        above += (part * (found.high - found.value)) ** 2
    spread = _composition(shares - value, sample.cluster, alpha)
    low, high = value - np.sqrt(below + spread), value + np.sqrt(above + spread)
    return Bounded(value, max(0.0, float(low)), min(1.0, float(high)))


def _stratum(sample: LabelledSample, inside: NDArray[np.bool_], alpha: float) -> Bounded:
    known = inside & sample.labelled
    if not known.any():
        return Bounded(float(np.clip(sample.predicted[inside].mean(), 0, 1)), 0.0, 1.0)
    human, weight = sample.human[known], sample.weight[known]
    share = float(np.clip(weight @ human / weight.sum(), 0.0, 1.0))
    trials = effective_labels(human, weight, sample.cluster[known])
    low, high = midp_interval(share, trials, alpha)
    return Bounded(share, low, high)


def _composition(residual: Array, cluster: NDArray[np.intp], alpha: float) -> float:
    """Return the square of how far the mean reaches because clusters differ in their strata."""
    clusters = len(np.unique(cluster))
    if clusters < 2:
        return 0.0
    sums = np.bincount(cluster, residual) / len(residual)
    variance = clusters / (clusters - 1) * float(sums @ sums)
    return two_sided_quantile(alpha, clusters - 1) ** 2 * variance if variance > 0 else 0.0


def stratified_difference(sample: LabelledSample, contrast: Array, alpha: float) -> Bounded:
    """Return a contrast of the groups' shares, with the distances of their intervals combined.

    Groups are taken for independent, which is wider than need be where they share clusters.

    Parameters
    ----------
    sample : LabelledSample
    contrast : ndarray of float64, shape (groups,)
    alpha : float
    """
    below = above = value = 0.0
    for group in np.flatnonzero(contrast):
        found = stratified_share(sample.within(sample.group == group), alpha)
        factor = float(contrast[group])
        ends = sorted((factor * (found.low - found.value), factor * (found.high - found.value)))
        value += factor * found.value
        below += ends[0] ** 2
        above += ends[1] ** 2
    return Bounded(value, value - float(np.sqrt(below)), value + float(np.sqrt(above)))


def widen(
    powered: Powered, exact: Bounded, alpha: float, ends: tuple[float, float]
) -> tuple[float, float]:
    """Return the interval of prediction-powered inference, widened to that of the strata.

    Where labels of every kind are many the two all but agree; where they are few only the second is
    to be relied on.

    Parameters
    ----------
    powered : Powered
    exact : Bounded
    alpha : float
    ends : (float, float)
        What the value cannot leave.
    """
    low, high = powered.interval(alpha)
    return max(ends[0], min(low, exact.low)), min(ends[1], max(high, exact.high))
