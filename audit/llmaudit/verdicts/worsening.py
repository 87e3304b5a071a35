"""By how much one part of a check got worse: its intervals, claims, and what would settle them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from llmaudit.verdicts.uncertainty import PartUncertainty

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class WorsePart:
    """One part with the uncertainty of its change, and of a disparity's total."""

    change: PartUncertainty
    total: PartUncertainty | None

    def p_worse(self, bound: float) -> float:
        """Return the p of the claim that the worsening exceeds ``bound``."""
        change, total = self.change, self.total
        if total is None:
            return change.p_above(bound)
        return min(
            max(change.p_above(bound), total.p_above(bound)),
            max(change.p_below(-bound), total.p_below(-bound)),
        )

    def p_better(self, bound: float) -> float:
        """Return the p of the claim that the worsening lies below -``bound``."""
        change, total = self.change, self.total
        if total is None:
            return change.p_below(-bound)
        return min(
            max(change.p_above(bound), total.p_below(-bound)),
            max(change.p_below(-bound), total.p_above(bound)),
        )

    def p_not_worse(self, bound: float) -> float:
        """Return the p of the claim that the worsening lies below ``bound``."""
        change, total = self.change, self.total
        if total is None:
            return change.p_below(bound)
        return max(
            min(change.p_below(bound), total.p_below(bound)),
            min(change.p_above(-bound), total.p_above(-bound)),
        )

    def p_unchanged(self, bound: float) -> float:
        """Return the p of the claim that the change lies within ± ``bound``."""
        return max(self.change.p_below(bound), self.change.p_above(-bound))

    def worsening(self, alpha: float) -> Interval:
        """Return the interval of the worsening."""
        change = self.change.interval(alpha)
        return change if self.total is None else widening(change, self.total.interval(alpha))

    @property
    def value(self) -> float:
        """Return the observed worsening."""
        change = self.change.observed.value
        if self.total is None:
            return change
        return widening((change,) * 2, (self.total.observed.value,) * 2)[0]


def widening(change: Interval, total: Interval) -> Interval:
    """Return the range of sign(D S) min(|D|, |S|) for D in ``change`` and S in ``total``."""
    mirrored = (-total[1], -total[0])
    return -_largest(change, mirrored), _largest(change, total)


def _largest(change: Interval, total: Interval) -> float:
    """Return the largest of max(min(D, S), min(-D, -S)) over the box."""
    return max(min(change[1], total[1]), min(-change[0], -total[0]))


def growth_within(part: PartUncertainty, bounds: Interval, alpha: float, power: float) -> float:
    """Return how many times the data must grow to show the part below and above its bounds."""
    high, low = bounds
    return max(
        _growth_to(part, high, lambda value: value < high, alpha, power),
        _growth_to(part, low, lambda value: value > low, alpha, power),
    )


def growth_worse(part: WorsePart, margin: float, alpha: float, power: float) -> float:
    """Return how many times the data must grow to show that the part got worse."""
    both = [part.change] if part.total is None else [part.change, part.total]
    up = [_growth_to(one, margin, lambda value: value > margin, alpha, power) for one in both]
    if part.total is None:
        return max(up)
    down = [_growth_to(one, -margin, lambda value: value < -margin, alpha, power) for one in both]
    return min(max(up), max(down))


def _growth_to(
    part: PartUncertainty,
    bound: float,
    holds: Callable[[float], bool],
    alpha: float,
    power: float,
) -> float:
    return max(
        rule.growth(bound, alpha, power) if holds(rule.value) else math.inf for rule in part.rules
    )
