"""What a verdict rests on, in a few words for a terminal; the report says it in full."""

from __future__ import annotations

import re

from llmaudit.findings import Finding
from llmaudit.records import Verdict
from llmaudit.report.wording import number

_COVERAGE = "coverage:"
_NO_SET = "No probe set of this run "
_SHORTER = (
    (re.compile(r"^Probe set .+ is (not in suite .+)\.$"), r"\1"),
    (re.compile(r"^The measure is undefined: (.+)\.$"), r"\1"),
    (re.compile(r"^Scorer (\S+) could not be loaded: .*$", re.DOTALL), r"scorer \1 not loaded"),
    (re.compile(r"^The own disparity of (scorer .+) is not measured for (.+?), so .*$", re.DOTALL),
     r"own disparity of \1 not measured for \2"),
    (re.compile(r"^(The value|[Tt]he value for .+?) is .*?\(interval .+? to .+?\), "), ""),
    (re.compile(r"^which does not settle whether .+?; it is so close that even 100 times .*$"),
     "too close: even 100 times the data would not settle it"),
    (re.compile(r"^which does not settle whether it is .+?; there is no outcome.*$"),
     "there is no outcome to judge"),
)  # fmt: skip


def describe_finding(finding: Finding, suite: str) -> str:
    """Return what a finding's verdict rests on; nothing where there is nothing to add.

    Parameters
    ----------
    finding : Finding
    suite : str
        The suite's id.
    """
    if finding.check.startswith(_COVERAGE) and finding.reason.startswith(_NO_SET):
        return f"not in suite {suite}"
    if finding.verdict is Verdict.INCONCLUSIVE and finding.more_prompts:
        return f"about {finding.more_prompts:,} more prompts would settle it"
    if finding.verdict is Verdict.FAIL:
        return "; ".join(filter(None, (_which_part(finding), _beside_scorer(finding))))
    if finding.verdict is Verdict.PASS:
        return ""
    if finding.verdict is Verdict.INCONCLUSIVE and _has_no_interval(finding):
        return "too few templates with an outcome for an interval"
    return shorten(finding.reason)


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


def _which_part(finding: Finding) -> str:
    part = finding.estimate.part if finding.estimate else "all"
    return "" if part == "all" else f"{part} differs most"


def _beside_scorer(finding: Finding) -> str:
    if finding.scorer_own is None:
        return ""
    return f"larger than the scorer's own {number(abs(finding.scorer_own))}"


def _has_no_interval(finding: Finding) -> bool:
    one = finding.estimate
    return one is not None and one.value is not None and (one.low is None or one.high is None)
