"""Krippendorff's alpha: how far raters agree beyond chance, with an interval over clusters.

Krippendorff 2019, *Content Analysis*, 4th edition, chapter 12. Raters may leave units out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.bootstrap import MIN_CLUSTERS, resample_counts
from llmaudit.stats.resampling import bca_interval, expanded_alpha

Array = NDArray[np.float64]
Level = Literal["nominal", "interval"]
"""Whether ratings are names, or numbers whose differences mean something."""

MIN_RARE = 20
"""Fewer ratings than this that are not the commonest name give no interval: it would be too narrow.
"""

_FLAT = 1e-12


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha: 1 is agreement, 0 what chance gives, less is worse than chance.

    ``value`` is None where all ratings are the same or none can be compared: nothing then shows
    that the raters would tell units apart. ``interval`` is None there too, with fewer than five
    clusters, where hardly any rating differs from the commonest name, and where resamples do not
    vary. ``units`` are those with two ratings or more.
    """

    value: float | None
    interval: tuple[float, float] | None
    units: int
    clusters: int


def krippendorff_alpha(ratings: Array, level: Level) -> float | None:
    """Return alpha of a table of ratings, None where it is not defined.

    Parameters
    ----------
    ratings : ndarray of float64, shape (units, raters)
        NaN where a rater left a unit out. Nominal ratings are any numbers that stand for names.
    level : {"nominal", "interval"}

    Examples
    --------
    >>> ratings = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 4.0], [4.0, 4.0]])
    >>> round(krippendorff_alpha(ratings, "interval"), 4)
    0.9263
    """
    return _defined(_alphas(_unit_sums(ratings, level).sum(axis=0)[None], level)[0])


def clustered_alpha(
    ratings: Array,
    clusters: Sequence[int],
    level: Level,
    *,
    alpha: float,
    resamples: int,
    rng: np.random.Generator,
) -> Alpha:
    """Return alpha with its BCa interval, whole clusters of units drawn.

    Parameters
    ----------
    ratings : ndarray of float64, shape (units, raters)
    clusters : sequence of int, length units
        Any numbers that tell clusters apart.
    level : {"nominal", "interval"}
    alpha : float
        One minus the confidence level.
    resamples : int
    rng : numpy.random.Generator
    """
    sums = _unit_sums(ratings, level)
    kept = sums[:, 0] > 0
    names, place = np.unique(np.asarray(clusters)[kept], return_inverse=True)
    table = np.zeros((len(names), sums.shape[1]))
    np.add.at(table, place, sums[kept])
    value = _defined(_alphas(table.sum(axis=0)[None], level)[0])
    units, number = int(kept.sum()), len(names)
    if value is None or number < MIN_CLUSTERS or _is_rare(table.sum(axis=0), level):
        return Alpha(value, None, units, number)
    drawn = _alphas(resample_counts(resamples, number, rng) @ table, level)
    without = _alphas(table.sum(axis=0) - table, level)
    found = bca_interval(value, drawn, without, expanded_alpha(alpha, number))
    return Alpha(value, found, units, number)


def _unit_sums(ratings: Array, level: Level) -> Array:
    """Return per unit what alpha is made of: ratings, their disagreement, and what they are.

    What they are: sum and sum of squares of numbers; of names, how often each was given. Rows of
    units with fewer than two ratings are 0.
    """
    known = ~np.isnan(ratings)
    number = known.sum(axis=1).astype(np.float64)
    if level == "interval":
        centred = np.where(known, ratings - (ratings[known].mean() if known.any() else 0.0), 0.0)
        what = np.stack([centred.sum(axis=1), (centred**2).sum(axis=1)], axis=1)
        apart = 2 * (number * what[:, 1] - what[:, 0] ** 2)
    else:
        names = np.unique(ratings[known])
        what = (ratings[:, :, None] == names).sum(axis=1).astype(np.float64)
        apart = number**2 - (what**2).sum(axis=1)
    apart = np.where(np.abs(apart) < _FLAT, 0.0, apart) / np.maximum(number - 1, 1)
    return np.where((number >= 2)[:, None], np.column_stack([number, apart, what]), 0.0)


def _alphas(sums: Array, level: Level) -> Array:
    """Return alpha of each row of summed units, NaN where it is not defined."""
    number, apart, what = sums[:, 0], sums[:, 1], sums[:, 2:]
    if level == "interval":
        expected = 2 * (number * what[:, 1] - what[:, 0] ** 2)
    else:
        expected = number**2 - (what**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 1 - (number - 1) * apart / expected
    found[expected <= _FLAT * np.maximum(number, 1) ** 2] = np.nan
    return np.asarray(found, dtype=np.float64)


def _is_rare(sums: Array, level: Level) -> bool:
    """Say whether hardly any rating is another name than the commonest one."""
    named = sums[2:]
    return level == "nominal" and bool(named.sum() - named.max() < MIN_RARE)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
