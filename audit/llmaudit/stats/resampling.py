"""Intervals from bootstrap replicates: percentile, and BCa (Efron 1987).

They suit statistics without a good standard error, such as effect sizes. Means use the studentised
bootstrap of `llmaudit.stats.bootstrap` instead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.intervals import two_sided_p, two_sided_quantile

Array = NDArray[np.float64]

MIN_DEFINED = 0.95
"""A smaller share of resamples in which the statistic is defined gives no interval."""

_STILL = 1e-12


def expanded_alpha(alpha: float, clusters: int) -> float:
    """Return the alpha whose normal quantile is sqrt(n / (n - 1)) times Student's t of ``alpha``.

    Replicates vary too little by sqrt((n - 1) / n) and take the standard error for known; for a
    mean of n clusters this makes up for both (Hesterberg 2015).

    Examples
    --------
    >>> round(expanded_alpha(0.05, 10), 4), round(expanded_alpha(0.05, 1000), 4)
    (0.0171, 0.0497)
    """
    student = two_sided_quantile(alpha, clusters - 1)
    return two_sided_p(student * math.sqrt(clusters / (clusters - 1)))


def percentile_interval(
    replicates: Array, alpha: float, levels: tuple[float, float] | None = None
) -> tuple[float, float] | None:
    """Return the percentile interval of a statistic, resamples without a value left out.

    Parameters
    ----------
    replicates : ndarray of float64, shape (b,)
        The statistic of each resample; NaN where it is not defined there.
    alpha : float
        One minus the confidence level.
    levels : (float, float), optional
        The quantiles to take in place of alpha / 2 and 1 - alpha / 2.

    Returns
    -------
    (float, float) or None
        None where more than 5 % of the resamples have no value, or where all agree: a statistic
        that cannot vary in resamples says nothing of how it would vary in new data.

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(101.0), 0.1)
    >>> round(low, 6), round(high, 6)
    (5.0, 95.0)
    """
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < MIN_DEFINED * len(replicates) or not len(defined):
        return None
    if np.ptp(defined) <= _STILL * max(1.0, float(np.abs(defined).max())):
        return None
    low, high = np.quantile(defined, levels or (alpha / 2, 1 - alpha / 2))
    return float(low), float(high)


def bca_interval(
    value: float, replicates: Array, jackknife: Array, alpha: float
) -> tuple[float, float] | None:
    """Return the bias-corrected and accelerated interval of a statistic.

    Parameters
    ----------
    value : float
        The statistic of the data.
    replicates : ndarray of float64, shape (b,)
        Of each resample; NaN where it is not defined there.
    jackknife : ndarray of float64, shape (clusters,)
        Of the data without each cluster in turn; NaN where it is not defined.
    alpha : float
        One minus the confidence level.

    Returns
    -------
    (float, float) or None
        None as in `percentile_interval`, and where every resample lies on one side of the value:
        the bias is then too large to correct.
    """
    from scipy import stats

    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return None
    # Replicates that equal the value but for rounding count half to either side.
    tie = _STILL * max(1.0, abs(value))
    share = ((defined < value - tie).mean() + (defined <= value + tie).mean()) / 2
    if not 0 < share < 1:
        return None
    bias = stats.norm.ppf(share)
    pull = np.nanmean(jackknife) - jackknife[~np.isnan(jackknife)]
    cubes, squares = (pull**3).sum(), (pull**2).sum()
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    reach = bias + stats.norm.ppf([alpha / 2, 1 - alpha / 2])
    low, high = stats.norm.cdf(bias + reach / (1 - acceleration * reach))
    return percentile_interval(replicates, alpha, (float(low), float(high)))
