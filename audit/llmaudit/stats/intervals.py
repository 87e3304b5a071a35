"""Intervals of one proportion or mean, and the max-|t| quantile for several at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Distribution

_TIE = 1e-9


def wilson_interval(
    share: float, trials: float, alpha: float, df: int | None = None
) -> tuple[float, float]:
    """Return the Wilson (1927) score interval of a share.

    Parameters
    ----------
    share : float
        Observed share, 0 to 1.
    trials : float
        Number of independent outcomes; an effective number where outcomes are clustered
        (Korn and Graubard 1998).
    alpha : float
        One minus the confidence level.
    df : int, optional
        Degrees of freedom of the variance behind an effective number: t instead of normal.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson_interval(0.0, 40, 0.05)]
    [0.0, 0.0876]
    """
    z2 = two_sided_quantile(alpha, df) ** 2
    if np.isinf(z2):
        return 0.0, 1.0
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = share * (1 - share) / trials + z2 / (4 * trials**2)
    half = float(np.sqrt(z2 * spread)) / (1 + z2 / trials)
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def two_sided_quantile(alpha: float, df: float | None = None) -> float:
    """Return the 1 - alpha/2 quantile of the normal, or of Student's t with ``df``."""
    from scipy import special

    # At alpha 0 the sign of the infinity that comes back is not to be relied on.
    return abs(float(special.ndtri(alpha / 2) if df is None else special.stdtrit(df, alpha / 2)))


def two_sided_p(t: float, df: float | None = None) -> float:
    """Return P(|T| >= ``t``) under the normal, or under Student's t with ``df``."""
    from scipy import special

    tail = special.ndtr(-abs(t)) if df is None else special.stdtr(df, -abs(t))
    return float(min(1.0, 2 * tail))


def max_t_statistics(distribution: Distribution) -> NDArray[np.float64]:
    """Return the sorted max-|t| of every resample, shape (b,), parts without variation left out.

    A resample that lost some parts counts with the parts it kept; one that lost all is dropped.
    """
    moving = distribution.se > 0
    with np.errstate(invalid="ignore"):
        t = np.abs(distribution.replicates[:, moving] - distribution.value[moving])
        t /= distribution.se[moving]
    kept = t[~np.isnan(t).all(axis=1)] if t.shape[1] else t[:0]
    if not kept.size:
        return np.empty(0)
    return np.sort(np.nanmax(kept, axis=1))


def max_t_quantile(statistics: NDArray[np.float64], alpha: float) -> float:
    """Return the critical value whose rejections are those of `max_t_p` at ``alpha``.

    Infinite where there are too few resamples for so small an ``alpha``.
    """
    cells = len(statistics) + 1
    above = int(alpha * cells) + 1
    while above > 0 and above / cells > alpha:
        above -= 1
    above -= 1
    if above < 0:
        return float("inf")
    return float(statistics[max(0, len(statistics) - 1 - above)]) * (1 + _TIE)


def max_t_p(statistics: NDArray[np.float64], t: float) -> float:
    """Return (1 + resamples with max-|t| >= ``t``) / (1 + resamples), for sorted statistics."""
    below = int(np.searchsorted(statistics, t / (1 + _TIE), side="left"))
    return (1 + len(statistics) - below) / (1 + len(statistics))
