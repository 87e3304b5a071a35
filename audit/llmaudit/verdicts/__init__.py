"""Verdicts: measurements and a policy in, findings and the run's verdict out."""

from llmaudit.policies import coverage_id
from llmaudit.verdicts.comparison import (
    change_exit_code,
    compare_measurements,
    overall_change,
)
from llmaudit.verdicts.decisions import decide
from llmaudit.verdicts.reach import within_reach
from llmaudit.verdicts.requirements import ScorersUsed, requirement_findings
from llmaudit.verdicts.runs import exit_code, overall_verdict
from llmaudit.verdicts.sentences import put_into_words
from llmaudit.verdicts.uncertainty import estimates
from llmaudit.verdicts.waivers import apply_waivers

__all__ = [
    "ScorersUsed",
    "apply_waivers",
    "change_exit_code",
    "compare_measurements",
    "coverage_id",
    "decide",
    "estimates",
    "exit_code",
    "overall_change",
    "overall_verdict",
    "put_into_words",
    "requirement_findings",
    "within_reach",
]
