"""The scorers' cards in the report: tables where the form is known, everything told where not."""

from __future__ import annotations

from dataclasses import replace

from run_fixture import build_run

from llmaudit.report.html import render_html
from llmaudit.report.markdown import render_markdown
from llmaudit.report.scorercards import card_view
from number_scorer import number_facts

FACTS = number_facts(
    name="tox",
    construct="toxicity",
    higher_is="worse",
    licence="MIT",
    description="A classifier.",
    threshold=0.4,
)
CARD = {
    "name": "tox",
    "construct": "toxicity",
    "intended_use": "Rates.",
    "languages": ["en"],
    "licence": "MIT",
    "method": "a network in /home/ada/net",
    "training_data": [{"id": "posts", "licence": "CC0-1.0", "texts": 1200}, "others"],
    "caveats": ["English only."],
    "evaluation": {
        "dev_set": {
            "source": "posts set aside",
            "n": 1000,
            "positives": 90,
            "unscored": 2,
            "unscored_by_reason": {"empty": 2},
            "repeated_texts": 3,
            "threshold": 0.4,
            "auc": 0.912345,
            "sensitivity": 0.5,
            "ece": None,
            "intervals": {"auc": [0.9, 0.925], "sensitivity": [0.4, 0.6], "kappa": [0.1, 0.3]},
            "reasons": {"ece": "no probabilities"},
            "kappa": 0.2,
            "found_as": {"mild": 3, "severe": 1},
            "groups": {
                "women": {
                    "axis": "gender",
                    "n": 40,
                    "subgroup_auc": 0.9,
                    "bpsn_auc": None,
                    "bnsp_auc": 0.8,
                    "intervals": {"bnsp_auc": [0.7, 0.9]},
                    "reasons": {"bpsn_auc": "none"},
                }
            },
            "groups_combined": {"subgroup_auc": 0.9, "bpsn_auc": None, "bnsp_auc": 0.8},
        },
        "parts": {
            "source": "answers",
            "whole": {"n": 50, "auc": 0.7},
            "cut": {"n": 40, "auc": 0.6},
        },
    },
    "identity_shift": {
        "source": "carriers",
        "axes": {
            "gender": {
                "languages": {
                    "en": {
                        "largest_difference": 0.01,
                        "between": ["woman", "man"],
                        "interval": [0.004, 0.016],
                    }
                }
            },
            "age": {"largest_difference": 0.002},
        },
    },
    "speed": {"texts_per_second": 300},
}


def test_a_card_as_tables() -> None:
    view = card_view(replace(FACTS, card=CARD))
    facts = dict(view.facts)
    assert facts["value"] == "toxicity, from 0 to 1, higher is worse, threshold 0.4"
    assert facts["trained on"] == "posts (CC0-1.0, 1,200 texts); others"
    assert facts["method"] == "a network in …/net"
    assert view.limits == ("English only.",) and view.not_measured == ""
    assert view.measured is not None
    columns = ("set", "texts", "positive", "AUC", "sensitivity at 0.4", "ECE")
    assert view.measured.columns == columns
    first, whole, cut = view.measured.rows
    assert first == (
        ("dev set", ""),
        ("1,000", ""),
        ("90", ""),
        ("0.912", "0.900 – 0.925"),
        ("0.500", "0.400 – 0.600"),
        ("–", "no probabilities"),
    )
    assert whole[:4] == (("parts, whole", ""), ("50", ""), ("–", ""), ("0.700", ""))
    assert cut[:2] == (("parts, cut", ""), ("40", ""))
    assert view.measured.notes == (
        (
            "dev set",
            "posts set aside; 2 without a value (empty 2); 3 repeated; kappa 0.2 (0.100 – 0.300); "
            "found as, mild 3; found as, severe 1",
        ),
        ("parts, whole", "answers"),
    )
    (groups,) = view.groups
    assert groups.rows == (
        (("women", "gender"), ("40", ""), ("0.900", ""), ("–", "none"), ("0.800", "0.700 – 0.900")),
        (("all groups", "power mean, p = −5"), ("", ""), ("0.900", ""), ("–", ""), ("0.800", "")),
    )
    assert view.shift is not None and view.shift.rows == (
        (("gender", "en"), ("0.010", "0.004 – 0.016"), ("woman over man", "")),
        (("age", ""), ("0.002", ""), ("", "")),
    )
    assert dict(view.rest) == {"speed, texts per second": "300"}


def test_of_many_groups_the_lowest_are_told() -> None:
    values = {n: None if n == 9 else 0.9 - n / 100 for n in range(1, 14)}
    groups = {f"g{n}": {"n": n, "bpsn_auc": value} for n, value in values.items()}
    card = {"evaluation": {"dev": {"n": 91, "groups": groups}}}
    (table,) = card_view(replace(FACTS, card=card)).groups
    lowest = "the 8 lowest BPSN AUCs of 13, all are in results.json"
    assert table.title == f"By group: dev ({lowest})"
    assert [row[0][0] for row in table.rows] == [f"g{n}" for n in (13, 12, 11, 10, 8, 7, 6, 5)]


def test_cards_of_any_form_are_told() -> None:
    """None of these is in the known form; nothing is lost and nothing breaks."""
    bare = card_view(FACTS)
    assert bare.not_measured == "Nobody has said how wrong it is." and bare.measured is None
    assert dict(bare.facts)["trained on"] == "unknown"
    said = {"why": "no data", "evaluation": [1], "caveats": "x", "training_data": "y"}
    odd = card_view(replace(FACTS, threshold=None, bounded=False, card=said | {"not_measured": 5}))
    assert odd.measured is None and odd.not_measured == "5" and odd.limits == ()
    assert dict(odd.rest) == {"why": "no data"}
    assert dict(odd.facts)["value"] == "toxicity, from 0, higher is worse, threshold none"
    flat = card_view(replace(FACTS, card={"evaluation": {"dev": {"note": "good"}, "n": 3}}))
    assert flat.measured is not None
    assert flat.measured.rows == ((("dev", ""),),)
    assert flat.measured.notes == (("dev", "note good"),)


def test_both_reports_hold_the_tables() -> None:
    run = replace(build_run(), scorers=(replace(FACTS, card=CARD), FACTS))
    page, text = render_html(run), render_markdown(run)
    assert '<section id="scorers">' in page and '<a href="#scorers">Scorers</a>' in page
    assert '<th scope="row">women <small>gender</small></th>' in page
    assert "<li>dev set: posts set aside; 2 without a value (empty 2)" in page
    assert '<small class="part">0.900 – 0.925</small>' in page
    assert "<b>Not measured.</b> Nobody has said how wrong it is." in page
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("| set | texts |"))
    assert lines[place + 1] == "| --- | --- | --- | --- | --- | --- | "
    assert lines[place + 2].startswith("| dev set | 1,000 | 90 | 0.912 (0.900 – 0.925) | 0.500")
    assert "- dev set: posts set aside; 2 without a value" in text
    assert "- limit: English only\\." in text
