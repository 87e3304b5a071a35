"""Names of checkpoints, guards and rubrics, and what is known of them before they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmaudit.errors import ScorerError, UnknownNameError, UsageError
from llmaudit.linting import find_files, lint_files
from llmaudit.scorers import (
    check_scorer_name,
    knows_scorer,
    list_scorers,
    load_scorer,
    scorer_facts_without_loading,
)
from llmaudit.scorers.named import family_of, parse_name
from llmaudit.scorers.scorer_cards import SHIPPED, shipped_cards


def test_names_are_taken_apart() -> None:
    assert [family_of(one) for one in ("hf:a/b", "judge:x", "toxicity:threat", "refusal")] == [
        "hf", "judge", None, None,
    ]  # fmt: skip
    folder = parse_name("hf:~/models/tox#rude words")
    assert (folder.is_folder, folder.label, folder.public) == (
        True,
        "rude words",
        "hf:./tox#rude words",
    )
    assert parse_name("guard:scripted:/a/b/guard.yaml").public == "guard:scripted:guard.yaml"
    assert parse_name("guard:org/name").public == "guard:org/name"
    for wrong in ("hf:", "hf:a/b#", "judge:Not this", "guard:", "other:x"):
        with pytest.raises(UsageError):
            parse_name(wrong)
        assert not knows_scorer(wrong)


def test_unknown_names_list_the_nearest() -> None:
    check_scorer_name("hf:any/thing#label")
    with pytest.raises(UnknownNameError, match=r"did you mean 'toxicity'.*judge:RUBRIC work too"):
        check_scorer_name("toxicty")
    with pytest.raises(ScorerError, match="ScorerLoader loads it"):
        load_scorer("hf:any/thing#label")


def test_shipped_cards_and_rubrics_are_listed_and_described() -> None:
    names = [one for one in list_scorers() if family_of(one)]
    assert len(shipped_cards()) == len(list(SHIPPED.glob("*.yaml"))) == len(names) - 2
    for name in names:
        facts = scorer_facts_without_loading(name)
        assert facts is not None and facts.name == name and facts.digest == ""
        assert facts.card["not_measured"] and facts.description
    guards = {one: found.card.guard for one, found in shipped_cards().items() if found.card.guard}
    assert set(guards.values()) == {"llama-guard", "shieldgemma", "granite-guardian", "wildguard"}


def test_cards_and_rubrics_are_linted(tmp_path: Path) -> None:
    assert lint_files(find_files([SHIPPED.parent])) == []
    for source in (SHIPPED / "roberta-hate.yaml", SHIPPED.parent / "rubrics" / "refusal.yaml"):
        faulty = tmp_path / source.name
        faulty.write_text(source.read_text("utf-8").replace("languages: [en]", "language: en"))
        found = lint_files([faulty])
        assert {one.key for one in found} == {"language", "languages"}
        assert all(one.line for one in found)


def test_what_a_name_alone_tells(tmp_path: Path) -> None:
    plain = scorer_facts_without_loading("hf:org/name#bad")
    assert plain is not None and plain.construct == "unknown"
    assert "no card says what that measures" in plain.description
    assert scorer_facts_without_loading("judge:my-own") is None
    assert scorer_facts_without_loading("guard:scripted:x.yaml") is None
