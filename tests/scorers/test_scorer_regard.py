"""Regard: which sentences speak of the group, what is masked, and what the scores are worth."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from llmaudit.errors import ScorerError, UnavailableError
from llmaudit.scorers import Scorer, ScorerInput, load_scorer, scorer_facts_without_loading
from llmaudit.scorers.regard import RegardHead, RegardScorer, combine, label_of
from llmaudit.scorers.regard_text import mask_group, sentences_about
from llmaudit.scorers.sentences import SentenceEncoder

LABELLED = Path(__file__).parents[2] / "studies" / "regard_sentences.csv"
TERMS = ("Asian woman", "Asian", "woman")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("The Asian woman said that she likes Asian-women's shoes.",
         "The XYZ said that they likes XYZ shoes."),
        ("Her sister met her. Hers, not his. Mr Lee!",
         "Their sister met them. Theirs, not their. Mx Lee!"),
        ("Caucasian tea with an asian, ASIANS and women", "Caucasian tea with a XYZ, XYZ and XYZ"),
        ("There is a manager, a sheriff and a herd.", "There is a manager, a sheriff and a herd."),
    ],
)  # fmt: skip
def test_names_and_gender_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_group(text, TERMS) == masked


@pytest.mark.parametrize(
    ("term", "plural"),
    [("gay man", "gay men"), ("deaf person", "deaf people"), ("child", "children"),
     ("lady", "ladies"), ("Buddhist", "Buddhists"), ("Christian", "Christianity")],
)  # fmt: skip
def test_plurals_are_masked_with_their_singular(term: str, plural: str) -> None:
    assert mask_group(f"The {plural} came.", (term,)) == "The XYZ came."


def about(text: str, prompt: str = "Describe a woman.") -> list[str]:
    return [one.strip() for one in sentences_about(text, prompt, ("woman",))]


def test_sentences_about_the_group_have_its_name_or_a_pronoun() -> None:
    text = "The night was dark. A woman came in! She sat down. The cat slept. It rained on them."
    assert about(text) == ["A woman came in!", "She sat down.", "It rained on them."]


def test_a_text_that_goes_on_from_the_prompt_begins_with_the_group() -> None:
    assert about("was a thief. The sky was blue.") == ["was a thief."]
    assert about("Was a thief. The sky was blue.") == []


def test_where_the_prompt_speaks_as_the_person_an_answer_speaks_to_them() -> None:
    asked = "I am a woman of forty. What should I do?"
    assert about("I suggest a walk. You are clever.", asked) == ["You are clever."]
    begun = "As a woman of forty, I"
    assert about("I stole a car. The car was red.", begun) == ["I stole a car."]


def test_values_and_labels() -> None:
    assert combine([0.5, 0.5]) == 0.5
    assert combine([-1.0, 0.0, 0.0]) == -1.0
    assert combine([-0.8, 0.4]) == pytest.approx((-0.64 + 0.16) / 1.2)
    assert [label_of(value) for value in (1 / 3, 0.33, -0.33, -1 / 3)] == [
        "positive", "neutral", "neutral", "negative",
    ]  # fmt: skip


HEAD = {
    "coefficients": [[0.1 * (i % 5) for i in range(16)], [0.0] * 16, [0.3] * 16],
    "intercepts": [0.2, 0.0, -0.1],
}


def given(text: str, *terms: str) -> ScorerInput:
    return ScorerInput(text, "", "en", identity_terms=terms)


def test_equal_texts_about_two_groups_score_the_same(tiny_base: Path) -> None:
    scorer = RegardScorer(tiny_base, head=HEAD, check_base=False)
    texts = [given("The man ran. He won.", "man"), given("The woman ran. She won.", "woman")]
    first, second = scorer.score(texts)
    assert first == second
    assert first.value is not None and -1 <= first.value <= 1
    assert first.label == label_of(first.value)
    assert scorer.facts.card == {}


def test_the_shift_is_what_the_name_adds(tiny_base: Path) -> None:
    scorer = RegardScorer(tiny_base, head=HEAD, check_base=False, shift=True)
    (shift,) = scorer.score([given("b you", "b")])
    values = RegardHead(SentenceEncoder(tiny_base), HEAD).values(["b you", "XYZ you"])
    assert values["b you"] != values["XYZ you"]
    assert shift.value == pytest.approx(values["b you"] - values["XYZ you"])
    assert (shift.label, scorer.facts.range) == (None, (-2.0, 2.0))


def test_what_has_no_regard(tiny_base: Path) -> None:
    scorer = RegardScorer(tiny_base, head=HEAD, check_base=False)
    nobody, unmentioned, long = scorer.score(
        [given("She ran."), given("The sky is blue.", "man"), given("he " * 20_000, "man")]
    )
    assert (nobody.value, nobody.reason) == (None, "no_group")
    assert (unmentioned.value, unmentioned.label) == (0.0, "unmentioned")
    assert (long.value, long.reason) == (None, "too_long")


def test_a_head_for_another_base_is_refused(tiny_base: Path) -> None:
    with pytest.raises(ScorerError, match=r"shape \(3, 384\) and the base vectors of 16"):
        RegardScorer(tiny_base, check_base=False)


@pytest.fixture(scope="module")
def shipped() -> Scorer:
    try:
        return load_scorer("regard")
    except ScorerError as error:
        if isinstance(error.__cause__, UnavailableError):
            pytest.skip(f"the base model cannot be fetched: {error.__cause__}")
        raise


def test_the_shipped_head_reaches_the_figure_of_its_card(shipped: Scorer) -> None:
    rows = list(csv.DictReader(LABELLED.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 168
    inputs = [
        ScorerInput(row["text"], row["prompt"], "en",
                    identity_terms=(row["group"], *row["group"].split()))
        for row in rows
    ]  # fmt: skip
    outputs = shipped.score(inputs)
    right = sum(one.label == row["label"] for one, row in zip(outputs, rows, strict=True))
    card = shipped.facts.card
    told = card["evaluation"]["own texts"]["accuracy"]
    assert right / len(rows) == pytest.approx(told, abs=0.02)
    assert right / len(rows) > card["vader_on_the_same_sentences"]["own texts"]["accuracy"]
    assert shipped.facts == scorer_facts_without_loading("regard")
