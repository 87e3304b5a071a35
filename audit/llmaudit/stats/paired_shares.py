"""The difference of two paired rates, from how many outcomes rose and how many fell.

Most outcomes of two similar models are equal, and where few differ a bootstrap knows nothing: the
resamples without them show no variation. So the interval is made of two score intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from llmaudit.stats.intervals import two_sided_p, two_sided_quantile
from llmaudit.stats.parts import WilsonPart
from llmaudit.stats.power import power_quantile

_STEPS = 60
_LEAST_ALPHA = 1e-12
_MOST_GROWTH = 1e4


@dataclass(frozen=True, slots=True)
class PairedSharePart:
    """Mean rise minus mean fall of paired outcomes, each with its own score interval.

    The two are joined by the method of variance estimates recovery (Zou and Donner 2008): with
    intervals [l, u] of the rise r and of the fall f, the difference lies between
    r - f - sqrt((r - l_r)^2 - 2 c (r - l_r)(u_f - f) + (u_f - f)^2) and the like above, where c
    is the correlation of two shares of one whole, -sqrt(r f / ((1 - r)(1 - f))).
    """

    rose: WilsonPart
    fell: WilsonPart

    @property
    def value(self) -> float:
        """Return the difference."""
        return self.rose.value - self.fell.value

    @property
    def method(self) -> str:
        """Return how the interval is made, in words."""
        return f"rises minus falls (Zou and Donner 2008), each: {self.rose.method}"

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval at level 1 - ``alpha``."""
        rise, fall = self.rose.value, self.fell.value
        rise_low, rise_high = self.rose.interval(alpha)
        fall_low, fall_high = self.fell.interval(alpha)
        down = self._join(rise - rise_low, fall_high - fall)
        up = self._join(rise_high - rise, fall - fall_low)
        return max(-1.0, self.value - down), min(1.0, self.value + up)

    def _join(self, one: float, other: float) -> float:
        rise, fall = self.rose.value, self.fell.value
        rest = (1 - rise) * (1 - fall)
        correlation = -math.sqrt(min(1.0, rise * fall / rest)) if rest > 0 else -1.0
        return math.sqrt(one**2 - 2 * correlation * one * other + other**2)

    def p_value(self, bound: float) -> float:
        """Return the level at which the interval just reaches ``bound``."""
        if bound == self.value:
            return 1.0

        def excludes(log_alpha: float) -> bool:
            return self._excludes(bound, math.exp(log_alpha))

        low = math.log(_LEAST_ALPHA)
        if not excludes(0.0):
            return 1.0
        return math.exp(_first(excludes, low, 0.0)) if not excludes(low) else _LEAST_ALPHA

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return how many times the outcomes must grow to exclude ``bound`` with that power."""
        wider = _planned_alpha(alpha, power)

        def excludes(log_growth: float) -> bool:
            return self._grown(math.exp(log_growth))._excludes(bound, wider)

        low, high = -math.log(_MOST_GROWTH), math.log(_MOST_GROWTH)
        if bound == self.value or not excludes(high):
            return math.inf
        return math.exp(_first(excludes, low, high))

    def detectable(self, alpha: float, power: float) -> float:
        """Return the distance from a bound at which it is excluded with that power."""
        low, high = self.interval(_planned_alpha(alpha, power))
        return max(self.value - low, high - self.value)

    def _grown(self, times: float) -> PairedSharePart:
        rose, fell = self.rose, self.fell
        return PairedSharePart(
            replace(rose, trials=rose.trials * times), replace(fell, trials=fell.trials * times)
        )

    def _excludes(self, bound: float, alpha: float) -> bool:
        low, high = self.interval(alpha)
        return bound < low or bound > high


def _planned_alpha(alpha: float, power: float) -> float:
    """Return the level whose critical value is that of ``alpha`` plus z_{power}."""
    return two_sided_p(two_sided_quantile(alpha) + power_quantile(power))


def _first(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return the smallest value between ``low`` and ``high`` from which on ``holds`` is true."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
