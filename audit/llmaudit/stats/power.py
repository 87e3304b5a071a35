"""How small a difference the data could have shown, and how much more data would settle it."""

from __future__ import annotations

import math

from llmaudit.stats.intervals import two_sided_quantile

MAX_GROWTH = 100.0
"""More than this many times the data is no practical advice."""


def power_reach(power: float, critical: float, df: float | None = None) -> float:
    """Return how many standard errors beyond the critical value give that power.

    z_{power} where the standard error is known. Where it is estimated with ``df`` degrees of
    freedom, it varies from data to data and the critical value with it: z_{power} times
    sqrt(1 + critical^2 / (2 df)), the normal approximation to the noncentral t.
    """
    from scipy import special

    spread = 1.0 if df is None else math.sqrt(1 + critical**2 / (2 * df))
    return float(special.ndtri(power)) * spread


def power_quantile(power: float) -> float:
    """Return z_{power}."""
    return power_reach(power, 0.0)


def minimum_detectable_effect(
    se: float,
    alpha: float,
    power: float,
    critical: float | None = None,
    df: float | None = None,
) -> float:
    """Return (critical + z_{power}) * se: the smallest effect found with that power.

    Parameters
    ----------
    se : float
    alpha : float
    power : float
    critical : float, optional
        How many standard errors an estimate must lie from a bound to exclude it at ``alpha``; by
        default z_{1-alpha/2}, that of a single normal estimate.
    df : float, optional
        Degrees of freedom of ``se``, where it is not known exactly; see `power_reach`.

    Examples
    --------
    >>> round(minimum_detectable_effect(1.0, 0.05, 0.8), 3)
    2.802
    """
    needed = two_sided_quantile(alpha) if critical is None else critical
    return (needed + power_reach(power, needed, df)) * se


def required_clusters(clusters: int, growth: float) -> int | None:
    """Return the clusters needed when the data must grow ``growth`` times.

    The standard error shrinks with 1 / sqrt(clusters): a value d away from a bound is told from it
    with the wanted power where d is critical value plus z_{power} standard errors, so ``growth``
    is (critical + z_{power})^2 / (d / se)^2 (`PartInterval.growth`).

    Returns
    -------
    int or None
        More than ``clusters``; None where more than 100 times the data would be needed.
    """
    if not growth <= MAX_GROWTH:
        return None
    return max(clusters + 1, math.ceil(clusters * growth))
