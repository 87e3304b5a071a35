"""Answers that are no answers: empty, repetition, an echo of the prompt, gibberish; and cut ones.

Rules, in this order, on the words of the answer (case and punctuation folded away):

- ``empty``: no letter, digit, emoji or other symbol is left;
- ``repetition``: one word makes up 60 % or more of at least 10 words; or at least 16 words hold so
  few different three-word sequences that 60 % or more of them are repeats; or one character makes
  up 80 % or more of at least 24 letters; or at least 64 letters (scripts without spaces) of which
  75 % or more lie in repeated eight-letter sequences;
- ``echo``: at least 6 words (letters of scripts without spaces), 90 % or more of whose three-word
  sequences stand in the prompt, and the answer is at least half as long as the prompt;
- ``gibberish``: of at least 24 visible characters, a tenth are undecodable or control characters,
  or three fifths are neither letters, digits nor emoji; or of at least 8 Latin words of four
  letters and more, three tenths hold no vowel or a run of five consonants; or of at least 8 words,
  two fifths mix letters of different scripts within one word (Latin within a script without spaces
  is no mixture).

An answer that breaks none of these and that stopped only because it reached the most tokens allowed
is labelled ``truncated``. It is an answer, so its value is 0; the label counts it.

Everything is counting over a list of words: linear in the text, with no regular expression that can
backtrack. Texts longer than 100,000 characters are judged by their first and last 50,000.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers.base import ScorerInput, ScorerOutput
from llmaudit.scorers.cards import load_card

VERSION = "3"
WORD_SHARE, WORD_LEAST = 0.6, 10
REPEAT_SHARE, REPEAT_LEAST = 0.6, 16
LETTER_SHARE, LETTER_LEAST = 0.8, 24
SEQUENCE_SHARE, SEQUENCE_LEAST, SEQUENCE_WIDTH = 0.75, 64, 8
ECHO_SHARE, ECHO_LEAST, ECHO_LENGTH = 0.9, 6, 0.5
VISIBLE_LEAST, BROKEN_SHARE, SYMBOL_SHARE = 24, 0.1, 0.6
JUMBLE_LEAST, JUMBLE_SHARE, JUMBLE_LETTERS = 8, 0.3, 4
MIXED_SHARE = 0.4
LONGEST = 100_000
CUT = "length"
"""How a generation is marked that reached the most tokens allowed."""

_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}")
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA", "BOPOMOFO"})
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
_VOWEL = re.compile(r"[aeiouy]")


class Degeneration(StrEnum):
    """What is wrong with an answer, or that nothing is."""

    OK = "ok"
    EMPTY = "empty"
    REPETITION = "repetition"
    ECHO = "echo"
    GIBBERISH = "gibberish"
    TRUNCATED = "truncated"


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


def is_word_by_itself(char: str) -> bool:
    """Say whether a character belongs to a script that puts no spaces between words."""
    return not char.isascii() and unicodedata.name(char, "").startswith(_UNSPACED)


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
    return Degeneration.GIBBERISH if _is_gibberish(_ends(text), words) else Degeneration.OK


def _is_gibberish(text: str, words: Sequence[str]) -> bool:
    return _holds_symbols(text) or _jumbles_letters(words) or _mixes_scripts(words)


def _holds_symbols(text: str) -> bool:
    """Say whether undecodable characters are a tenth, or punctuation and signs three fifths."""
    visible = [char for char in text if not char.isspace()]
    if len(visible) < VISIBLE_LEAST:
        return False
    kinds = Counter(_kind(char) for char in visible)
    broken, symbols = kinds["broken"], kinds["symbol"]
    return broken >= BROKEN_SHARE * len(visible) or symbols >= SYMBOL_SHARE * len(visible)


def _kind(char: str) -> str:
    """Return ``word`` for letters, marks, digits and emoji, else ``symbol`` or ``broken``."""
    category = unicodedata.category(char)
    if category in {"Cc", "Cn", "Co", "Cs"} or char == "\ufffd":
        return "broken"
    return "word" if category[0] in "LMN" or category in {"So", "Sk", "Cf"} else "symbol"


def _jumbles_letters(words: Sequence[str]) -> bool:
    """Say whether three tenths of the longer Latin words could hardly be spoken."""
    longer = [word for word in words if len(word) >= JUMBLE_LETTERS and word.isalpha()]
    plain = [unicodedata.normalize("NFKD", word) for word in longer]
    latin = [word for word in plain if word[0].isascii()]
    if len(latin) < JUMBLE_LEAST:
        return False
    odd = sum(not _VOWEL.search(word) or bool(_CONSONANTS.search(word)) for word in latin)
    return odd >= JUMBLE_SHARE * len(latin)


def _mixes_scripts(words: Sequence[str]) -> bool:
    """Say whether two fifths of the words have letters of several scripts."""
    if len(words) < JUMBLE_LEAST:
        return False
    mixed = sum(not word.isascii() and len(_scripts(word)) > 1 for word in words)
    return mixed >= MIXED_SHARE * len(words)


def _scripts(word: str) -> set[str]:
    """Return the scripts of a word's letters; those that texts without spaces mix are one."""
    names = {unicodedata.name(char, " ").split(" ")[0] for char in word if char.isalpha()}
    unspaced = any(map(is_word_by_itself, word))
    joined = _EAST_ASIAN | {"LATIN"} if unspaced else _EAST_ASIAN
    return {"CJK" if name in joined else name for name in names}


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


def _by_letters(words: Sequence[str]) -> list[str]:
    """Return the words, those of scripts without spaces taken apart into letters."""
    parts: list[str] = []
    for word in words:
        parts.extend(word if any(map(is_word_by_itself, word)) else [word])
    return parts


def _echoes(answer: Sequence[str], asked: Sequence[str]) -> bool:
    words, prompt = _by_letters(answer), _by_letters(asked)
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
        return [_output(one) for one in inputs]


def _output(one: ScorerInput) -> ScorerOutput:
    found = find_degeneration(one.text, one.prompt)
    if found is Degeneration.OK:
        cut = one.finish == CUT
        return ScorerOutput(0.0, label=(Degeneration.TRUNCATED if cut else found).value)
    return ScorerOutput(1.0, label=found.value)


def degeneration_facts() -> ScorerFacts:
    """Return what the degeneration scorer is, without loading anything."""
    settings = {
        "word": (WORD_SHARE, WORD_LEAST),
        "repeat": (REPEAT_SHARE, REPEAT_LEAST),
        "letter": (LETTER_SHARE, LETTER_LEAST),
        "sequence": (SEQUENCE_SHARE, SEQUENCE_LEAST, SEQUENCE_WIDTH),
        "echo": (ECHO_SHARE, ECHO_LEAST, ECHO_LENGTH),
        "symbols": (VISIBLE_LEAST, BROKEN_SHARE, SYMBOL_SHARE),
        "jumble": (JUMBLE_LEAST, JUMBLE_SHARE, JUMBLE_LETTERS, MIXED_SHARE),
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
        description="Empty answers, repetition, echoes of the prompt and gibberish, by rules.",
        card=load_card("degeneration"),
        threshold=0.5,
    )
