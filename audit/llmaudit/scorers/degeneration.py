"""Answers that are no answers: empty, stuck in repetition, or an echo of the prompt.

Rules, in this order, on the words of the answer (case and punctuation folded away):

- ``empty``: no letter, digit, emoji or other symbol is left;
- ``repetition``: one word makes up 60 % or more of at least 10 words; or at least 16 words hold so
  few different three-word sequences that 60 % or more of them are repeats; or one character makes
  up 80 % or more of at least 24 letters; or at least 64 letters (scripts without spaces) of which
  75 % or more lie in repeated eight-letter sequences;
- ``echo``: at least 6 words, 90 % or more of whose three-word sequences stand in the prompt, and
  the answer is at least half as long as the prompt.

Everything is counting over a list of words: linear in the text, with no regular expression that can
backtrack. Texts longer than 100,000 characters are judged by their first and last 50,000.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers.base import ScorerInput, ScorerOutput

VERSION = "1"
WORD_SHARE, WORD_LEAST = 0.6, 10
REPEAT_SHARE, REPEAT_LEAST = 0.6, 16
LETTER_SHARE, LETTER_LEAST = 0.8, 24
SEQUENCE_SHARE, SEQUENCE_LEAST, SEQUENCE_WIDTH = 0.75, 64, 8
ECHO_SHARE, ECHO_LEAST, ECHO_LENGTH = 0.9, 6, 0.5
LONGEST = 100_000


class Degeneration(StrEnum):
    """What is wrong with an answer, or that nothing is."""

    OK = "ok"
    EMPTY = "empty"
    REPETITION = "repetition"
    ECHO = "echo"


def split_words(text: str) -> list[str]:
    """Return the case-folded runs of letters, marks, digits and symbols of ``text``.

    Examples
    --------
    >>> split_words("Don't PANIC, 42!")
    ['don', 't', 'panic', '42']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = [char if unicodedata.category(char)[0] in "LMNS" else " " for char in folded]
    return "".join(kept).split()


def find_degeneration(text: str, prompt: str = "") -> Degeneration:
    """Return which rule of this module the answer breaks first, or ``ok``.

    Parameters
    ----------
    text : str
        The continuation.
    prompt : str
        What it answers; empty to leave out the echo rule.
    """
    words = split_words(_ends(text))
    if not words:
        return _without_words(text)
    if _repeats_words(words) or _repeats_letters("".join(words)):
        return Degeneration.REPETITION
    if prompt and _echoes(words, split_words(_ends(prompt))):
        return Degeneration.ECHO
    return Degeneration.OK


def _without_words(text: str) -> Degeneration:
    """Tell a long run of punctuation (repetition) from nothing at all (empty)."""
    visible = [char for char in _ends(text) if not char.isspace() and char.isprintable()]
    return Degeneration.REPETITION if len(visible) >= LETTER_LEAST else Degeneration.EMPTY


def _ends(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} {text[-half:]}"


def _trigrams(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(words, words[1:], words[2:], strict=False))


def _repeats_words(words: Sequence[str]) -> bool:
    count = len(words)
    if count >= WORD_LEAST and max(Counter(words).values()) >= WORD_SHARE * count:
        return True
    if count < REPEAT_LEAST:
        return False
    runs = _trigrams(words)
    return 1 - len(set(runs)) / len(runs) >= REPEAT_SHARE


def _repeats_letters(letters: str) -> bool:
    count = len(letters)
    if count >= LETTER_LEAST and max(Counter(letters).values()) >= LETTER_SHARE * count:
        return True
    if count < SEQUENCE_LEAST:
        return False
    runs = [letters[i : i + SEQUENCE_WIDTH] for i in range(count - SEQUENCE_WIDTH + 1)]
    return 1 - len(set(runs)) / len(runs) >= SEQUENCE_SHARE


def _echoes(words: Sequence[str], prompt: Sequence[str]) -> bool:
    if len(words) < max(ECHO_LEAST, ECHO_LENGTH * len(prompt)):
        return False
    runs, known = _trigrams(words), set(_trigrams(prompt))
    return sum(run in known for run in runs) >= ECHO_SHARE * len(runs)


class DegenerationScorer:
    """Scores 1 for an answer that is none, 0 otherwise; the label says which rule it broke."""

    scores_empty = True

    def __init__(self) -> None:
        self.facts = degeneration_facts()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return value and label of every input."""
        found = [find_degeneration(one.text, one.prompt) for one in inputs]
        return [ScorerOutput(float(f is not Degeneration.OK), label=f.value) for f in found]


def degeneration_facts() -> ScorerFacts:
    """Return what the degeneration scorer is, without loading anything."""
    settings = {
        "word": (WORD_SHARE, WORD_LEAST),
        "repeat": (REPEAT_SHARE, REPEAT_LEAST),
        "letter": (LETTER_SHARE, LETTER_LEAST),
        "sequence": (SEQUENCE_SHARE, SEQUENCE_LEAST, SEQUENCE_WIDTH),
        "echo": (ECHO_SHARE, ECHO_LEAST, ECHO_LENGTH),
        "longest": LONGEST,
    }
    return ScorerFacts(
        name="degeneration",
        version=VERSION,
        digest=content_id({"scorer": "degeneration", "version": VERSION, **settings}),
        construct="degeneration",
        range=(0.0, 1.0),
        higher_is="worse",
        languages=("any",),
        licence="Apache-2.0",
        description="Empty answers, repetition and echoes of the prompt, by documented rules.",
        threshold=0.5,
    )
