"""An interval for a sum of independent estimates, from the interval of each (Zou & Donner 2008)."""

from __future__ import annotations

import math
from collections.abc import Iterable


def combine_intervals(
    terms: Iterable[tuple[float, float, float]],
) -> tuple[float, float]:
    """Return an interval for the sum of independent estimates.

    Zou and Donner's "method of variance estimates recovery" (Statistics in Medicine 27, 2008): each
    end of an estimate's interval says what its variance is on that side, and variances add. Where
    all intervals are value ± q × se, this is the delta method with the same q.

    Parameters
    ----------
    terms : iterable of (value, low, high)
        A subtracted estimate comes in as (-value, -high, -low). Infinite ends make infinite ends.

    Examples
    --------
    >>> combine_intervals([(1.0, -2.0, 4.0), (2.0, -2.0, 6.0)])
    (-2.0, 8.0)
    """
    given = list(terms)
    total = math.fsum(value for value, _, _ in given)
    below = math.hypot(*(value - low for value, low, _ in given))
    above = math.hypot(*(high - value for value, _, high in given))
    return total - below, total + above
