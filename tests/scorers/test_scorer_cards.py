"""The cards of all shipped scorers: complete, true to the scorers' facts, and readable."""

from __future__ import annotations

import pytest

from llmaudit.records import ScorerFacts
from llmaudit.report.scorercards import card_view
from llmaudit.scorers import BUILT_IN, scorer_facts_without_loading
from llmaudit.scorers.cards import card_faults, load_card


def facts_of(name: str) -> ScorerFacts:
    """Return a shipped scorer's facts."""
    facts = scorer_facts_without_loading(name)
    assert facts is not None
    return facts


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_shipped_scorer_has_a_whole_card(name: str) -> None:
    facts = facts_of(name)
    assert list(card_faults(facts.card)) == []
    assert tuple(facts.card["languages"]) == facts.languages
    assert name.startswith(facts.card["name"])
    assert facts.card["caveats"]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_report_tells_every_card(name: str) -> None:
    view = card_view(facts_of(name))
    told = dict(view.facts)
    assert told["intended use"] != "unknown" and told["trained on"] != "unknown"
    assert view.limits and (view.measured or view.not_measured)
    for table in (view.measured, view.shift, *view.groups):
        if table is not None:
            assert {len(row) for row in table.rows} == {len(table.columns)}


def test_sorts_of_abuse_take_over_no_figure_of_the_whole() -> None:
    whole, part = load_card("toxicity"), load_card("toxicity-threat")
    assert part["training_data"] == whole["training_data"]
    assert set(part["evaluation"]) == {"civil_comments_small"}
    assert part["evaluation"]["civil_comments_small"]["positives"] == 194
    assert "identity_shift" not in part and "speed" not in part
