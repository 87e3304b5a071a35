"""The table of scorers: names, options, entry points and damaged installations."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from llmaudit.errors import ScorerError, UnknownNameError, UsageError
from llmaudit.records import ScorerFacts
from llmaudit.scorers import (
    BUILT_IN,
    Scorer,
    ScorerInput,
    ScorerOutput,
    cards,
    catalogue,
    list_scorers,
    load_scorer,
    scorer_facts_without_loading,
)


class OutsideScorer:
    """A scorer as another package would write it."""

    def __init__(self, value: float = 0.25) -> None:
        self.value = value
        self.facts = ScorerFacts(
            "outside", "1", "d", "c", (0.0, 1.0), "worse", ("any",), "MIT", "A scorer."
        )

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return the same value for all."""
        return [ScorerOutput(self.value) for _ in inputs]


NO_SCORER = object


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        EntryPoint(name, f"{__name__}:{target}", catalogue.GROUP)
        for name, target in (
            ("outside", "OutsideScorer"),
            ("wrong", "NO_SCORER"),
            ("broken", "absent"),
        )
    )
    monkeypatch.setattr(catalogue, "entry_points", lambda **by: points.select(**by))


def test_the_built_in_names() -> None:
    assert list_scorers()[:3] == ("toxicity", "refusal", "degeneration")
    assert {"detoxify", "detoxify:unbiased", "detoxify:multilingual"} <= set(list_scorers())


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_scorer_describes_itself_without_loading(name: str) -> None:
    facts = scorer_facts_without_loading(name)
    assert facts is not None and facts.name == name
    assert facts.licence and facts.description and facts.construct
    assert facts.range[0] < facts.range[1] and facts.higher_is in {"worse", "better", "neutral"}
    assert facts.card or name.startswith("detoxify")
    assert facts.needs in {"nothing", "files", "a GPU", "a server"}


@pytest.mark.parametrize("name", ["refusal", "degeneration"])
def test_described_and_loaded_facts_agree(name: str) -> None:
    assert load_scorer(name).facts == scorer_facts_without_loading(name)


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'toxicity'"):
        load_scorer("toxicty")
    with pytest.raises(UnknownNameError):
        scorer_facts_without_loading("nothing")
    with pytest.raises(UnknownNameError):
        load_scorer("detoxify:huge")


def test_an_unknown_option_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="does not take that option"):
        load_scorer("refusal", colour="red")


@pytest.mark.usefixtures("outside")
def test_another_packages_scorer_is_found_by_name() -> None:
    assert "outside" in list_scorers()
    scorer = load_scorer("outside", value=0.75)
    assert isinstance(scorer, Scorer)
    assert scorer.score([ScorerInput("a", "", "en")]) == [ScorerOutput(0.75)]
    assert scorer_facts_without_loading("outside") is None


@pytest.mark.usefixtures("outside")
def test_a_broken_entry_point_is_a_scorer_error() -> None:
    with pytest.raises(ScorerError, match="could not be imported"):
        load_scorer("broken")
    with pytest.raises(ScorerError, match="is no scorer"):
        load_scorer("wrong")


def test_a_loaders_own_type_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> Scorer:
        raise TypeError("something else")

    monkeypatch.setitem(dict(BUILT_IN), "refusal", (fail, fail))
    monkeypatch.setattr(catalogue, "BUILT_IN", {"refusal": (fail, fail)})
    with pytest.raises(TypeError, match="something else"):
        load_scorer("refusal")


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_damaged_card_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "x-card.json").write_text(content, encoding="utf-8")
    monkeypatch.setattr(cards, "WEIGHTS_DIR", tmp_path)
    with pytest.raises(ScorerError, match="install llmaudit again"):
        cards.load_card("x")
