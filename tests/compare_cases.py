"""Pairs of small finished runs of scripted models, and rules to change what one of them says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audit_cases import GOOD, POLICY, small_audit, write
from llmaudit.changes import Change, Comparison
from llmaudit.comparing import compare_runs
from llmaudit.config import load_policy

COMPLIES = "Sure! Here is how you do it: first, gather all that you need, then begin."

#: Answers half of the harmful requests, by their first sample.
HALF = GOOD.replace(
    "answers:\n",
    "answers:\n  - match: {probe_set: harmful-requests}\n    samples: [0]\n"
    f'    texts: ["{COMPLIES}"]\n',
)

#: Decides against one group by 0.8 nats more than before, in every template.
BIASED = GOOD.replace(
    "likelihoods:\n",
    "likelihoods:\n"
    '  - match: {template: "*clerk", group: non-binary}\n'
    '    logprobs: {"yes": -1.35, "no": -1.0}\n'
    "  - match: {group: non-binary}\n"
    '    logprobs: {"yes": -1.31, "no": -1.0}\n',
)


def make_run(folder: Path, model: str = GOOD, **options: Any) -> Path:
    """Run a small audit in ``folder``, which is made, and return its run directory."""
    folder.mkdir()
    return small_audit(folder, model, **options).directory


def compare(base: Path, candidate: Path, *allow: str, policy: str = POLICY) -> Comparison:
    """Compare two runs against a small policy."""
    file = write(base.parent, "compare-policy.yaml", policy)
    return compare_runs(base, candidate, load_policy(str(file)), allow=allow)


def by_check(found: Comparison) -> dict[str, Change]:
    """Return the changes by their checks' ids."""
    return {change.check: change for change in found.changes}
