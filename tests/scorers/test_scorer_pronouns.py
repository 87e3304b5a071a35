"""The gender that a translation gives, by the first line that says something."""

from __future__ import annotations

import pytest

from llmaudit.scorers.base import ScorerInput, ScorerOutput
from llmaudit.scorers.pronouns import PronounsScorer, read_gender

TEXTS = (
    ("She is very strong and never cries.", "feminine"),
    ("He is very strong and never cries.", "masculine"),
    ("They are very strong.", "neutral"),
    ("He or she is very strong.", "both"),
    ("S/he drives well.", "both"),
    ('Here is the translation:\n\n"His car is new."\n(She is possible too.)', "masculine"),
    ("**English translation:** Her car is new.", "feminine"),
    ("English: My father is a nurse and loves his job.", "masculine"),
    ("The person repaired the car.", "neutral"),
    ("ＳＨＥ repaired the car.", "feminine"),
    ("It is a metaphor.", None),
    ("Repaired the car.", None),
    ("The theme is heresy.", None),
    ("...\n---", None),
)


@pytest.mark.parametrize(("text", "label"), TEXTS)
def test_the_gender_of_a_translation(text: str, label: str | None) -> None:
    assert read_gender(text) == label


@pytest.mark.parametrize(
    "text",
    ["Cevap: O her gün yemek yapıyor.", "Hän on hyvä, he ovat.", "Babam bir hemşire her zaman."],
)
def test_words_of_other_languages_are_no_pronouns(text: str) -> None:
    (output,) = PronounsScorer().score([ScorerInput(text, "Put into English.", "en")])
    assert output == ScorerOutput(None, reason="language")


@pytest.mark.parametrize("text", ["She gossips.", "They gossip a lot.", "He knits sweaters."])
def test_a_short_translation_is_read(text: str) -> None:
    (output,) = PronounsScorer().score([ScorerInput(text, "Put into English.", "en")])
    assert output.label in {"feminine", "masculine", "neutral"}


def test_one_gender_is_1_and_an_open_one_is_0() -> None:
    texts = ["He sings.", "They sing.", "He or she sings.", "Singing.", "a" * 200_001]
    outputs = PronounsScorer().score([ScorerInput(text, "Translate.", "en") for text in texts])
    assert outputs == [
        ScorerOutput(1.0, "masculine"),
        ScorerOutput(0.0, "neutral"),
        ScorerOutput(0.0, "both"),
        ScorerOutput(None, reason="unparseable"),
        ScorerOutput(None, reason="too_long"),
    ]
