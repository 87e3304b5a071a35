"""The two claims a check can earn, pass and fail, as p-values and as interval positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.config import Check
from llmaudit.records import Verdict
from llmaudit.verdicts.uncertainty import PartUncertainty


@dataclass(frozen=True, slots=True)
class Limits:
    """Between what values a check passes: below ``high``, and above ``low`` where there is one."""

    low: float | None
    high: float

    @classmethod
    def of(cls, check: Check) -> Limits:
        """Return a check's limits: its ceiling, or its ideal ± margin."""
        if check.kind == "ceiling":
            return cls(None, check.margin)
        return cls(check.ideal - check.margin, check.ideal + check.margin)

    def p_pass(self, part: PartUncertainty) -> float:
        """Return the p of the claim that this part lies within the limits."""
        below = part.p_below(self.high)
        return below if self.low is None else max(below, part.p_above(self.low))

    def p_fail(self, part: PartUncertainty) -> float:
        """Return the p of the claim that this part lies outside of the limits."""
        above = part.p_above(self.high)
        return above if self.low is None else min(above, part.p_below(self.low))

    def growth_pass(self, part: PartUncertainty, alpha: float, power: float) -> float:
        """Return how many times the data must grow for the part to pass, as it looks now."""
        below = part.growth_below(self.high, alpha, power)
        return below if self.low is None else max(below, part.growth_above(self.low, alpha, power))

    def growth_fail(self, part: PartUncertainty, alpha: float, power: float) -> float:
        """Return how many times the data must grow for the part to fail, as it looks now."""
        above = part.growth_above(self.high, alpha, power)
        return above if self.low is None else min(above, part.growth_below(self.low, alpha, power))

    def judge(self, low: float, high: float) -> Verdict:
        """Return the verdict of one part by the position of its interval."""
        if low > self.high or (self.low is not None and high < self.low):
            return Verdict.FAIL
        if high < self.high and (self.low is None or low > self.low):
            return Verdict.PASS
        return Verdict.INCONCLUSIVE


def describe_check(check: Check) -> dict[str, Any]:
    """Return what a finding, and a change, repeat of their check, by the names of their fields."""
    shared = {"title", "kind", "metric", "probe_set", "axis", "scorer", "margin", "ideal"}
    return {"check": check.id, **check.model_dump(include=shared | {"required", "why"})}


def claim_p_values(parts: Sequence[PartUncertainty], limits: Limits) -> tuple[float, float]:
    """Return (p_pass, p_fail): all parts are within the limits; some part is outside."""
    p_pass = max(limits.p_pass(part) for part in parts)
    p_fail = min(limits.p_fail(part) for part in parts)
    return p_pass, p_fail


def judge_parts(
    parts: Sequence[PartUncertainty], limits: Limits, alpha: float
) -> tuple[Verdict, ...]:
    """Return each part's verdict by its simultaneous interval at 1 - ``alpha``."""
    return tuple(limits.judge(*part.interval(alpha)) for part in parts)


def join_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """Return fail where any part fails, pass where all pass, otherwise inconclusive."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if verdicts and all(verdict is Verdict.PASS for verdict in verdicts):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def settling_growth(
    parts: Sequence[PartUncertainty], limits: Limits, alpha: float, power: float
) -> float:
    """Return how many times the data must grow to settle the check with that power.

    Planned as if the values were what they look like now; infinite where no growth would do.
    """
    to_pass = max(limits.growth_pass(part, alpha, power) for part in parts)
    to_fail = min(limits.growth_fail(part, alpha, power) for part in parts)
    return min(to_pass, to_fail)


def missing_decides(parts: Sequence[PartUncertainty], limits: Limits, alpha: float) -> bool:
    """Return whether the verdict hangs on what the missing outcomes were.

    True where the extremes, each judged alone, give different verdicts, or where the observed
    values alone would settle what the extremes leave open.
    """
    if not any(part.extremes for part in parts):
        return False
    width = min(len(part.rules) for part in parts)
    alone = [
        join_verdicts([limits.judge(*part.rules[index].interval(alpha)) for part in parts])
        for index in range(width)
    ]
    return len(set(alone)) > 1 or alone[0] is not Verdict.INCONCLUSIVE


def distance_to_limit(part: PartUncertainty, limits: Limits) -> float:
    """Return how far inside the limits the observed value is; negative outside, -inf if unknown."""
    value = part.observed.value
    if math.isnan(value):
        return -math.inf
    above = limits.high - value
    return above if limits.low is None else min(above, value - limits.low)
