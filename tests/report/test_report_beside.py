"""Corrected rates and discovery rates as the report prints them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema
from run_fixture import build_run

from llmaudit.corrections import CorrectedPart, Correction
from llmaudit.findings import Measurement
from llmaudit.report import render_html, render_markdown, results_json, results_schema
from llmaudit.report.beside import (
    correction_facts,
    correction_of,
    discovery_rates,
    scorer_facts,
    shown_corrections,
)


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


def _correction(**options: Any) -> Correction:
    parts = (
        CorrectedPart("a", 0.125, 0.1, 0.15, -0.02, -0.03, -0.01, 0.8, 0.95, True),
        CorrectedPart("b", None, None, None, 0.5, 0.5, 0.5),
        CorrectedPart("c", 0.25, -1.0, 1.0, 0.25, None, None),
    )
    made = Correction(
        "share_disparity", "set", "gender", "toxicity", "others", 0.95, "in a way", None, parts
    )
    return replace(made, **options)


def test_the_scorers_own_stands_beside_what_is_left_without_it() -> None:
    assert shown_corrections(_correction()) == {
        "a": ("−0.020 [−0.030, −0.010]", "0.125 [0.100, 0.150]"),
        "b": ("0.500", "–"),
        "c": ("0.250 [–, –]", "0.250 [−1.000, 1.000]"),
    }
    assert shown_corrections(None) == {}
    assert list(scorer_facts(_correction())) == [
        (
            "corrected for the scorer",
            "in a way; 95 % intervals; shares below 0 or above 1 were set to the end",
        ),
        ("scorer's sensitivity", "a 0.80"),
        ("scorer's specificity", "a 0.95"),
    ]
    why = list(scorer_facts(_correction(reason="too few sentences")))
    assert why == [("corrected for the scorer", "no: too few sentences")]
    assert list(scorer_facts(None)) == []


def test_the_report_prints_the_correction_of_its_measurement_only() -> None:
    run = build_run()
    measured = next(one for one, _ in run.measured if one.metric == "share_disparity")
    measured = replace(measured, detail={**measured.detail, "contrast": "others"})
    fitting = _correction(
        probe_set=measured.probe_set, axis=measured.axis, scorer=measured.scorer,
        parts=(CorrectedPart(measured.parts[0], 0.0625, 0.0, 0.1, 0.03125, 0.03, 0.04),),
    )  # fmt: skip
    pairs = [
        (measured, estimates) if one.metric == "share_disparity" else (one, estimates)
        for one, estimates in run.measured
    ]
    run = replace(run, measured=tuple(pairs), corrections=(replace(fitting, contrast="x"), fitting))
    assert correction_of(run, measured) is fitting
    assert correction_of(run, None) is None
    html, markdown = render_html(run), render_markdown(run)
    assert "corrected for it" in html
    assert ("0.062" in html) and ("0.031 \\[0.030, 0.040\\]" in markdown)
    assert results_json(run)["corrections"][1]["parts"][0]["own_high"] == 0.04
    jsonschema.validate(results_json(run), results_schema())
