"""A measurement's parts with the rules for their intervals, missing outcomes included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.findings import Distribution, Estimate, Measurement
from llmaudit.stats import PartInterval, part_intervals

PROPORTION = "proportion"


def _pair(value: Any) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))


def _rules(
    distribution: Distribution, detail: Mapping[str, Any], filled: bool
) -> tuple[PartInterval, ...]:
    outcomes = detail.get("outcomes_filled" if filled else "outcomes")
    return part_intervals(
        distribution,
        proportion=detail.get("interval") == PROPORTION,
        bounds=_pair(detail.get("range", detail.get("observed_range"))),
        outcomes=None if outcomes is None else int(outcomes),
    )


@dataclass(frozen=True, slots=True)
class PartUncertainty:
    """One part: the rule of its observed value, and those at the extremes of what is missing.

    The interval reaches from the lowest to the highest end of all of them, so that whatever the
    missing outcomes were, it holds.
    """

    part: str
    observed: PartInterval
    extremes: tuple[PartInterval, ...]
    bounds: tuple[float, float] | None

    @property
    def rules(self) -> tuple[PartInterval, ...]:
        """Return all the rules."""
        return (self.observed, *self.extremes)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval that covers those of all rules; ends may be infinite."""
        ends = [rule.interval(alpha) for rule in self.rules]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def p_above(self, bound: float) -> float:
        """Return the largest p, over the rules, of the claim that the value exceeds ``bound``."""
        return max(rule.p_value(bound) if rule.value > bound else 1.0 for rule in self.rules)

    def p_below(self, bound: float) -> float:
        """Return the largest p, over the rules, of the claim that the value is below ``bound``."""
        return max(rule.p_value(bound) if rule.value < bound else 1.0 for rule in self.rules)

    def growth_above(self, bound: float, alpha: float, power: float) -> float:
        """Return how many times the data must grow to claim a value above ``bound``."""
        return max(
            rule.growth(bound, alpha, power) if rule.value > bound else math.inf
            for rule in self.rules
        )

    def growth_below(self, bound: float, alpha: float, power: float) -> float:
        """Return how many times the data must grow to claim a value below ``bound``."""
        return max(
            rule.growth(bound, alpha, power) if rule.value < bound else math.inf
            for rule in self.rules
        )


def part_uncertainties(measurement: Measurement) -> tuple[PartUncertainty, ...]:
    """Return the uncertainty of each part; none where the measurement is undefined."""
    if measurement.observed is None:
        return ()
    detail = measurement.detail
    observed = _rules(measurement.observed, detail, filled=False)
    extremes = [
        _rules(distribution, detail, filled=True)
        for distribution in (measurement.lowest, measurement.highest)
        if distribution is not None
    ]
    return tuple(
        PartUncertainty(
            part=part,
            observed=observed[index],
            extremes=tuple(rules[index] for rules in extremes),
            bounds=_pair(detail.get("range")),
        )
        for index, part in enumerate(measurement.parts)
    )


def _printable(
    ends: tuple[float, float], bounds: tuple[float, float] | None
) -> tuple[float | None, float | None]:
    """Return an interval's ends within their bounds; None where an end is not known."""
    least, most = bounds or (-math.inf, math.inf)
    low, high = max(ends[0], least), min(ends[1], most)
    return (None if math.isinf(low) else low), (None if math.isinf(high) else high)


def _estimate(measurement: Measurement, part: PartUncertainty, level: float) -> Estimate:
    low, high = _printable(part.interval(1 - level), part.bounds)
    method = part.observed.method
    if part.extremes:
        method += ", widened to hold whatever the missing outcomes were"
    known = not math.isnan(part.observed.value)
    groups = measurement.detail.get("groups", {})
    distribution = measurement.observed
    return Estimate(
        part=part.part,
        value=part.observed.value if known else None,
        low=low,
        high=high,
        level=level,
        n=int(groups.get(part.part, {}).get("n", measurement.n)),
        n_missing=measurement.n_missing,
        clusters=0 if distribution is None else distribution.clusters,
        method=method,
        reason=None if known else "no outcome of this group could be used",
    )


def estimates(measurement: Measurement, level: float) -> tuple[Estimate, ...]:
    """Return the estimate of every part at a confidence level, simultaneous over the parts.

    Where outcomes are missing the intervals also cover both extremes of what they could have been.
    An undefined measurement gives one estimate without a value, with the reason.

    Parameters
    ----------
    measurement : Measurement
    level : float
        For example 0.95.
    """
    if measurement.observed is None:
        return (
            Estimate(
                part="all",
                value=None,
                low=None,
                high=None,
                level=level,
                n=measurement.n,
                n_missing=measurement.n_missing,
                clusters=0,
                method="undefined",
                reason=measurement.reason or "undefined",
            ),
        )
    return part_estimates(measurement, part_uncertainties(measurement), level)


def part_estimates(
    measurement: Measurement, parts: Sequence[PartUncertainty], level: float
) -> tuple[Estimate, ...]:
    """Return the estimates of parts whose uncertainty is known already; see `estimates`."""
    return tuple(_estimate(measurement, part, level) for part in parts)
