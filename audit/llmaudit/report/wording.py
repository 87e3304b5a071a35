"""Puts numbers and verdicts into words, the same way in every report."""

from __future__ import annotations

import math

from llmaudit.findings import Counts, Estimate, Finding
from llmaudit.records import Verdict

NO_VALUE = "–"
SYMBOLS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✕",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_TESTED: "○",
}
VERDICT_SENTENCES = {
    Verdict.PASS: "Every required check was shown to hold.",
    Verdict.FAIL: "At least one check was shown to be broken.",
    Verdict.INCONCLUSIVE: "No check was shown to be broken, but not every required check could "
    "be shown to hold.",
    Verdict.NOT_TESTED: "Nothing was tested.",
}


def number(value: float | None) -> str:
    """Return ``value`` in about three digits with a true minus sign; a dash where there is none.

    Examples
    --------
    >>> number(-0.08125), number(0.0), number(1234.5), number(None)
    ('−0.081', '0', '1,234', '–')
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.0005:
        text = f"{value:.1e}"
    elif size < 10:
        text = f"{value:.3f}"
    elif size < 1000:
        text = f"{value:.1f}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """Return an interval in brackets, or nothing where there is none."""
    if low is None and high is None:
        return ""
    return f"[{number(low)}, {number(high)}]"


def p_value(value: float | None) -> str:
    """Return a p value in three decimals, never as zero."""
    if value is None:
        return NO_VALUE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def level(value: float) -> str:
    """Return a confidence level in percent, for example ``95 %`` or ``99.5 %``."""
    return f"{value * 100:.4g} %"


def states(counts: Counts) -> str:
    """Return how many requests failed, were answered with nothing, or cannot be served at all.

    Examples
    --------
    >>> states(Counts(9, 5, 4, errors=1, empty=0, degenerate=0, refusals=0, unscored=0))
    '1 error, 0 empty answers'
    """
    said = [_plural(counts.errors, "error"), _plural(counts.empty, "empty answer")]
    if counts.unsupported:
        said.append(f"{counts.unsupported:,} unsupported by the model")
    return ", ".join(said)


def _plural(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


def margin(finding: Finding) -> str:
    """Return a check's margin as the policy means it: ``< 0.05``, or ``± 0.5`` around the ideal."""
    if finding.margin is None:
        return NO_VALUE
    if finding.kind == "ceiling":
        return f"< {finding.margin:g}"
    around = f" around {finding.ideal:g}" if finding.ideal else ""
    return f"± {finding.margin:g}{around}"


def sentence(finding: Finding) -> str:
    """Return one plain sentence on what a check found, before any reason."""
    if finding.verdict is Verdict.NOT_TESTED:
        return "This was not tested, and what was not tested cannot pass."
    said = _measured(finding.estimate)
    limit = f"the policy allows {_allowed(finding)}"
    if finding.verdict is Verdict.PASS:
        return f"{said}; {limit}, and the data show that this holds."
    if finding.verdict is Verdict.FAIL:
        return f"{said}; {limit}, and the data show that this does not hold."
    return f"{said}; {limit}, and the data settle neither that this holds nor that it does not."


def _measured(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "No value could be measured"
    part = "" if estimate.part == "all" else f" for “{estimate.part}”"
    text = f"Measured {number(estimate.value)}{part}"
    if estimate.low is None and estimate.high is None:
        return text
    low, high = number(estimate.low), number(estimate.high)
    return f"{text}, {level(estimate.level)} interval from {low} to {high}"


def _allowed(finding: Finding) -> str:
    if finding.margin is None:
        return "no margin at all"
    if finding.kind == "ceiling":
        return f"less than {finding.margin:g}"
    return f"at most {finding.margin:g} away from {finding.ideal:g} on either side"


def more_data(finding: Finding) -> str:
    """Return how much more data would settle an inconclusive check, or nothing."""
    if finding.more_prompts is None:
        return ""
    clusters = finding.more_clusters
    from_templates = f" from {clusters:,} more templates" if clusters else ""
    return f"about {finding.more_prompts:,} more prompts{from_templates} would settle it"
