"""The mid-P binomial test and interval (Lancaster 1961): exact tails, half of the seen count's own.

Also for effective numbers of outcomes, which need not be whole: a binomial tail is an incomplete
beta function of any positive numbers.
"""

from __future__ import annotations

_HALVINGS = 60


def midp_interval(share: float, trials: float, alpha: float) -> tuple[float, float]:
    """Return the interval of the shares that the mid-P test does not reject at ``alpha``.

    Parameters
    ----------
    share : float
        Observed share, 0 to 1.
    trials : float
        Number of independent outcomes, possibly an effective one.
    alpha : float
        One minus the confidence level.

    Examples
    --------
    >>> [round(bound, 4) for bound in midp_interval(0.15, 20, 0.05)]
    [0.0396, 0.3561]
    """
    low = 0.0 if share == 0 else _boundary(share, trials, alpha, (0.0, share))
    high = 1.0 if share == 1 else _boundary(share, trials, alpha, (1.0, share))
    return low, high


def midp_p(share: float, trials: float, bound: float) -> float:
    """Return the two-sided mid-P of the true share being ``bound``: twice the smaller tail."""
    if not 0 < bound < 1:
        return float(share == bound)
    above = _upper_tail(share, trials, bound)
    return min(1.0, 2 * min(above, 1 - above))


def _upper_tail(share: float, trials: float, bound: float) -> float:
    """Return P(X > x) + P(X = x) / 2 of x = share * trials hits, were the true share ``bound``."""
    from scipy import special

    hits, rest = share * trials, trials - share * trials
    reached = special.betainc(hits, rest + 1, bound) if hits > 0 else 1.0
    exceeded = special.betainc(hits + 1, rest, bound) if rest > 0 else 0.0
    return float(reached + exceeded) / 2


def _boundary(share: float, trials: float, alpha: float, ends: tuple[float, float]) -> float:
    """Return where, between a rejected end and the share itself, rejection begins."""
    rejected, kept = ends
    for _ in range(_HALVINGS):
        middle = (rejected + kept) / 2
        if midp_p(share, trials, middle) <= alpha:
            rejected = middle
        else:
            kept = middle
    return kept
