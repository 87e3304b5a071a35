"""Effect sizes and distances between samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cohens_h(share: float, other: float) -> float:
    """Return Cohen's (1988) h: 2 asin sqrt(share) - 2 asin sqrt(other), both in [0, 1].

    Examples
    --------
    >>> round(cohens_h(0.5, 0.25), 4)
    0.5236
    """
    return 2 * math.asin(math.sqrt(share)) - 2 * math.asin(math.sqrt(other))


def hedges_g_paired(values: Array, others: Array) -> float | None:
    """Return Hedges' g of paired samples: mean difference / average SD, times J.

    The standardiser is sqrt((s1^2 + s2^2) / 2), the average standard deviation of the two samples
    (d_av), not that of the differences: it says how large the difference is beside the spread
    of the scores themselves. J = Gamma(f/2) / (sqrt(f/2) Gamma((f-1)/2)) with f = pairs - 1 takes
    the small-sample bias out (Hedges 1981).

    Parameters
    ----------
    values, others : ndarray of float64, shape (pairs,)

    Returns
    -------
    float or None
        None with fewer than three pairs or where neither sample varies: there is no unit.
    """
    if len(values) < 3:
        return None
    spread = math.sqrt((float(np.var(values, ddof=1)) + float(np.var(others, ddof=1))) / 2)
    if spread <= 1e-12:
        return None
    f = len(values) - 1
    j = math.exp(math.lgamma(f / 2) - math.lgamma((f - 1) / 2)) / math.sqrt(f / 2)
    return float(np.mean(values - others)) / spread * j


def cliffs_delta(values: Array, others: Array) -> float | None:
    """Return Cliff's (1993) delta, P(value > other) - P(value < other); None where one is empty.

    Parameters
    ----------
    values, others : ndarray of float64, shapes (n,) and (m,)
    """
    if not len(values) or not len(others):
        return None
    from scipy import stats

    u = stats.mannwhitneyu(values, others, method="asymptotic").statistic
    return float(2 * u / (len(values) * len(others)) - 1)


def wasserstein_1(values: Array, others: Array) -> float | None:
    """Return the Wasserstein-1 distance of two samples in their own unit; None where one is empty.

    Parameters
    ----------
    values, others : ndarray of float64, shapes (n,) and (m,)
    """
    if not len(values) or not len(others):
        return None
    from scipy import stats

    return float(stats.wasserstein_distance(values, others))
