"""The verdict of a whole run, and the exit code it means."""

from __future__ import annotations

from collections.abc import Sequence

from llmaudit.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from llmaudit.findings import Finding
from llmaudit.records import Verdict


def overall_verdict(findings: Sequence[Finding]) -> Verdict:
    """Return a run's verdict.

    Any fail, required or not, is a fail; else any required finding that is inconclusive or not
    tested makes the run inconclusive; else it passes, provided some check has passed: a run that
    showed nothing has not passed. A licence that allows the use shows nothing of that kind, and
    what is waived does not count.
    """
    counted = [finding for finding in findings if finding.waiver is None]
    if any(finding.verdict is Verdict.FAIL for finding in counted):
        return Verdict.FAIL
    if any(f.required and f.verdict is not Verdict.PASS for f in counted):
        return Verdict.INCONCLUSIVE
    passed = any(f.verdict is Verdict.PASS and f.margin is not None for f in counted)
    return Verdict.PASS if passed else Verdict.INCONCLUSIVE


def exit_code(verdict: Verdict) -> int:
    """Return the exit code of ``run`` and ``check``: 0 pass, 1 fail, 3 anything else."""
    return {Verdict.PASS: EXIT_PASS, Verdict.FAIL: EXIT_FAIL}.get(verdict, EXIT_INCONCLUSIVE)
