"""Prediction-powered inference: labels of a few answers correct a classifier's word on all.

Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023 (Science 382, 669) add to the mean of all
predictions the mean error of the predictions on labelled answers. Angelopoulos, Duchi and Zrnic
2023 (arXiv 2311.01453, PPI++) multiply the predictions by a tuned lambda, so that useless ones
cost nothing. Here the labelled answers are a sample of known inclusion probabilities out of those
that were predicted (so predictions and labels overlap), and answers come in clusters. No step asks
the predictions to be right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.intervals import two_sided_quantile

Array = NDArray[np.float64]

_FLAT = 1e-24


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """All answers of a population: what was predicted of each, and what people said of some.

    Attributes
    ----------
    predicted : ndarray of float64, shape (rows,)
        What the classifier says of each answer.
    human : ndarray of float64, shape (rows,)
        Between 0 and 1; NaN where nobody labelled the answer.
    weight : ndarray of float64, shape (rows,)
        One over the probability with which the answer was drawn, up to a common factor.
    cluster : ndarray of int, shape (rows,)
        Numbers from 0.
    group : ndarray of int, shape (rows,)
        Numbers from 0, each of them used; all 0 where groups do not matter.
    stratum : ndarray of int, shape (rows,)
        Numbers from 0: what was known of the answers before they were labelled.
    """

    predicted: Array
    human: Array
    weight: Array
    cluster: NDArray[np.intp]
    group: NDArray[np.intp]
    stratum: NDArray[np.intp]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Say of each answer whether it is labelled."""
        return ~np.isnan(self.human)

    def within(self, chosen: NDArray[np.bool_]) -> LabelledSample:
        """Return the chosen answers as a population of one group."""
        zeros = np.zeros(int(chosen.sum()), dtype=np.intp)
        columns = (self.predicted, self.human, self.weight)
        predicted, human, weight = (column[chosen] for column in columns)
        return LabelledSample(
            predicted, human, weight, self.cluster[chosen], zeros, self.stratum[chosen]
        )


@dataclass(frozen=True, slots=True)
class Powered:
    """An estimate by prediction-powered inference.

    ``tuning`` is lambda: 0 uses the labels alone, 1 the predictions in full. ``clusters`` are those
    with a label; ``se`` is NaN where there are fewer than two.
    """

    value: float
    se: float
    tuning: float
    clusters: int

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return value ± t quantile × se, with one degree of freedom less than clusters."""
        if self.clusters < 2:
            return -np.inf, np.inf
        half = two_sided_quantile(alpha, self.clusters - 1) * self.se
        return self.value - half, self.value + half


def ppi_mean(sample: LabelledSample, tuning: float | None = None) -> Powered:
    """Return the mean that people would give all answers, were they to label each.

    With weights w that add up to N over the labelled answers, and lambda: the mean of lambda · f
    over all N answers plus the weighted mean of Y - lambda · f over the labelled ones.

    Parameters
    ----------
    sample : LabelledSample
        Its groups are not looked at.
    tuning : float, optional
        Lambda; by default the one with the smallest variance, between 0 and 1.

    Examples
    --------
    >>> f = np.array([1.0, 1.0, 0.0, 0.0])
    >>> human = np.array([1.0, np.nan, 0.0, np.nan])
    >>> zeros = np.zeros(4, dtype=np.intp)
    >>> sample = LabelledSample(f, human, np.ones(4), np.arange(4), zeros, zeros)
    >>> ppi_mean(sample, tuning=1.0).value
    0.5
    """
    everything = sample.within(np.ones(len(sample.human), dtype=np.bool_))
    return ppi_difference(everything, np.ones(1), tuning)


def ppi_difference(sample: LabelledSample, contrast: Array, tuning: float | None = None) -> Powered:
    """Return a contrast of the groups' means, as `ppi_mean` corrects them.

    Groups that share clusters are not taken for independent.

    Parameters
    ----------
    sample : LabelledSample
    contrast : ndarray of float64, shape (groups,)
        What each group's mean is multiplied by; a group at 0 needs no labels.
    tuning : float, optional
        As in `ppi_mean`; one for all groups.
    """
    means, errors, clusters = _linearise(sample, contrast)
    (labels, leaning), (of_labels, of_leaning) = means, errors
    if tuning is None:
        spread = float(of_leaning @ of_leaning)
        best = float(of_labels @ of_leaning) / spread if spread > _FLAT else 0.0
        tuning = min(1.0, max(0.0, best))
    residual = of_labels - tuning * of_leaning
    error = float("nan")
    if clusters > 1:
        error = float(np.sqrt(clusters / (clusters - 1) * (residual @ residual)))
    return Powered(labels - tuning * leaning, error, tuning, clusters)


def _linearise(
    sample: LabelledSample, contrast: Array
) -> tuple[tuple[float, float], tuple[Array, Array], int]:
    """Return two contrasts, what each cluster adds to their errors, and the clusters with labels.

    The first contrast is of the labels' means; the second of how much higher the predictions of
    labelled answers lie than those of all.
    """
    used = contrast[sample.group] != 0
    number = int(sample.cluster.max()) + 1
    labels = leaning = 0.0
    of_labels, of_leaning = np.zeros(number), np.zeros(number)
    for group in np.flatnonzero(contrast):
        rows = sample.group == group
        known = rows & sample.labelled
        share = np.where(known, sample.weight, 0.0) / sample.weight[known].sum()
        human = np.where(known, sample.human, 0.0)
        mean = float(share @ human)
        chosen, overall = float(share @ sample.predicted), float(sample.predicted[rows].mean())
        factor = float(contrast[group])
        labels += factor * mean
        leaning += factor * (chosen - overall)
        own = share * (human - mean)
        lean = share * (sample.predicted - chosen)
        lean -= np.where(rows, sample.predicted - overall, 0.0) / rows.sum()
        of_labels += factor * np.bincount(sample.cluster, own, number)
        of_leaning += factor * np.bincount(sample.cluster, lean, number)
    seen = len(np.unique(sample.cluster[used & sample.labelled]))
    return (labels, leaning), (of_labels, of_leaning), seen
