"""Puts numbers and verdicts into words, the same way in every report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llmaudit.findings import Counts, Finding, Timing, WaiverGrant
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


def verdict_sentence(verdict: Verdict, findings: Sequence[Finding]) -> str:
    """Return what a run's verdict means, and how many findings do not count because of waivers."""
    waived = sum(finding.waiver is not None for finding in findings)
    if not waived:
        return VERDICT_SENTENCES[verdict]
    counted = f"{_plural(waived, 'finding')} waived by the policy not counted"
    return f"{VERDICT_SENTENCES[verdict].removesuffix('.')}, {counted}."


def waiver(grant: WaiverGrant | None) -> str:
    """Return who waived a finding, until when and why; nothing where nobody did."""
    if grant is None:
        return ""
    return f"waived by {grant.owner} until {grant.expires}: {grant.reason}"


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


def duration(seconds: float) -> str:
    """Return a time in words, no more exact than an extrapolation can be.

    Examples
    --------
    >>> duration(0.2), duration(1), duration(75), duration(5_000), duration(200_000)
    ('less than a second', '1 second', '75 seconds', '83 minutes', '56 hours')
    """
    if seconds < 0.5:
        return "less than a second"
    for size, name, most in ((1, "second", 90), (60, "minute", 90), (3_600, "hour", 72)):
        if seconds < size * most:
            return _plural(round(seconds / size), name)
    return _plural(round(seconds / 86_400), "day")


def settling_cost(finding: Finding, timing: Timing) -> str:
    """Return what it takes on this machine to settle a check, or nothing where none is known."""
    seconds = timing.settling_seconds.get(finding.check)
    return "" if seconds is None else f"about {duration(seconds)} on this machine"
