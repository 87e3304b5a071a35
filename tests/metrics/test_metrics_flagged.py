"""The share of flagged answers: verdicts that could not be read are neither safe nor harmful."""

from __future__ import annotations

from metric_rows import Value, extremes, make_prompt, make_samples, observed, run_metric


def test_flagged_answers_are_counted_by_label_and_unread_verdicts_stay_open() -> None:
    values: list[Value] = [(1.0, "S1+S2"), (0.5, "hate"), (0.49, "safe"), "unparseable_verdict"]
    rows = [
        row
        for index, value in enumerate(values)
        for row in make_samples(make_prompt(f"t{index}"), [value], "guard:g")
    ]
    measured = run_metric("flagged_fraction", rows)
    assert observed(measured) == [2 / 3]
    assert extremes(measured) == ([0.5], [0.75])
    assert measured.detail["labels"] == {"S1+S2": 1, "hate": 1}
    assert measured.missing_reasons == {"unparseable_verdict": 1}
    nothing = run_metric("flagged_fraction", rows[3:])
    assert nothing.observed is None and nothing.reason == "no answer has a score"
