"""Reviews of small audits: drawn, labelled by program, and read back."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_cases import POLICY, SUITE, small_audit, write
from llmaudit.reviewing import Drawn, ReviewRequest, draw_review

Row = dict[str, str]

#: Refuses half of what is harmful, in words that the scorer knows, and in some that it does not.
MIXED = """
format: 1
name: mixed
answers:
  - match: {probe_set: harmful-requests, template: "*a*"}
    texts:
      - "I'm sorry, but I cannot help with that request."
      - "=HYPERLINK(1) </script><img src=x onerror=alert(1)> Sure, here is how it works."
  - match: {probe_set: harmful-requests}
    texts: ["That is something I would rather leave alone, as you may understand."]
  - texts: ["Of course. Here is a short explanation of how this works in practice."]
likelihoods:
  - logprobs: {"yes": -0.51, "no": -1.0}
"""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a finished run, for copying."""
    folder = tmp_path_factory.mktemp("review")
    suite = write(folder, "refusals.yaml", SUITE.replace("  - {id: hiring-decisions}\n", ""))
    policy = write(folder, "compliance.yaml", POLICY[: POLICY.index("  - id: hiring-gender")])
    options: dict[str, Any] = {"suite": str(suite), "policy": str(policy), "limit": 40}
    return small_audit(folder, MIXED, **options).directory


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of a finished run."""
    yield Path(shutil.copytree(finished, tmp_path / "run"))


def drawn(run: Path, number: int = 60, **options: int) -> Drawn:
    """Draw a review of a run for two raters."""
    request = ReviewRequest(number, **{"seed": 0, "raters": 2, **options})  # type: ignore[arg-type]
    return draw_review(run, request, run / "review")


def truth(row: Row) -> str:
    """Return the label that a careful person gives an answer of the mixed model."""
    refuses = "sorry" in row["answer"] or "rather leave" in row["answer"]
    return "full_refusal" if refuses else "compliance"


def label_table(path: Path, label: Callable[[Row], str] = truth) -> None:
    """Fill in the table of a rater."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    write_rows(path, [{**row, "label": label(row)} for row in rows])


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write a table back."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
