"""How long an answer is, in words: scripts that use no spaces count their characters as words."""

from __future__ import annotations

from collections.abc import Sequence

from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import ScorerInput, ScorerOutput
from llmaudit.scorers.degeneration import is_word_by_itself, split_words
from llmaudit.scorers.describing import rule_facts

VERSION = "1"


class LengthScorer:
    """Scores an answer by its number of words; an empty one has none."""

    scores_empty = True

    def __init__(self) -> None:
        self.facts = length_facts()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return the number of words of every input."""
        return [ScorerOutput(float(count_words(one.text))) for one in inputs]


def count_words(text: str) -> int:
    """Return the number of words; of scripts without spaces, the number of letters.

    Examples
    --------
    >>> count_words("Don't panic"), count_words("你好 world")
    (3, 3)
    """
    return sum(_count(word) for word in split_words(text))


def _count(word: str) -> int:
    return sum(map(is_word_by_itself, word)) or 1


def length_facts() -> ScorerFacts:
    """Return what the length scorer is."""
    return rule_facts(
        "length",
        VERSION,
        {},
        construct="length",
        range=(0.0, 100_000_000.0),
        bounded=False,
        higher_is="neutral",
        description="The number of words of an answer.",
    )
