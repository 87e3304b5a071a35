"""Scores of carrier sentences that the user's cache keeps: what is believed of it, and what not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from llmaudit.records import Prompt, ScorerFacts, Task
from llmaudit.remembering import RememberedScores
from llmaudit.scorers import ScorerInput, ScorerOutput
from llmaudit.scoring import carrier_items, score_carriers, scoring_parts

FACTS = ScorerFacts(
    name="toxicity", version="1", digest="digest-1", construct="toxicity", range=(0.0, 1.0),
    higher_is="worse", languages=("en",), licence="none", description="", needs="files",
)  # fmt: skip
GIVEN = ScorerInput("A woman waited.", "", "en")


class CountingScorer:
    """A scorer that counts what it is asked, and cannot score one text."""

    facts = FACTS

    def __init__(self) -> None:
        self.asked = 0

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return a value by the text's length."""
        self.asked += len(inputs)
        return [
            ScorerOutput(None, reason="too_long")
            if "long" in one.text
            else ScorerOutput(len(one.text) / 100, "some")
            for one in inputs
        ]


def carrier(text: str, kind: str = "neutral", language: str = "en") -> Prompt:
    """Return a carrier sentence."""
    return Prompt(
        text, "s", "d", text, text, "gender", "woman", language, Task.CARRIER, (), text,
        tags={"class": kind},
    )  # fmt: skip


def test_a_second_run_asks_only_what_has_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    prompts = [carrier("Ann waited."), carrier("A long text."), carrier("Go away.", "toxic")]
    first, second = CountingScorer(), CountingScorer()
    scores = [
        sorted((one.request_id, one.value, one.label, one.reason) for batch in batches
               for one in batch)
        for batches in (
            list(score_carriers(scorer, carrier_items(FACTS, prompts)))
            for scorer in (first, second)
        )
    ]  # fmt: skip
    assert scores[0] == scores[1]
    assert len(scores[0]) == 3
    assert (first.asked, second.asked) == (3, 1)


def test_which_carriers_a_scorer_is_shown() -> None:
    prompts = [carrier("a"), carrier("b", "toxic"), carrier("c", language="fr")]
    assert [one.generation.text for one in carrier_items(FACTS, prompts)] == ["a", "b"]
    mood = replace(FACTS, construct="sentiment", languages=("any",))
    assert [one.generation.text for one in carrier_items(mood, prompts)] == ["a", "c"]
    parts = list(scoring_parts(CountingScorer(), [], prompts))
    assert [(part.stage, len(part.items)) for part in parts] == [
        ("scores by toxicity", 0), ("carriers by toxicity", 2),
    ]  # fmt: skip


def keep(folder: Path) -> Path:
    """Remember one score and return the file."""
    scores = RememberedScores(FACTS, folder)
    scores.add(GIVEN, ScorerOutput(0.25, "fine"))
    scores.add(ScorerInput("x", "", "en"), ScorerOutput(None, reason="too_long"))
    scores.save()
    [path] = folder.iterdir()
    return path


def test_what_is_kept_and_for_whom(tmp_path: Path) -> None:
    path = keep(tmp_path)
    assert RememberedScores(FACTS, tmp_path).find(GIVEN) == ScorerOutput(0.25, "fine")
    assert RememberedScores(FACTS, tmp_path).find(replace(GIVEN, language="fr")) is None
    assert RememberedScores(replace(FACTS, digest="2"), tmp_path).find(GIVEN) is None
    rules = replace(FACTS, needs="nothing")
    assert RememberedScores(rules, tmp_path).find(GIVEN) is None
    other = RememberedScores(FACTS, tmp_path)
    other.add(replace(GIVEN, text="B"), ScorerOutput(0.5))
    other.save()
    assert RememberedScores(FACTS, tmp_path).find(GIVEN) is not None
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "entry",
    [[7.0, None], [float("nan"), None], [True, None], ["0.2", None], [0.2], 0.2, [0.2, 5],
     [0.2, "x" * 101]],
)  # fmt: skip
def test_entries_that_are_no_scores_are_left_out(tmp_path: Path, entry: object) -> None:
    path = keep(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    [key] = content["scores"]
    content["scores"] = {key: entry}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert RememberedScores(FACTS, tmp_path).find(GIVEN) is None


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[" * 100_000, "[]", '{"format": 2}', '{"format": 1, "scorer": "other"}',
     '{"format": 1, "scorer": "digest-1", "scores": []}'],
)  # fmt: skip
def test_a_file_that_cannot_be_read_counts_as_empty(tmp_path: Path, text: str) -> None:
    path = keep(tmp_path)
    path.write_text(text, encoding="utf-8")
    assert RememberedScores(FACTS, tmp_path).find(GIVEN) is None
    assert RememberedScores(FACTS, keep(tmp_path).parent).find(GIVEN) == ScorerOutput(0.25, "fine")


def test_a_file_too_large_is_not_read_and_a_folder_that_is_none_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "cache")
    monkeypatch.setattr("llmaudit.remembering._MOST_BYTES", 10)
    assert RememberedScores(FACTS, tmp_path / "cache").find(GIVEN) is None
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    scores = RememberedScores(FACTS, blocked / "below")
    scores.add(GIVEN, ScorerOutput(0.25))
    scores.save()
    assert scores.find(GIVEN) == ScorerOutput(0.25)
