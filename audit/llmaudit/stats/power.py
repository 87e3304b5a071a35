"""How small a difference the data could have shown, and how much more data would settle it."""

from __future__ import annotations

import math

MAX_GROWTH = 100.0
"""More than this many times the data is no practical advice."""


def minimum_detectable_effect(se: float, alpha: float, power: float) -> float:
    """Return (z_{1-alpha/2} + z_{power}) * se: the smallest effect found with that power.

    Examples
    --------
    >>> round(minimum_detectable_effect(1.0, 0.05, 0.8), 3)
    2.802
    """
    from scipy import stats

    return float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power)) * se


def required_clusters(clusters: int, growth: float) -> int | None:
    """Return the clusters needed when the data must grow ``growth`` times.

    The standard error shrinks with 1 / sqrt(clusters): a half-width h that must fit into a
    distance d asks for (h / d)^2 times the clusters.

    Returns
    -------
    int or None
        More than ``clusters``; None where more than 100 times the data would be needed.
    """
    if not growth <= MAX_GROWTH:
        return None
    return max(clusters + 1, math.ceil(clusters * growth))
