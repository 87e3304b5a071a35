"""How well values tell two classes apart: AUC with DeLong's error, average precision, by group.

DeLong, DeLong and Clarke-Pearson 1988, Obuchowski 1997 for texts in clusters; Borkan et al. 2019
(arXiv 1903.04561) for the AUCs of a group. Ties count half in an AUC, and stand at one threshold in
an average precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.intervals import two_sided_quantile, wilson_interval

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

POWER = -5.0
"""The power of the mean that Borkan et al. combine the groups' AUCs by: low ones weigh most."""


@dataclass(frozen=True, slots=True)
class Auc:
    """The share of (positive, negative) pairs in which the positive has the higher value.

    Attributes
    ----------
    value, se : float
        ``se`` is DeLong's standard error, or Obuchowski's over clusters; NaN where a class has one
        text, which shows no variation.
    positives, negatives : int
        Independent texts of each class: clusters, where texts come in clusters.
    influence : ndarray of float64, shape (texts,)
        What each text adds to the error, 0 for texts that do not count.
    """

    value: float
    se: float
    positives: int
    negatives: int
    influence: Array

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval on the logit scale, which stays between 0 and 1.

        Where nothing varies (perfect separation, one text of a class, all values equal) the
        standard error is 0 or unknown and would claim certainty. Then it is Wilson's interval of a
        share with as many trials as the rarer class has independent texts.
        """
        if not self.se > 0:
            return wilson_interval(self.value, min(self.positives, self.negatives), alpha)
        return logit_interval(self.value, self.se, alpha)


def logit_interval(value: float, se: float, alpha: float) -> tuple[float, float]:
    """Return the interval of a value between 0 and 1 that is symmetric on the logit scale.

    Examples
    --------
    >>> [round(end, 4) for end in logit_interval(0.9, 0.03, 0.05)]
    [0.824, 0.9454]
    """
    centre = np.log(value / (1 - value))
    reach = two_sided_quantile(alpha) * se / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-np.array([centre - reach, centre + reach])))
    return float(low), float(high)


def roc_auc(
    values: Array,
    positive: Flags,
    counted: Flags | None = None,
    clusters: Places | None = None,
) -> Auc | None:
    """Return the area under the ROC curve with its standard error.

    Parameters
    ----------
    values : ndarray of float64, shape (texts,)
    positive : ndarray of bool, shape (texts,)
    counted : ndarray of bool, shape (texts,), optional
        Which texts count; all by default.
    clusters : ndarray of int, shape (texts,), optional
        Texts of one number depend on each other, whatever their class; none do by default.

    Returns
    -------
    Auc or None
        None where a class has no text.

    Examples
    --------
    >>> found = roc_auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    >>> found.value
    0.875
    """
    counted = np.ones(len(values), dtype=bool) if counted is None else counted
    ours, theirs = counted & positive, counted & ~positive
    high, low = values[ours], values[theirs]
    if not len(high) or not len(low):
        return None
    above = _share_below(high, low)
    influence = np.zeros(len(values))
    influence[ours] = _deviations(above)
    influence[theirs] = _deviations(1 - _share_below(low, high))
    sizes = (len(high), len(low))
    if clusters is not None:
        sizes = len(np.unique(clusters[ours])), len(np.unique(clusters[theirs]))
    return Auc(float(above.mean()), _error(influence, clusters), *sizes, influence)


def _error(influence: Array, clusters: Places | None) -> float:
    """Return the standard error of a sum of influences, those of one cluster added up first."""
    if clusters is None:
        return float(np.sqrt((influence**2).sum()))
    used = np.unique(clusters[influence != 0]).size
    if used < 2:
        return 0.0
    sums = np.bincount(clusters, weights=influence)
    return float(np.sqrt((sums**2).sum() * used / (used - 1)))


def _share_below(values: Array, others: Array) -> Array:
    """Return for every value the share of the others below it, ties counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return below / (2 * len(others))


def _deviations(placed: Array) -> Array:
    """Return deviations from the mean whose squares add up to the variance of that mean."""
    size = len(placed)
    if size < 2:
        return np.full(size, np.nan)
    return np.asarray((placed - placed.mean()) / np.sqrt(size * (size - 1.0)))


