"""Looking at data several times while they grow, without more wrong claims than one look makes.

The looks are fixed in advance: at how many clusters each happens, and which share of alpha each may
spend. Under any dependence between looks, the probability that some look errs is at most the sum
of what they spend (the union bound), so a test that claims at look r where p <= alpha * share_r
is wrong with probability at most alpha however early it stops, and for whatever reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llmaudit.stats.parts import PartInterval

MOST_LOOKS = 4
"""More looks than this leave an early one less alpha than 10,000 resamples can show."""

_NEXT_TO = 1e-6


@dataclass(frozen=True, slots=True)
class Spending:
    """Which share of a check's alpha a look may spend, and which its last look may."""

    now: float = 1.0
    last: float = 1.0


AT_ONCE = Spending()
"""The spending of the only look there is."""


def look_sizes(clusters: int, smallest: int, most: int = MOST_LOOKS) -> tuple[int, ...]:
    """Return after how many clusters to look: all of them, a half, a quarter, ..., ascending.

    Parameters
    ----------
    clusters : int
    smallest : int
        No look at fewer clusters than this, unless they are all there are.
    most : int
        The most looks there may be.

    Examples
    --------
    >>> look_sizes(76, 10), look_sizes(22, 10), look_sizes(18, 10)
    ((10, 19, 38, 76), (11, 22), (18,))
    """
    sizes = [clusters]
    while len(sizes) < most and math.ceil(sizes[-1] / 2) >= smallest and sizes[-1] > 1:
        sizes.append(math.ceil(sizes[-1] / 2))
    return tuple(reversed(sizes))


def spend_linearly(sizes: Sequence[int]) -> tuple[float, ...]:
    """Return each look's share of alpha: the share of all clusters that it adds. Sums to 1.

    Examples
    --------
    >>> spend_linearly([10, 20, 40])
    (0.25, 0.25, 0.5)
    """
    before = (0, *sizes[:-1])
    return tuple((now - then) / sizes[-1] for then, now in zip(before, sizes, strict=True))


def distance_needed(rule: PartInterval, bound: float, alpha: float, growth: float) -> float:
    """Return how far from ``bound`` a value must lie to exclude it once the data have grown.

    Parameters
    ----------
    rule : PartInterval
        The uncertainty as it is now.
    bound : float
    alpha : float
        The level of the later look.
    growth : float
        How many times as many clusters the later look has.

    Returns
    -------
    float
        Infinite where no distance would do.
    """
    # A rule says by how much the data must grow to exclude a bound that lies away from its value;
    # with a power of one half that is (distance needed / distance)^2.
    near = bound + _NEXT_TO if rule.value == bound else bound
    needed = rule.growth(near, alpha, 0.5)
    return abs(rule.value - near) * math.sqrt(needed / growth)
