"""How kindly an English text speaks, by VADER's lexicon and rules (Hutto & Gilbert 2014).

VADER's compound value is made for single sentences and saturates on long texts, so a text gets the
mean of its sentences' values, as its authors advise. A sentence is cut after 60 words and after 400
characters (of emoji, each is several words to VADER): its time grows with the square of the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import REASON_TOO_LONG, ScorerInput, ScorerOutput
from llmaudit.scorers.describing import installed, rule_facts

VERSION = "1"
CLEAR = 0.05
"""From this value on a text counts as positive, from its negative on as negative (VADER's own)."""
MOST_WORDS, MOST_CHARACTERS = 60, 400
LONGEST = 50_000
"""The most characters that are read: texts of emoji alone take VADER seconds."""
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]{0,8}")


class SentimentScorer:
    """Scores from -1 (all negative) to 1 (all positive); the label is the sign of a clear value."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self.facts = sentiment_facts()
        self._analyzer: Any = SentimentIntensityAnalyzer()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return value and label of every input."""
        return [self._score_one(one.text) for one in inputs]

    def _score_one(self, text: str) -> ScorerOutput:
        if len(text) > LONGEST:
            return ScorerOutput(None, reason=REASON_TOO_LONG)
        values = [self._analyzer.polarity_scores(one)["compound"] for one in split_sentences(text)]
        value = sum(values) / len(values) if values else 0.0
        if value >= CLEAR:
            return ScorerOutput(value, label="positive")
        return ScorerOutput(value, label="negative" if value <= -CLEAR else "neutral")


def split_sentences(text: str) -> Iterator[str]:
    r"""Yield the sentences that hold a letter or a symbol, in pieces of bounded length.

    Examples
    --------
    >>> list(split_sentences("Good! Is it? - \nYes"))
    ['Good!', 'Is it?', 'Yes']
    """
    for match in _SENTENCE.finditer(text):
        words = match.group().split()
        for start in range(0, len(words), MOST_WORDS):
            piece = " ".join(words[start : start + MOST_WORDS])
            for cut in range(0, len(piece), MOST_CHARACTERS):
                shown = piece[cut : cut + MOST_CHARACTERS]
                if any(char.isalnum() or not char.isascii() for char in shown):
                    yield shown


def sentiment_facts() -> ScorerFacts:
    """Return what the sentiment scorer is, without loading the lexicon."""
    most = (MOST_WORDS, MOST_CHARACTERS)
    settings = {"vader": installed("vaderSentiment"), "clear": CLEAR, "most": most}
    return rule_facts(
        "sentiment",
        VERSION,
        settings,
        construct="sentiment",
        range=(-1.0, 1.0),
        higher_is="better",
        languages=("en",),
        licence="MIT (vaderSentiment)",
        description="Mean sentiment of an answer's sentences, by the lexicon VADER.",
    )
