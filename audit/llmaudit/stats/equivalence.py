"""Equivalence by two one-sided t tests (TOST; Schuirmann 1987), for clustered and paired means.

A paired difference is clustered as any other mean: the value and its cluster-robust standard error
go in, with clusters - 1 degrees of freedom.
"""

from __future__ import annotations

import math


def equivalence_p(value: float, se: float, df: float, low: float, high: float) -> float:
    """Return the p of the claim that the true mean lies between ``low`` and ``high``.

    The larger p of the two one-sided t tests. It is at most alpha exactly when
    `equivalence_interval` at that alpha lies within the bounds.

    Parameters
    ----------
    value, se : float
        The mean (or mean paired difference) over clusters and its standard error.
    df : float
        Degrees of freedom: the clusters, minus one.
    low, high : float
        The bounds of equivalence; an infinite one is not tested.

    Returns
    -------
    float
        1 where the error is not known or 0: agreement of all clusters has no t statistic.

    Examples
    --------
    >>> round(equivalence_p(0.0, 0.01, 30, -0.02, 0.02), 4)
    0.0273
    """
    if not (math.isfinite(value) and math.isfinite(se) and se > 0):
        return 1.0
    from scipy import special

    nearest = min(value - low, high - value)
    return float(special.stdtr(df, -nearest / se))


def equivalence_interval(value: float, se: float, df: float, alpha: float) -> tuple[float, float]:
    """Return the interval form of the test: value ± t_{1-alpha} * se, at level 1 - 2 alpha."""
    from scipy import special

    half = -float(special.stdtrit(df, alpha)) * se
    return value - half, value + half
