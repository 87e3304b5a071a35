"""What a scorer's own disparity forbids to conclude, its uncertainty included.

The same metric on neutral sentences says what difference a scorer makes by itself for a group. Two
errors follow from it: the model is told of a difference that the scorer made, or a difference of
the model's is hidden by one of the scorer's in the other direction. Both are guarded against with
the interval of the scorer's value, not with its point, because the sentences are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.findings import Estimate, Measurement
from llmaudit.verdicts.claims import Limits
from llmaudit.verdicts.uncertainty import part_uncertainties


@dataclass(frozen=True, slots=True)
class OwnPart:
    """A scorer's own disparity for one group; ends are infinite where nothing bounds them."""

    value: float
    low: float
    high: float

    @property
    def size(self) -> float:
        """Return how large it may be in either direction."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class ScorerOwn:
    """A scorer's own disparity by group, as far as it was measured."""

    parts: Mapping[str, OwnPart]

    @classmethod
    def of(cls, measurement: Measurement | None, alpha: float) -> ScorerOwn:
        """Return the own disparity with simultaneous intervals at 1 - ``alpha``.

        Where a scorer gave every group the same on every neutral sentence, what it gave is taken as
        it is: what so few sentences could hide (for 22 of them a fifth of all) is more than any
        disparity of shares, so that nothing could be told from it.
        """
        if measurement is None or measurement.observed is None:
            return cls({})
        known = {}
        for part, se in zip(part_uncertainties(measurement), measurement.observed.se, strict=True):
            value = part.observed.value
            if math.isnan(value):
                continue
            flat = se == 0 and not part.extremes
            low, high = (value, value) if flat else part.interval(alpha)
            known[part.part] = OwnPart(value, low, high)
        return cls(known)

    def unknown(self, parts: Iterable[str]) -> tuple[str, ...]:
        """Return those of the parts for which nothing is known."""
        return tuple(part for part in parts if part not in self.parts)

    def exceeded(self, estimate: Estimate) -> bool:
        """Say whether a model's whole interval lies further from 0 than the scorer's own does."""
        own = self.parts.get(estimate.part)
        if own is None or estimate.low is None or estimate.high is None:
            return False
        return estimate.low > own.size or estimate.high < -own.size

    def keeps_within(self, estimate: Estimate, limits: Limits) -> bool:
        """Say whether an interval stays within limits wherever the scorer may have moved it."""
        own = self.parts[estimate.part]
        low = -math.inf if estimate.low is None else estimate.low - max(0.0, own.high)
        high = math.inf if estimate.high is None else estimate.high - min(0.0, own.low)
        return high < limits.high and (limits.low is None or low > limits.low)

    def detail(self, parts: Sequence[str], deciding: str) -> dict[str, Any]:
        """Return what a finding keeps of it: the interval for one part, and what is not known."""
        own = self.parts.get(deciding)
        ends = [None, None] if own is None else [_finite(own.low), _finite(own.high)]
        return {"scorer_own_interval": ends, "scorer_unknown": list(self.unknown(parts))}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
