"""Simultaneous intervals and tests for every part of a distribution, by the rule that fits it.

Four rules, one class each. All answer the same three questions, and answer them consistently: an
interval at ``alpha`` excludes a bound exactly when that bound's p is at most ``alpha``.

- `WilsonPart`: a proportion. Score and mid-P interval on the effective number of outcomes.
- `BootstrapPart`: a mean over 5 or more clusters. Studentised max-|t| cluster bootstrap.
- `StudentPart`: a mean over 2 to 4 clusters. Student's t, Bonferroni over the parts.
- `FlatPart`: a mean whose clusters all agree exactly. No bootstrap can see beyond them, so
  the interval comes from what they could have hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Distribution
from llmaudit.stats.bootstrap import FEW_CLUSTERS
from llmaudit.stats.exact import midp_interval, midp_p
from llmaudit.stats.intervals import (
    max_t_p,
    max_t_quantile,
    max_t_statistics,
    two_sided_p,
    two_sided_quantile,
    wilson_interval,
)
from llmaudit.stats.power import minimum_detectable_effect, power_quantile, power_reach

_SETTLING_STEPS = 8

WIDENED = ", no narrower than mid-P"
"""What the method of a proportion says of its ends."""


class PartInterval(Protocol):
    """One part's value and its simultaneous uncertainty."""

    @property
    def value(self) -> float:
        """Return the point value."""
        ...

    @property
    def method(self) -> str:
        """Return how the interval is made, in words."""
        ...

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval at level 1 - ``alpha``; infinite ends where nothing is known."""
        ...

    def p_value(self, bound: float) -> float:
        """Return the two-sided p of the part's true value being ``bound``."""
        ...

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return how many times the clusters must grow to exclude ``bound`` with that power.

        Planned as if the true value were the present one.
        """
        ...

    def detectable(self, alpha: float, power: float) -> float:
        """Return the distance from a bound at which it is excluded with that power."""
        ...


@dataclass(frozen=True, slots=True)
class UnknownPart:
    """A part without a value or with a single cluster: nothing can be excluded."""

    value: float
    method: str = "no interval: fewer than two clusters have an outcome"

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the whole line."""
        return -math.inf, math.inf

    def p_value(self, bound: float) -> float:
        """Return 1."""
        return 1.0

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return infinity: there is no variance to plan with."""
        return math.inf

    def detectable(self, alpha: float, power: float) -> float:
        """Return infinity."""
        return math.inf


@dataclass(frozen=True, slots=True)
class WilsonPart:
    """A proportion of ``trials`` effective outcomes; ``share`` of alpha is this part's.

    Wilson's score interval, no narrower than the mid-P one: far from the middle, at the small
    levels of a policy with many checks, the score test errs several times as often as it says.
    """

    value: float
    trials: float
    df: int | None
    share: float
    method: str

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the score interval, or the mid-P one where that reaches further."""
        low, high = wilson_interval(self.value, self.trials, alpha * self.share, self.df)
        least, most = midp_interval(self.value, self.trials, alpha * self.share)
        return min(low, least), max(high, most)

    def _se(self, share: float) -> float:
        return math.sqrt(share * (1 - share) / self.trials)

    def _score(self, bound: float) -> float:
        if not 0 < bound < 1:
            return math.inf if self.value != bound else 0.0
        return abs(self.value - bound) / self._se(bound)

    def p_value(self, bound: float) -> float:
        """Return the larger p of the two tests, of which the interval is the inversion."""
        score = two_sided_p(self._score(bound), self.df)
        return min(1.0, max(score, midp_p(self.value, self.trials, bound)) / self.share)

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return the growth by the errors at the bound (for the test) and at the value."""
        distance = abs(self.value - bound)
        if not 0 < bound < 1 or distance == 0:
            return math.inf if self.value == bound else 0.0
        needed = two_sided_quantile(alpha * self.share, self.df) * self._se(bound)
        return ((needed + power_quantile(power) * self._se(self.value)) / distance) ** 2

    def detectable(self, alpha: float, power: float) -> float:
        """Return (quantile + z_{power}) * the standard error at the present value."""
        quantile = two_sided_quantile(alpha * self.share, self.df)
        return minimum_detectable_effect(self._se(self.value), alpha, power, quantile)


@dataclass(frozen=True, slots=True)
class BootstrapPart:
    """A mean with ``statistics``, the sorted max-|t| of the resamples over all moving parts."""

    value: float
    se: float
    clusters: int
    statistics: NDArray[np.float64]
    share: float
    method: str

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return value ± max-|t| quantile × se."""
        half = max_t_quantile(self.statistics, alpha * self.share) * self.se
        return self.value - half, self.value + half

    def p_value(self, bound: float) -> float:
        """Return the share of resamples whose max-|t| is at least that of ``bound``."""
        t = abs(self.value - bound) / self.se
        return min(1.0, max_t_p(self.statistics, t) / self.share)

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return ((quantile + z_{power}) / t)^2, the quantile that of the grown data."""
        quantile = max_t_quantile(self.statistics, alpha * self.share)
        t = abs(self.value - bound) / self.se
        return _settled_growth(t, quantile, self.clusters - 1, power)

    def detectable(self, alpha: float, power: float) -> float:
        """Return (quantile + z_{power}) * se."""
        quantile = max_t_quantile(self.statistics, alpha * self.share)
        return minimum_detectable_effect(self.se, alpha, power, quantile, self.clusters - 1)


@dataclass(frozen=True, slots=True)
class StudentPart:
    """A mean over few clusters: t with ``df``, ``share`` of alpha (Bonferroni)."""

    value: float
    se: float
    df: float
    share: float
    method: str

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return value ± t quantile × se."""
        half = two_sided_quantile(alpha * self.share, self.df) * self.se
        return self.value - half, self.value + half

    def p_value(self, bound: float) -> float:
        """Return the p of the t test times the number of parts."""
        return min(1.0, two_sided_p((self.value - bound) / self.se, self.df) / self.share)

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return ((quantile + z_{power}) / t)^2, the quantile that of the grown data."""
        quantile = two_sided_quantile(alpha * self.share, self.df)
        return _settled_growth(abs(self.value - bound) / self.se, quantile, self.df, power)

    def detectable(self, alpha: float, power: float) -> float:
        """Return (quantile + z_{power}) * se."""
        quantile = two_sided_quantile(alpha * self.share, self.df)
        return minimum_detectable_effect(self.se, alpha, power, quantile, self.df)


@dataclass(frozen=True, slots=True)
class FlatPart:
    """A mean whose ``clusters`` clusters agree exactly, of outcomes between ``low`` and ``high``.

    If a share u of all clusters differed from the ones seen, drawing none of them in G draws would
    have probability (1 - u)^G; at level 1 - alpha, u is at most 1 - alpha^(1/G). Clusters not
    seen can be anywhere in [low, high], so the mean lies within u times the way to either end:
    the rule of three for bounded means.
    """

    value: float
    clusters: int
    low: float
    high: float
    share: float
    method: str

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the mean moved by the largest hidden share towards either end."""
        hidden = -math.expm1(math.log(alpha * self.share) / self.clusters)
        low = self.value - hidden * (self.value - self.low)
        return low, self.value + hidden * (self.high - self.value)

    def _log_missed(self, bound: float) -> float:
        """Return the log-probability, per cluster, of seeing none of what ``bound`` would need."""
        room = (self.high if bound > self.value else self.low) - self.value
        needed = (bound - self.value) / room if room else math.inf
        return math.log1p(-needed) if needed < 1 else -math.inf

    def p_value(self, bound: float) -> float:
        """Return the probability of this agreement were the mean ``bound``."""
        if bound == self.value:
            return 1.0
        return min(1.0, math.exp(self.clusters * self._log_missed(bound)) / self.share)

    def growth(self, bound: float, alpha: float, power: float) -> float:
        """Return the clusters that would make the agreement improbable, over those seen."""
        if bound == self.value:
            return math.inf
        return math.log(alpha * self.share) / (self.clusters * self._log_missed(bound))

    def detectable(self, alpha: float, power: float) -> float:
        """Return infinity: without variation there is no power to plan."""
        return math.inf


