"""Corrected rates and discovery rates as the report prints them."""

from __future__ import annotations

from typing import Any

from llmaudit.findings import Measurement
from llmaudit.report.beside import correction_facts, discovery_rates


def _measured(detail: dict[str, Any]) -> Measurement:
    return Measurement(
        metric="toxic_fraction", probe_set="set", axis=None, scorer="toxicity", parts=("all",),
        observed=None, n=1, n_missing=0, detail=detail,
    )  # fmt: skip


def _entry(**options: Any) -> dict[str, Any]:
    given = {
        "value": 0.25, "interval": [0.1, 0.4], "sensitivity": 0.8, "specificity": 0.9,
        "positives": 1200, "negatives": 800, "reason": None,
    }  # fmt: skip
    return given | options


def test_a_corrected_rate_names_its_set_and_the_counts_behind_it() -> None:
    detail = {"corrected": {"comments": _entry()}, "corrected_level": 0.95}
    ((name, text),) = correction_facts(_measured(detail))
    assert name == "corrected for the scorer's errors on comments"
    validated = "(sensitivity 0.800 of 1,200, specificity 0.900 of 800)"
    assert text == f"0.250 [0.100, 0.400], 95 % {validated}"


def test_a_rate_that_cannot_be_corrected_says_why() -> None:
    entry = _entry(value=None, interval=None, reason="texts unlike these")
    detail = {"corrected": {"comments": entry}, "corrected_level": 0.95}
    ((_, text),) = correction_facts(_measured(detail))
    assert text.startswith("– (sensitivity")
    assert text.endswith("; texts unlike these")
    facts = list(correction_facts(_measured({"not_corrected": "No figures."})))
    assert facts == [("corrected for the scorer's errors", "No figures.")]
    assert list(correction_facts(_measured({}))) == []


def test_q_is_printed_for_groups_that_have_one() -> None:
    groups = {"a": {"no_difference_q": 0.0123}, "b": {"n": 3}, "c": {"no_difference_q": 0.0001}}
    assert discovery_rates(_measured({"groups": groups})) == {"a": "0.012", "c": "< 0.001"}
    assert discovery_rates(_measured({})) == {}
