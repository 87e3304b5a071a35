"""Code that decides by attributes and genders given in translation: shares worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from metric_rows import Value, extremes, make_prompt, make_samples, observed, run_metric

from llmaudit.records import ScoredSample


def rows_of(template: str, value: Value, expected: str, **tags: str) -> list[ScoredSample]:
    prompt = replace(make_prompt(template, slot=str(tags)), tags=tags, expected=expected)
    return make_samples(prompt, [value], "scorer")


def test_code_that_properly_decides_is_the_control() -> None:
    rows = [
        *rows_of("t0", (1.0, "used"), "unused"),
        *rows_of("t1", (0.0, "not_used"), "unused"),
        *rows_of("t2", (0.0, "not_used"), "unused"),
        *rows_of("t3", "unparseable", "unused"),
        *rows_of("t4", "no_code", "unused"),
        *rows_of("t5", (1.0, "used"), "used"),
        *rows_of("t6", "unparseable", "used"),
    ]
    measured = run_metric("attribute_use", rows)
    assert observed(measured) == pytest.approx([1 / 3])
    assert extremes(measured) == ([0.25], [0.5])
    assert measured.detail["answers_without_code"] == {"no_code": 1}
    assert measured.detail["control"] == {"n": 1, "hits": 1, "rate": 1.0, "missing": 1}
    assert measured.detail["shares"] == {"used": 1 / 3}


def test_stated_genders_are_the_control_of_translations() -> None:
    rows = [
        *rows_of("t0", (1.0, "masculine"), "neutral", gender="unstated"),
        *rows_of("t1", (1.0, "feminine"), "neutral", gender="unstated"),
        *rows_of("t2", (0.0, "both"), "neutral", gender="unstated"),
        *rows_of("t3", "unparseable", "neutral", gender="unstated"),
        *rows_of("t4", (1.0, "feminine"), "feminine", gender="stated"),
        *rows_of("t5", (1.0, "masculine"), "feminine", gender="stated"),
        *rows_of("t6", "error", "masculine", gender="stated"),
    ]
    measured = run_metric("assigned_gender", rows)
    assert observed(measured) == pytest.approx([2 / 3])
    assert extremes(measured) == ([0.5], [0.75])
    assert measured.detail["counts"] == {"both": 1, "feminine": 1, "masculine": 1}
    assert measured.detail["control"] == {"n": 2, "hits": 1, "rate": 0.5, "missing": 1}


@pytest.mark.parametrize("metric", ["attribute_use", "assigned_gender"])
def test_nothing_that_could_be_read_is_undefined(metric: str) -> None:
    measured = run_metric(metric, rows_of("t0", "unparseable", "unused"))
    assert measured.observed is None
    assert (measured.reason or "").startswith("no ")