def _settled_growth(t: float, quantile: float, df: float, power: float) -> float:
    """Return ((quantile + z_{power}) / t)^2 with the quantile that the grown data will have.

    More clusters also bring a smaller quantile. It is taken to fall as that of Student's t does,
    whose degrees of freedom grow with the clusters.
    """
    if t == 0 or math.isinf(quantile):
        return math.inf
    level = two_sided_p(quantile, df)
    growth = ((quantile + power_reach(power, quantile, df)) / t) ** 2
    for _ in range(_SETTLING_STEPS):
        if growth <= 1:
            return growth
        more = (df + 1) * growth - 1
        grown = two_sided_quantile(level, more)
        growth = max(1.0, ((grown + power_reach(power, grown, more)) / t) ** 2)
    return growth


def _effective_outcomes(value: float, se: float, clusters: int, outcomes: int) -> float:
    """Return outcomes / design effect, the design effect shrunk towards its largest.

    The design effect is the cluster-robust variance over that of independent outcomes, at least 1.
    Where hardly anything of the rarer kind was seen it cannot be estimated (two hits in two
    clusters look independent whatever the truth is), so it is averaged with complete
    correlation, its largest value, weighted as one more outcome of the rarer kind.
    """
    largest = outcomes / clusters
    independent = value * (1 - value) / outcomes
    estimated = max(1.0, se**2 / independent)
    rarer = min(value, 1 - value) * outcomes
    return outcomes * (rarer + 1) / (rarer * estimated + largest)