@dataclass(frozen=True, slots=True)
class GroupAucs:
    """The three AUCs of one group (Borkan et al. 2019); None where a class has no text.

    Attributes
    ----------
    subgroup : Auc or None
        Positive against negative texts of the group: are they told apart?
    bpsn : Auc or None
        Background positive, subgroup negative: low where harmless texts of the group score as high
        as abusive ones about others.
    bnsp : Auc or None
        Background negative, subgroup positive: low where abusive texts of the group score as low as
        harmless ones about others.
    """

    subgroup: Auc | None
    bpsn: Auc | None
    bnsp: Auc | None


def group_aucs(
    values: Array, positive: Flags, inside: Flags, clusters: Places | None = None
) -> GroupAucs:
    """Return the AUCs of the texts ``inside`` a group; all other texts are the background.

    Parameters
    ----------
    values : ndarray of float64, shape (texts,)
    positive, inside : ndarrays of bool, shape (texts,)
    clusters : ndarray of int, shape (texts,), optional
        As of `roc_auc`.
    """
    return GroupAucs(
        subgroup=roc_auc(values, positive, inside, clusters),
        bpsn=roc_auc(values, positive, inside != positive, clusters),
        bnsp=roc_auc(values, positive, inside == positive, clusters),
    )


@dataclass(frozen=True, slots=True)
class CombinedAuc:
    """A power mean of several AUCs with its standard error (delta method)."""

    value: float
    se: float

    def interval(self, alpha: float) -> tuple[float, float] | None:
        """Return the interval on the logit scale; None where the error is 0 or unknown."""
        return logit_interval(self.value, self.se, alpha) if self.se > 0 else None


def power_mean_auc(
    aucs: Sequence[Auc], power: float = POWER, clusters: Places | None = None
) -> CombinedAuc | None:
    """Return (mean of AUC ** power) ** (1 / power), as Borkan et al. combine groups.

    Parameters
    ----------
    aucs : sequence of Auc
        All of the same texts.
    power : float
    clusters : ndarray of int, shape (texts,), optional
        As of `roc_auc`.

    Returns
    -------
    CombinedAuc or None
        None without any AUC, and where one of them is 0.

    Examples
    --------
    >>> aucs = [Auc(value, 0.1, 9, 9, np.array([0.1])) for value in (0.5, 1.0)]
    >>> round(power_mean_auc(aucs).value, 4)
    0.5708
    """
    values = np.array([one.value for one in aucs])
    if not len(values) or not values.all():
        return None
    value = float((values**power).mean() ** (1 / power))
    slopes = (value / values) ** (1 - power) / len(values)
    influence = slopes @ np.array([one.influence for one in aucs])
    return CombinedAuc(value, _error(influence, clusters))


@dataclass(frozen=True, slots=True)
class RankedLabels:
    """Labels in the order of falling values, with where each distinct value begins.

    Attributes
    ----------
    positive : ndarray of float64, shape (texts,)
    starts : ndarray of int, shape (distinct values,)
    """

    positive: Array
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, values: Array, positive: Flags) -> RankedLabels:
        """Return the labels ranked by their values, highest first."""
        order = np.argsort(-values, kind="stable")
        new = np.flatnonzero(np.diff(values[order])) + 1
        return cls(positive[order].astype(float), np.concatenate(([0], new)))

    def average_precision(self, weights: Array) -> Array:
        """Return the average precision for each row of weights.

        Sum over thresholds of (recall gained) times precision, without interpolation.

        Parameters
        ----------
        weights : ndarray of float64, shape (b, texts)
            How often each text counts, in the order of falling values.

        Returns
        -------
        ndarray of float64, shape (b,)
            NaN where no positive text counts.
        """
        gained = np.add.reduceat(weights * self.positive, self.starts, axis=1)
        seen = np.add.reduceat(weights, self.starts, axis=1).cumsum(axis=1)
        found = gained.cumsum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = np.where(gained > 0, gained * found / seen, 0.0)
            return np.asarray(parts.sum(axis=1) / found[:, -1])


def average_precision(values: Array, positive: Flags) -> float | None:
    """Return the area under the precision-recall curve as average precision; None without classes.

    Examples
    --------
    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    0.8333333333333333
    """
    if not positive.any() or positive.all():
        return None
    ranked = RankedLabels.of(values, positive)
    return float(ranked.average_precision(np.ones((1, len(values))))[0])
