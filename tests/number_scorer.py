"""A scorer of another package whose value is the number that a text holds."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from llmaudit.records import ScorerFacts
from llmaudit.scorers import ScorerInput, ScorerOutput, catalogue


def number_facts(**given: object) -> ScorerFacts:
    """Return the scorer's facts; ``given`` goes before them."""
    said: dict[str, object] = {
        "name": "numbers",
        "version": "1",
        "digest": "numbers-1",
        "construct": "number",
        "range": (0.0, 1.0),
        "higher_is": "neutral",
        "languages": ("en",),
        "licence": "Apache-2.0",
        "description": "The number in a text.",
        "threshold": 0.5,
    }
    return ScorerFacts(**{**said, **given})  # type: ignore[arg-type]


class NumberScorer:
    """Reads the first word of a text as its value; ``?`` has none."""

    def __init__(self, facts: ScorerFacts | None = None) -> None:
        self.facts = facts or number_facts()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return the numbers."""
        words = [one.text.split()[0] for one in inputs]
        return [
            ScorerOutput(None, reason="unparseable") if word == "?" else ScorerOutput(float(word))
            for word in words
        ]


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scorer be found by its name, as if its package were installed."""
    points = EntryPoints([EntryPoint("numbers", f"{__name__}:NumberScorer", catalogue.GROUP)])
    monkeypatch.setattr(catalogue, "entry_points", lambda **by: points.select(**by))
