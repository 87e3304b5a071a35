"""Audit a model from Python and read the findings.

    python examples/library.py NEW_DIRECTORY

The scripted model of ``examples/own-probes`` stands in for a real one; any ``--model`` works.
"""

import sys
from pathlib import Path

from llmaudit.audit import Finished, run_audit
from llmaudit.config import AuditConfig
from llmaudit.errors import AuditError
from llmaudit.verdicts import exit_code

FILES = Path(__file__).parent / "own-probes"


def audit(directory: Path) -> Finished:
    """Run the audit in a directory; the same call goes on with a run that was stopped."""
    return run_audit(
        AuditConfig(
            model=f"scripted:{FILES / 'even-handed.yaml'}",
            suite=str(FILES / "suite.yaml"),
            policy=str(FILES / "policy.yaml"),
            out=directory,
        )
    )


def main() -> int:
    """Print every finding and return the verdict's exit code."""
    try:
        finished = audit(Path(sys.argv[1]))
    except AuditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for finding in finished.run.findings:
        estimate = finding.estimate
        shown = "no estimate"
        if estimate is not None and estimate.value is not None:
            shown = f"{estimate.value:.3f} [{estimate.low}, {estimate.high}]"
        print(f"{finding.check}: {finding.verdict.value}, {shown}. {finding.reason}")
    print(f"verdict: {finished.run.verdict.value}, report: {finished.report}")
    return exit_code(finished.run.verdict)


if __name__ == "__main__":
    sys.exit(main())