def _wilson_part(
    value: float, se: float, clusters: int, outcomes: int | None, share: float
) -> WilsonPart:
    """Return plain Wilson where each cluster has one outcome, else Wilson on effective ones.

    Where all outcomes are equal there is no variance to estimate: each cluster counts as one.
    """
    if outcomes == clusters:
        return WilsonPart(value, clusters, None, share, f"Wilson score interval{WIDENED}")
    if value in (0.0, 1.0):
        method = (
            f"Wilson score interval{WIDENED}, each of {clusters} clusters counted as one outcome"
        )
        return WilsonPart(value, clusters, None, share, method)
    trials = _effective_outcomes(value, se, clusters, outcomes or clusters)
    method = (
        f"Wilson score interval on {trials:.1f} effective outcomes (cluster-robust variance, "
        f"t with {clusters - 1} df){WIDENED}"
    )
    return WilsonPart(value, trials, clusters - 1, share, method)


def part_intervals(
    distribution: Distribution,
    *,
    proportion: bool,
    bounds: tuple[float, float] | None,
    outcomes: int | None = None,
) -> tuple[PartInterval, ...]:
    """Return one rule per part; together they hold simultaneously.

    Parameters
    ----------
    distribution : Distribution
    proportion : bool
        True where the value is a share of outcomes that are each 0 or 1.
    bounds : (float, float) or None
        Between what a single cluster's value can lie; None where that is not known.
    outcomes : int, optional
        How many outcomes a proportion is made of.
    """
    known = np.isfinite(distribution.value) & np.isfinite(distribution.se)
    flat = known & (distribution.se == 0)
    statistics = max_t_statistics(distribution)
    parts = max(1, int(known.sum()))
    moving = max(1, int((known & ~flat).sum()))
    made: list[PartInterval] = []
    for index, raw in enumerate(distribution.value):
        value, se, clusters = float(raw), float(distribution.se[index]), distribution.clusters
        if not known[index]:
            made.append(UnknownPart(value))
        elif proportion:
            made.append(_wilson_part(value, se, clusters, outcomes, 1 / parts))
        elif flat[index]:
            made.append(_flat_part(value, clusters, bounds, 1 / parts))
        elif len(statistics):
            few = f", only {clusters} clusters" if clusters < FEW_CLUSTERS else ""
            method = f"studentised max-|t| cluster bootstrap, {len(statistics):,} resamples{few}"
            made.append(BootstrapPart(value, se, clusters, statistics, moving / parts, method))
        else:
            df = clusters - 1 if distribution.df is None else float(distribution.df[index])
            method = f"t interval, {df:.3g} df, only {clusters} clusters, Bonferroni"
            made.append(StudentPart(value, se, df, 1 / parts, method))
    return tuple(made)


def _flat_part(
    value: float, clusters: int, bounds: tuple[float, float] | None, share: float
) -> PartInterval:
    if bounds is None or bounds[0] >= bounds[1]:
        return UnknownPart(value, "no interval: no outcome varies, and their range is not known")
    low, high = min(bounds[0], value), max(bounds[1], value)
    method = "all clusters agree: interval from the largest share of clusters that could differ"
    return FlatPart(value, clusters, low, high, share, method)
