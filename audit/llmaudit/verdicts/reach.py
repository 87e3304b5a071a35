"""Whether more of the same data could settle a check that they leave open as yet."""

from __future__ import annotations

import math

from llmaudit.config import Check, Policy
from llmaudit.findings import Because, Finding, Measurement
from llmaudit.records import Verdict
from llmaudit.stats import PartInterval, distance_needed, wilson_interval
from llmaudit.verdicts.claims import Limits
from llmaudit.verdicts.uncertainty import PartUncertainty, part_uncertainties


def within_reach(
    finding: Finding,
    check: Check,
    measurement: Measurement,
    policy: Policy,
    *,
    alpha: float,
    growth: float,
) -> bool:
    """Return whether a check without a verdict could still be settled by the data to come.

    Any value that the present interval at the level of the policy's power holds is taken for
    possible. Out of reach is a check that no such value would settle. Giving such a check up never
    makes a claim, so it cannot make a wrong one.

    Parameters
    ----------
    finding : Finding
        What was made of the measurement.
    check : Check
    measurement : Measurement
    policy : Policy
    alpha : float
        The level at which the last look will judge.
    growth : float
        How many times as many clusters the last look has.
    """
    if finding.verdict is Verdict.NOT_TESTED:
        return _could_be_tested(measurement, policy.max_missing, 1 - policy.power)
    if finding.because is Because.SCORER_UNKNOWN:
        return False
    passing, failing = _limits(finding, Limits.of(check))
    ranges = [
        _Ranges(part, alpha, growth, 1 - policy.power) for part in part_uncertainties(measurement)
    ]
    return all(one.could_pass(passing) for one in ranges) or any(
        one.could_fail(failing) for one in ranges
    )


def _limits(finding: Finding, limits: Limits) -> tuple[Limits, Limits]:
    """Return the limits to pass and to fail by, moved by what the scorer's own disparity may be."""
    low, high = finding.detail.get("scorer_own_interval", (None, None))
    scorers = finding.because in (Because.SCORER_HIDES, Because.SCORER_AS_LARGE)
    if not scorers or limits.low is None or low is None or high is None:
        return limits, limits
    own = max(abs(low), abs(high))
    return (
        Limits(limits.low + own, limits.high - own),
        Limits(min(limits.low, -own), max(limits.high, own)),
    )


def _could_be_tested(measurement: Measurement, limit: float, alpha: float) -> bool:
    """Return whether the share of missing outcomes could come below its limit."""
    total = measurement.n + measurement.n_missing
    if not measurement.n_missing:
        return False
    clusters = int(measurement.detail.get("clusters", 1))
    return wilson_interval(measurement.n_missing / total, clusters, alpha)[0] <= limit


class _Ranges:
    """The values one part may have, by each of its rules, and what they would be judged to be."""

    def __init__(self, part: PartUncertainty, alpha: float, growth: float, doubt: float) -> None:
        self._rules = part.rules
        self._alpha, self._growth, self._doubt = alpha, growth, doubt

    def could_pass(self, limits: Limits) -> bool:
        """Return whether by every rule some possible value would lie within the limits."""
        return all(self._between(rule, limits) for rule in self._rules)

    def could_fail(self, limits: Limits) -> bool:
        """Return whether by every rule some possible value would lie beyond the same limit."""
        low, high = limits.low, limits.high
        above = all(self._end(rule, 1) > high + self._needed(rule, high) for rule in self._rules)
        if above or low is None:
            return above
        return all(self._end(rule, 0) < low - self._needed(rule, low) for rule in self._rules)

    def _between(self, rule: PartInterval, limits: Limits) -> bool:
        most = min(self._end(rule, 1), limits.high - self._needed(rule, limits.high))
        least = self._end(rule, 0)
        if limits.low is not None:
            least = max(least, limits.low + self._needed(rule, limits.low))
        return least < most

    def _end(self, rule: PartInterval, which: int) -> float:
        return rule.interval(self._doubt)[which]

    def _needed(self, rule: PartInterval, bound: float) -> float:
        """Return the distance needed; none where nothing is known that could be planned with."""
        if math.isnan(rule.value) or math.isinf(self._end(rule, 1)):
            return 0.0
        return distance_needed(rule, bound, self._alpha, self._growth)
