"""Verdicts: measurements and a policy in, findings and the run's verdict out."""

from llmaudit.verdicts.decisions import coverage_id, decide
from llmaudit.verdicts.runs import exit_code, overall_verdict
from llmaudit.verdicts.uncertainty import estimates

__all__ = ["coverage_id", "decide", "estimates", "exit_code", "overall_verdict"]
