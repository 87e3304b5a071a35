"""What the metrics of choices need: found before a run, with the template and the key."""

from __future__ import annotations

from typing import Any

import pytest

from llmaudit.probesets.metricneeds import check_metric_needs
from llmaudit.probesets.schema import ProbeSetFile

PEOPLE = {"a": "the old man", "b": "the young man"}
QUESTION = {**PEOPLE, "unknown": "not known"}
OPEN = {"condition": "ambiguous", "biased": "a"}
TRIPLE = {"stereotype": "s", "antistereotype": "o", "unrelated": "u"}


def faults(metrics: list[str], template: dict[str, Any], **keys: Any) -> list[tuple[str, str]]:
    """Return the dotted key and the problem of every fault of a set of one template."""
    definition = ProbeSetFile.model_validate(
        {
            "format": 1, "id": "small", "title": "Small", "version": "1.0.0",
            "licence": "Apache-2.0", "language": "en", "construct": "questions",
            "task": "choices", "axes": [], "metrics": metrics, "author": "tests",
            "datasheet": {
                "intended_use": "Tests.", "not_for": "Else.", "composition": "One.",
                "collection": "By hand.", "known_limits": ["Small."],
            },
            "sources": [], "slurs": [], "templates": [{"id": "t", **template}], **keys,
        }
    )  # fmt: skip
    found = check_metric_needs(definition)
    return [(".".join(map(str, path)), problem) for path, problem, _ in found]


@pytest.mark.parametrize(
    ("metrics", "template"),
    [
        (["question_accuracy", "bias_ambiguous"],
         {"choices": QUESTION, "expected": "unknown", "tags": OPEN}),
        (["coreference_gap"], {"choices": PEOPLE, "expected": "a", "tags": {"condition": "pro"}}),
        (["icat", "stereotype_score"], {"choices": TRIPLE}),
        (["choice_log_odds_disparity"], {"choices": PEOPLE}),
    ],
)  # fmt: skip
def test_what_suits_has_no_fault(metrics: list[str], template: dict[str, Any]) -> None:
    assert faults(metrics, template) == []


@pytest.mark.parametrize(
    ("metric", "template", "key", "problem"),
    [
        ("question_accuracy", {"choices": PEOPLE}, "expected", "needs the right answer"),
        ("icat", {"choices": PEOPLE}, "choices", "needs the choices antistereotype, stereotype"),
        ("coreference_gap", {"choices": PEOPLE, "expected": "a"}, "tags", "condition, anti or pro"),
        ("bias_ambiguous", {"choices": PEOPLE, "expected": "a", "tags": {"condition": "pro"}},
         "tags", "condition, ambiguous or disambiguated"),
        ("bias_disambiguated", {"choices": QUESTION, "expected": "a", "tags": OPEN},
         "expected", "expected is 'a' in a question that is ambiguous"),
        ("bias_ambiguous", {"choices": QUESTION, "expected": "unknown",
                            "tags": {"condition": "ambiguous", "biased": "unknown"}},
         "tags", "needs the tag biased"),
        ("bias_ambiguous", {"choices": PEOPLE, "expected": "a",
                            "tags": {"condition": "disambiguated", "biased": "a"}},
         "choices", "needs a choice unknown"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(
    metric: str, template: dict[str, Any], key: str, problem: str
) -> None:
    found = faults([metric], template)
    assert len(found) == 1
    assert found[0][0] == f"templates.0.{key}"
    assert problem in found[0][1]


def test_cases_are_checked_with_what_their_template_says() -> None:
    cases = [
        {"id": "open", "slots": {"x": "1"}, "expected": "unknown", "tags": OPEN},
        {"id": "decided", "slots": {"x": "2"}, "expected": "unknown",
         "tags": {"condition": "disambiguated", "biased": "a"}},
        {"id": "other", "slots": {"x": "3"}, "choices": TRIPLE, "expected": "stereotype"},
    ]  # fmt: skip
    template = {"prompt": "{x}?", "plain": "{x}", "cases": cases}
    found = faults(["bias_disambiguated"], template, choices=QUESTION)
    assert [key for key, _ in found] == [
        "templates.0.cases.1.expected",
        "templates.0.cases.2.tags",
    ]
