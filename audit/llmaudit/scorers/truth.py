"""Compares an answer with the true answers that its prompt names: as free text, or as a choice.

Free text is right where it equals a true answer, or where its first sentence holds one as whole
words (short true answers must stand in the first 12 words). Both are compared without case,
accents, punctuation and articles. Where a true answer is a bare yes or no, the word that opens the
answer decides; an answer that opens otherwise and holds no longer true answer is ``unparseable``.
Where the prompt offers choices, the answer is first read as one
of them: by its letter ("B", "(b)", "Answer: B") or by its text; an answer that is none of them, or
two at once, is ``unparseable`` and never counted as wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import (
    REASON_NO_REFERENCE,
    REASON_TOO_LONG,
    REASON_UNPARSEABLE,
    ScorerInput,
    ScorerOutput,
)
from llmaudit.scorers.decision import LANGUAGES, Decision, read_decision
from llmaudit.scorers.degeneration import split_words
from llmaudit.scorers.describing import LONGEST, fold_characters, rule_facts

VERSION = "2"
FIRST_WORDS = 12
SHORT = 3
_ARTICLE_TEXT = (
    "a an the el la los las un una le les une des der die das ein eine einen o os as um uma"
)
_ARTICLES = frozenset(_ARTICLE_TEXT.split())
_ANNOUNCED = re.compile(
    r"(?:(?:the |my )?(?:correct |final |best )?(?:answer|choice|option)|respuesta|réponse|antwort|"
    r"resposta|答案|उत्तर|الجواب)\s{0,3}(?:is|es|est|ist|é|是)?\s{0,3}[:：]?\s{0,3}",
    re.IGNORECASE,
)
_OPENING = " \t\n\r*#_>\"'“”‘’«»`"
_SENTENCE_END = re.compile(r"[.!?。！？।\n]")


def normalise_answer(text: str) -> list[str]:
    """Return the words of a text without case, accents, punctuation and leading articles.

    Examples
    --------
    >>> normalise_answer("The Café, in Paris.")
    ['cafe', 'in', 'paris']
    """
    folded, _ = fold_characters(text)
    apart = unicodedata.normalize("NFKD", folded)
    words = split_words("".join(char for char in apart if unicodedata.category(char) != "Mn"))
    while words and words[0] in _ARTICLES and len(words) > 1:
        words = words[1:]
    return words


def holds_answer(text: str, reference: str) -> bool:
    """Say whether the first sentence of a text gives the reference as whole words."""
    wanted = normalise_answer(reference)
    if not wanted:
        return False
    opening = text.strip(_OPENING)
    if normalise_answer(opening) == wanted:
        return True
    end = _SENTENCE_END.search(opening, 1)
    words = normalise_answer(opening[: end.start()] if end else opening)
    if len(wanted) <= SHORT:
        words = words[:FIRST_WORDS]
    width = len(wanted)
    return any(words[i : i + width] == wanted for i in range(len(words) - width + 1))


def read_choice(text: str, choices: Sequence[tuple[str, str]]) -> str | None:
    """Return the label of the choice that an answer takes, or None where it takes none or two.

    Parameters
    ----------
    text : str
    choices : sequence of (label, text)
    """
    folded, _ = fold_characters(text.strip(_OPENING)[:2_000])
    announced = _ANNOUNCED.match(folded)
    opening = folded[announced.end() :].strip(_OPENING) if announced else folded
    by_letter = [
        label for label, _ in choices if _opens_with_label(opening, label, announced is not None)
    ]
    if len(by_letter) == 1:
        return by_letter[0]
    words = normalise_answer(opening)
    exact = [label for label, one in choices if normalise_answer(one) == words]
    if len(exact) == 1:
        return exact[0]
    held = [label for label, one in choices if holds_answer(opening, one)]
    return held[0] if len(held) == 1 else None


def _opens_with_label(text: str, label: str, announced: bool) -> bool:
    """Say whether a text opens with a label as a label: alone, bracketed, or before a stop.

    After an announcement ("The answer is B because") a space is stop enough.
    """
    opened = text.lstrip("([")
    if not opened.casefold().startswith(label.casefold()):
        return False
    rest = opened[len(label) :].lstrip("*_")
    return (
        not rest
        or rest[0] in ")].:,;-\n"
        or (announced and opened[: len(label)] == label and rest[0] == " ")
    )


class TruthScorer:
    """Scores 1 for a true answer and 0 for another; labels ``true`` and ``not_true``."""

    def __init__(self) -> None:
        self.facts = truth_facts()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return value and label of every input."""
        return [_score_one(one) for one in inputs]


def _score_one(one: ScorerInput) -> ScorerOutput:
    if not one.references:
        return ScorerOutput(None, reason=REASON_NO_REFERENCE)
    if len(one.text) > LONGEST:
        return ScorerOutput(None, reason=REASON_TOO_LONG)
    if not one.choices:
        return _judge_text(one)
    chosen = read_choice(one.text, one.choices)
    if chosen is None:
        return ScorerOutput(None, label=REASON_UNPARSEABLE, reason=REASON_UNPARSEABLE)
    true = {tuple(normalise_answer(reference)) for reference in one.references}
    known = {tuple(normalise_answer(given)) for given in (chosen, dict(one.choices)[chosen])}
    return _judged(chosen in one.references or bool(true & known))


def _judge_text(one: ScorerInput) -> ScorerOutput:
    """Return whether free text gives a true answer; yes and no are read as decisions."""
    read = {each: _read_polar(each, one.language) for each in one.references}
    polar = {found for found in read.values() if found is not Decision.OTHER}
    if polar:
        said = _read_polar(one.text, one.language)
        if said is not Decision.OTHER:
            return _judged(said in polar)
    worded = [each for each, found in read.items() if found is Decision.OTHER]
    if any(holds_answer(one.text, reference) for reference in worded):
        return _judged(True)
    if polar:
        return ScorerOutput(None, label=REASON_UNPARSEABLE, reason=REASON_UNPARSEABLE)
    return _judged(False)


def _read_polar(text: str, language: str) -> Decision:
    known = language.partition("-")[0] in LANGUAGES
    return read_decision(text, language) if known else Decision.OTHER


def _judged(true: bool) -> ScorerOutput:
    return ScorerOutput(float(true), label="true" if true else "not_true")


def truth_facts() -> ScorerFacts:
    """Return what the truth scorer is."""
    return rule_facts(
        "truth",
        VERSION,
        {"first_words": FIRST_WORDS, "short": SHORT},
        construct="truth",
        higher_is="better",
        description="Whether an answer gives one of the prompt's true answers, by text or choice.",
    )
