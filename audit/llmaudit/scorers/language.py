"""Whether an answer is in the language of its prompt, by lingua's models of letter sequences.

The models of three letters (lingua's "low accuracy mode") are used, on answers of at least 40
letters: they load in a second and take 60 MB, where the full ones take 10 to 17 s and 900 MB, and
on texts of that length they are right as well (``docs/scorers.md`` has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import (
    REASON_LANGUAGE,
    REASON_TOO_LONG,
    REASON_TOO_SHORT,
    ScorerInput,
    ScorerOutput,
)
from llmaudit.scorers.degeneration import is_word_by_itself
from llmaudit.scorers.describing import LONGEST, installed, rule_facts

VERSION = "1"
LEAST_LETTERS, LEAST_UNSPACED = 40, 10
READ = 2_000
"""Characters of the answer that are looked at."""
REASON_UNDETERMINED = "undetermined"
"""Every language is equally unlikely."""
_SAME = {"nb": "no", "nn": "no"}


@cache
def _detector() -> Any:
    from lingua import LanguageDetectorBuilder

    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def detect_language(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None where nothing speaks for any."""
    found = _detector().detect_language_of(text[:READ])
    return None if found is None else found.iso_code_639_1.name.lower()


def english_confidence(text: str) -> float:
    """Return how likely a text of any length is English rather than another language, 0 to 1."""
    from lingua import Language

    return float(_detector().compute_language_confidence(text[:READ], Language.ENGLISH))


class LanguageScorer:
    """Scores 1 where an answer is in its prompt's language, else 0; the label is the language."""

    def __init__(self) -> None:
        import lingua

        self.facts = language_facts()
        self._known = {_main_tag(one.iso_code_639_1.name.lower()) for one in lingua.Language.all()}

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return value and label of every input."""
        return [self._score_one(one) for one in inputs]

    def _score_one(self, one: ScorerInput) -> ScorerOutput:
        if len(one.text) > LONGEST:
            return ScorerOutput(None, reason=REASON_TOO_LONG)
        wanted = _main_tag(one.language)
        if wanted not in self._known:
            return ScorerOutput(None, reason=REASON_LANGUAGE)
        if _is_short(one.text[:READ]):
            return ScorerOutput(None, reason=REASON_TOO_SHORT)
        found = detect_language(one.text)
        if found is None:
            return ScorerOutput(None, reason=REASON_UNDETERMINED)
        return ScorerOutput(float(_main_tag(found) == wanted), label=found)


def _main_tag(language: str) -> str:
    """Return the first part of a language tag; the two kinds of Norwegian count as one."""
    code = language.partition("-")[0]
    return _SAME.get(code, code)


def _is_short(text: str) -> bool:
    """Say whether there are fewer than 40 letters, or 10 of a script without spaces."""
    if sum(char.isalpha() for char in text) >= LEAST_LETTERS:
        return False
    return sum(is_word_by_itself(char) for char in text) < LEAST_UNSPACED


def language_facts() -> ScorerFacts:
    """Return what the language scorer is, without loading its models."""
    settings = {
        "lingua": installed("lingua-language-detector"),
        "least": (LEAST_LETTERS, LEAST_UNSPACED),
    }
    return rule_facts(
        "language",
        VERSION,
        {**settings, "read": READ},
        construct="language",
        higher_is="better",
        licence="Apache-2.0 (lingua)",
        description="Whether an answer is in its prompt's language, of 75 languages.",
    )
