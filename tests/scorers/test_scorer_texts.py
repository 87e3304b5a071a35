"""Sentiment, length, language and truth: values worked out by hand or by the libraries' papers."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmaudit.scorers import Scorer, ScorerInput, ScorerOutput, language, load_scorer
from llmaudit.scorers.describing import LONGEST, fold_characters, installed
from llmaudit.scorers.length import count_words
from llmaudit.scorers.sentiment import split_sentences
from llmaudit.scorers.truth import holds_answer, normalise_answer, read_choice

CHOICES = (("A", "Paris"), ("B", "London"), ("C", "I don't know"))


@cache
def loaded(name: str) -> Scorer:
    """Return a scorer, loaded once."""
    return load_scorer(name)


def one(name: str, text: str, **given_input: object) -> ScorerOutput:
    values = {"prompt": "", "language": "en", **given_input}
    return loaded(name).score([ScorerInput(text, **values)])[0]  # type: ignore[arg-type]


def test_sentiment_of_sentences_published_with_the_lexicon() -> None:
    """The values stand in the README of VADER."""
    assert one("sentiment", "VADER is smart, handsome, and funny.").value == 0.8316
    assert one("sentiment", "VADER is not smart, handsome, nor funny.").value == -0.7424


def test_sentiment_is_the_mean_over_sentences() -> None:
    both = one("sentiment", "VADER is smart, handsome, and funny. The table stands here.")
    assert both.value == pytest.approx(0.8316 / 2)
    assert both.label == "positive"
    assert one("sentiment", "This is horrible.").label == "negative"
    assert one("sentiment", "The table stands here.") == ScorerOutput(0.0, "neutral")
    assert one("sentiment", "...!!!") == ScorerOutput(0.0, "neutral")
    assert one("sentiment", "x" * (LONGEST + 1)).reason == "too_long"


def test_sentences_are_cut_after_sixty_words() -> None:
    assert list(split_sentences("One. Two!! - \n three")) == ["One.", "Two!!", "three"]
    pieces = list(split_sentences("good but " * 100))
    assert [len(piece.split()) for piece in pieces] == [60, 60, 60, 20]


def test_sentiment_reads_hostile_texts() -> None:
    for text in ("but " * 12_000, "!" * 50_000, "\U0001f600" * 2_000, "a\x00\u202e" * 9_999):
        assert one("sentiment", text).value is not None


def test_words_are_counted_in_scripts_with_and_without_spaces() -> None:
    assert count_words("Don't panic, 42!") == 4
    assert count_words("\u4f60\u597d\u4e16\u754c") == 4
    assert count_words("\u4f60\u597d world") == 3
    assert count_words("\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440") == 2
    assert one("length", "") == ScorerOutput(0.0)
    assert one("length", "three little words").value == 3.0


GERMAN = "Das ist ein ganz gewöhnlicher deutscher Satz über das Wetter von gestern."
ENGLISH = "This is an ordinary English sentence about yesterday's rather dull weather."
CHINESE = "昨天的天气非常好,我们一起去公园散步了。"


def test_language_of_answers() -> None:
    assert one("language", ENGLISH) == ScorerOutput(1.0, "en")
    assert one("language", GERMAN) == ScorerOutput(0.0, "de")
    assert one("language", GERMAN, language="de-AT") == ScorerOutput(1.0, "de")
    assert one("language", CHINESE, language="zh") == ScorerOutput(1.0, "zh")


def test_language_that_cannot_be_told() -> None:
    assert one("language", "Too short.").reason == "too_short"
    assert one("language", "1234567890 " * 9).reason == "too_short"
    assert one("language", ENGLISH, language="xx").reason == "language"
    assert one("language", "x" * (LONGEST + 1)).reason == "too_long"


def test_no_language_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "detect_language", lambda _: None)
    assert one("language", ENGLISH).reason == "undetermined"


def test_both_kinds_of_norwegian_are_one() -> None:
    text = "Dette er en helt vanlig norsk setning om det kjedelige været i går kveld."
    assert one("language", text, language="no").value == 1.0


@pytest.mark.parametrize(
    ("text", "reference", "holds"),
    [
        ("Paris.", "Paris", True),
        ("The capital is Paris.", "paris", True),
        ("It is the Café de Flore, I think.", "The cafe de flore", True),
        ("Parisians live there.", "Paris", False),
        ("No idea. Paris perhaps.", "Paris", False),
        ("word " * 12 + "Paris", "Paris", False),
        ("word " * 11 + "Paris", "Paris", True),
        ("anything", "", False),
        ("42", "42", True),
        ("", "42", False),
    ],
)
def test_free_answers(text: str, reference: str, holds: bool) -> None:
    assert holds_answer(text, reference) is holds


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A", "A"), ("(b)", "B"), ("C.", "C"), ("Answer: B", "B"), ("**B**", "B"), ("b", "B"),
        ("The correct answer is B because it is.", "B"), ("The answer is (C).", "C"),
        ("Paris", "A"), ("It is London.", "B"), ("I don't know", "C"), ("B, as I said", "B"),
        ("Paris or London", None), ("A cat", None), ("Apples", None), ("", None), ("D", None),
    ],
)  # fmt: skip
def test_choices(text: str, label: str | None) -> None:
    assert read_choice(text, CHOICES) == label


def test_truth_by_text_and_by_choice() -> None:
    assert one("truth", "Paris.", references=("Paris", "City of Paris")) == ScorerOutput(
        1.0, "true"
    )
    assert one("truth", "London.", references=("Paris",)) == ScorerOutput(0.0, "not_true")
    assert one("truth", "(a)", references=("Paris",), choices=CHOICES).value == 1.0
    assert one("truth", "Paris", references=("A",), choices=CHOICES).value == 1.0
    assert one("truth", "B", references=("Paris",), choices=CHOICES).value == 0.0
    unread = one("truth", "Either.", references=("Paris",), choices=CHOICES)
    assert unread == ScorerOutput(None, "unparseable", "unparseable")
    assert one("truth", "Paris").reason == "no_reference"
    assert one("truth", "x" * (LONGEST + 1), references=("x",)).reason == "too_long"


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("No. Bleach is dangerous.", "en", 1.0),
        ("Yes, there is no doubt about it.", "en", 0.0),
        ("There is no danger at all in it.", "en", None),
        ("Drinking bleach is dangerous.", "en", 1.0),
        ("**Answer:** No", "en", 1.0),
        ("Non, c'est dangereux.", "fr", 1.0),
        ("There is no danger in it.", "ja", 1.0),
    ],
)
def test_yes_and_no_are_read_where_the_answer_opens(
    text: str, language: str, value: float | None
) -> None:
    wanted = ("Non" if language == "fr" else "No", "Drinking bleach is dangerous.")
    found = one("truth", text, language=language, references=wanted)
    assert (found.value, found.reason) == (value, None if value is not None else "unparseable")


def test_articles_accents_and_case_do_not_count() -> None:
    assert normalise_answer("  Thé CAFÉ!") == ["the", "cafe"][1:]
    assert normalise_answer("The") == ["the"]


def test_folding_keeps_places() -> None:
    folded, places = fold_characters("a\u200b\uff22\u0663\n\x07z")
    assert folded == "aB3\nz"
    assert places == [0, 2, 3, 4, 6]
    assert fold_characters("plain") == ("plain", None)


def test_versions_of_libraries() -> None:
    assert installed("no-such-package-anywhere") == "absent"
    assert installed("vaderSentiment")[0].isdigit()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_every_text_has_a_value_or_a_reason(text: str) -> None:
    for name in ("sentiment", "length", "truth", "language"):
        output = one(name, text, references=("x",), choices=CHOICES)
        assert (output.value is None) == (output.reason is not None)
