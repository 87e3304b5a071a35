"""What a verdict rests on, in a few words for a terminal; the report says it in full."""

from __future__ import annotations

import re

from llmaudit.findings import Because, Finding, Timing
from llmaudit.report.wording import settling_cost

#: Reasons for which nothing was measured, without what the table says already.
_SHORTER = (
    (re.compile(r"^Probe set .+ is (not in suite .+)\.$"), r"\1"),
    (re.compile(r"^The measure is undefined: (.+)\.$"), r"\1"),
    (re.compile(r"^Scorer (\S+) could not be loaded: .*$", re.DOTALL), r"scorer \1 not loaded"),
)
_NO_SET = "No probe set of this run "


def describe_finding(finding: Finding, suite: str, timing: Timing) -> str:
    """Return what a finding's verdict rests on; nothing where there is nothing to add.

    Parameters
    ----------
    finding : Finding
    suite : str
        The suite's id.
    timing : Timing
        What the run took, from which follows what would settle the finding.
    """
    if finding.because is Because.NOT_COVERED and finding.reason.startswith(_NO_SET):
        return f"not in suite {suite}"
    return ", ".join(filter(None, (shorten(finding.reason), settling_cost(finding, timing))))


def shorten(reason: str) -> str:
    """Return a reason without what the table says already; whole where its form is not known.

    Examples
    --------
    >>> shorten("Probe set secrets is not in suite quick.")
    'not in suite quick'
    """
    for pattern, shorter in _SHORTER:
        reason = pattern.sub(shorter, reason)
    return reason.removesuffix(".")
