"""What a verdict rests on in a few words, for a table; empty where its numbers say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmaudit.findings import Because, Estimate, Finding
from llmaudit.verdicts.spoken import count, spoken_of


def number(value: float | None) -> str:
    """Return a number in four significant digits, ``unknown`` for None."""
    return "unknown" if value is None else f"{round(value, 12) + 0.0:.4g}"


def list_reasons(reasons: Mapping[str, int]) -> str:
    """Return why outcomes are missing, each reason with its count."""
    listed = ", ".join(f"{reason} {number_of:,}" for reason, number_of in sorted(reasons.items()))
    return listed or "no reason recorded"


def deciding(finding: Finding) -> Estimate:
    """Return the estimate that decided."""
    if finding.estimate is None:
        raise ValueError(f"check {finding.check!r} was judged without an estimate")
    return finding.estimate


def quoted(part: str) -> str:
    """Return a group's name in quotation marks."""
    return f"“{part}”"


def as_sentence(text: str) -> str:
    """Return a text with a full stop at its end, and only one."""
    return f"{text.rstrip('. ')}."


def say_more(finding: Finding) -> str:
    """Return how many prompts would settle an open check."""
    return count(finding.more_prompts or 0, "more prompt", "more prompts")


def _few_beyond(finding: Finding) -> str:
    part = deciding(finding).part
    which = [] if part == "all" else [f"{quoted(part)} decides"]
    if finding.scorer_own is not None:
        which.append(f"larger than the scorer's own {own_size(finding)}")
    return "; ".join(which)


def _few_missing_limit(finding: Finding) -> str:
    missing, total, limit = count_missing(finding)
    return (
        f"{missing:,} of {total:,} outcomes are missing "
        f"({list_reasons(finding.detail['missing'])}), more than the {100 * limit:.3g} % that "
        "the policy allows"
    )


def count_missing(finding: Finding) -> tuple[int, int, float]:
    """Return how many outcomes are missing, how many there should be, and the policy's limit."""
    missing = int(finding.detail["n_missing"])
    return missing, missing + int(finding.detail["n"]), float(finding.detail["max_missing"])


def own_size(finding: Finding) -> str:
    """Return the size of the scorer's own disparity, in the metric's words."""
    return spoken_of(finding.metric).size(abs(finding.scorer_own or 0.0))


def unknown_groups(finding: Finding) -> str:
    """Return the groups for which the scorer's own disparity is not known."""
    return ", ".join(quoted(part) for part in finding.detail["scorer_unknown"])


FEW: Mapping[Because, Callable[[Finding], str]] = {
    Because.WITHIN: lambda finding: "",
    Because.BEYOND: _few_beyond,
    Because.ACROSS: lambda finding: f"about {say_more(finding)} would settle it",
    Because.OUT_OF_REACH: lambda finding: "even 100 times the data would not settle it",
    Because.NO_VALUE: lambda finding: f"no outcome of {quoted(deciding(finding).part)} to judge",
    Because.NO_INTERVAL: lambda finding: "too few templates with an outcome for an interval",
    Because.MISSING: lambda finding: (
        f"{count(deciding(finding).n_missing, 'missing outcome', 'missing outcomes')} could "
        "decide it"
    ),
    Because.SCORER_AS_LARGE: lambda finding: (
        f"not larger than the scorer's own {own_size(finding)} for {quoted(deciding(finding).part)}"
    ),
    Because.SCORER_HIDES: lambda finding: (
        f"the scorer's own {own_size(finding)} for {quoted(deciding(finding).part)} could hide more"
    ),
    Because.SCORER_UNKNOWN: lambda finding: (
        f"own disparity of scorer {finding.scorer} not measured for {unknown_groups(finding)}"
    ),
    Because.NOT_MEASURED: lambda finding: finding.reason,
    Because.MISSING_LIMIT: _few_missing_limit,
    Because.UNDEFINED: lambda finding: finding.reason,
    Because.NOT_COVERED: lambda finding: finding.reason,
    Because.LICENCE: lambda finding: finding.reason,
}
"""How each rule is said in a few words."""
