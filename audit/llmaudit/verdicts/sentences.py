"""One plain sentence per finding, from the numbers that decided it."""

from __future__ import annotations

from collections.abc import Mapping

from llmaudit.config import Check
from llmaudit.findings import Estimate


def number(value: float | None) -> str:
    """Return a number for a sentence: three significant digits, ``unknown`` for None."""
    return "unknown" if value is None else f"{value:.3g}"


def describe_limit(check: Check) -> str:
    """Return a check's demand, for example ``below 0.05`` or ``within 0.02 of 0``."""
    if check.kind == "ceiling":
        return f"below {number(check.margin)}"
    return f"within {number(check.margin)} of {number(check.ideal)}"


def name_part(estimate: Estimate) -> str:
    """Return whom an estimate is about."""
    return "The value" if estimate.part == "all" else f"The value for {estimate.part}"


def describe_interval(estimate: Estimate) -> str:
    """Return value and interval in words."""
    return f"{number(estimate.value)} (interval {number(estimate.low)} to {number(estimate.high)})"


def say_pass(check: Check, estimate: Estimate, parts: int) -> str:
    """Say that the whole interval of every part is within the limit."""
    closest = "" if parts == 1 else f"; of {parts} groups {estimate.part} comes closest to it"
    return (
        f"The interval {number(estimate.low)} to {number(estimate.high)} lies wholly "
        f"{describe_limit(check)}{closest}."
    )


def say_fail(check: Check, estimate: Estimate, own: float | None) -> str:
    """Say that the whole interval of a part is outside of the limit."""
    larger = "" if own is None else f", and it exceeds the scorer's own {number(own)}"
    return (
        f"{name_part(estimate)} is {describe_interval(estimate)} and should be "
        f"{describe_limit(check)}{larger}."
    )


def say_open(check: Check, estimate: Estimate, more: int | None) -> str:
    """Say that the interval reaches across the limit, and what would settle it."""
    text = (
        f"{name_part(estimate)} is {describe_interval(estimate)}, which does not settle whether "
        f"it is {describe_limit(check)}"
    )
    if estimate.value is None:
        return f"{text}; there is no outcome to judge."
    if estimate.low is None or estimate.high is None:
        return f"{text}; the clusters vary too little to draw an interval ({estimate.method})."
    if more is None:
        return f"{text}; it is so close that even 100 times the data would not."
    return f"{text}; about {more:,} more prompts would."


def say_missing(check: Check, estimate: Estimate, n_missing: int) -> str:
    """Say that the missing outcomes decide."""
    return (
        f"The {n_missing:,} missing outcomes decide it: with them at their extremes "
        f"{name_part(estimate)[0].lower()}{name_part(estimate)[1:]} is anywhere from "
        f"{number(estimate.low)} to {number(estimate.high)}, and it should be "
        f"{describe_limit(check)}."
    )


def say_too_many_missing(
    n_missing: int, total: int, limit: float, reasons: Mapping[str, int]
) -> str:
    """Say that too much is missing for a verdict."""
    listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    return (
        f"{n_missing:,} of {total:,} outcomes are missing ({listed or 'no reason recorded'}), "
        f"more than the {100 * limit:.3g} % the policy allows."
    )


def say_scorer_own(estimate: Estimate, own: float) -> str:
    """Say that the scorer's own disparity is as large."""
    return (
        f"{name_part(estimate)} is {describe_interval(estimate)}, not larger than the scorer's "
        f"own disparity of {number(own)} for the same group on neutral sentences."
    )


def say_scorer_unmeasured(scorer: str | None, part: str) -> str:
    """Say that nobody knows the scorer's own disparity."""
    return (
        f"The own disparity of scorer {scorer} is not measured for {part}, so a difference "
        "cannot be told from the scorer's own, nor its absence from one that hides it."
    )
