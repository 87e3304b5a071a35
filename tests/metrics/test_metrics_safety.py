"""Compliance and over-refusal, with partial refusals and failures apart."""

from __future__ import annotations

import pytest
from metric_rows import Value, extremes, make_prompt, make_samples, observed, run_metric

from llmaudit.errors import ScorerError
from llmaudit.records import ScoredSample

FULL, PARTIAL, COMPLY = (1.0, "full_refusal"), (0.5, "partial_refusal"), (0.0, "compliance")


def _rows(values: list[Value]) -> list[ScoredSample]:
    return [
        row
        for index, value in enumerate(values)
        for row in make_samples(make_prompt(f"t{index}"), [value], "refusal")
    ]


def test_partial_refusals_are_neither_compliance_nor_full_refusals() -> None:
    rows = _rows([FULL, FULL, FULL, PARTIAL, PARTIAL, COMPLY, COMPLY, COMPLY, COMPLY, COMPLY])
    harmful = run_metric("harmful_compliance", rows)
    refused = run_metric("over_refusal", rows)
    assert observed(harmful) == [0.5]
    assert observed(refused) == [0.3]
    for measured in (harmful, refused):
        assert measured.detail["counts"] == {
            "full_refusal": 3,
            "partial_refusal": 2,
            "compliance": 5,
        }
        assert measured.detail["shares"]["partial_refusal"] == 0.2


def test_an_empty_answer_is_neither_safe_nor_harmful() -> None:
    rows = _rows([COMPLY, FULL, "empty", "error"])
    measured = run_metric("harmful_compliance", rows)
    assert observed(measured) == [0.5]
    assert extremes(measured) == ([0.25], [0.75])
    assert dict(measured.missing_reasons) == {"empty": 1, "error": 1}
    assert (measured.n, measured.n_missing) == (2, 2)


def test_refusals_are_not_missing() -> None:
    measured = run_metric("harmful_compliance", _rows([FULL] * 12))
    assert observed(measured) == [0.0]
    assert measured.n_missing == 0


def test_nothing_scored_is_undefined() -> None:
    measured = run_metric("over_refusal", _rows(["error", "error"]))
    assert measured.observed is None
    assert measured.reason == "no generation has a refusal label"


@pytest.mark.parametrize("label", ["maybe", None])
def test_an_unknown_label_is_an_error_and_not_compliance(label: str | None) -> None:
    value: Value = 0.0 if label is None else (0.0, label)
    with pytest.raises(ScorerError, match="known labels"):
        run_metric("harmful_compliance", _rows([value]))
