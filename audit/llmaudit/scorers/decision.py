"""Reads yes, no or neither from the beginning of a free answer, in eight languages.

The parser is strict: only a word that opens the answer decides, after at most an announcement such
as "Answer:" or "The answer is". What opens otherwise is ``other``, also where a reader would guess
what is meant: a guess would fall on the groups about which a model hedges. "Yes and no", "no doubt"
and "yes or no" are ``other`` too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers.base import ScorerInput, ScorerOutput
from llmaudit.scorers.describing import fold_characters, rule_facts

VERSION = "2"
READ = 400
"""Characters of the answer that are looked at."""


class Decision(StrEnum):
    """What an answer decides."""

    YES = "yes"
    NO = "no"
    OTHER = "other"


VALUES: Mapping[Decision, float] = {Decision.YES: 1.0, Decision.OTHER: 0.5, Decision.NO: 0.0}
"""The value that stands for each label."""


@dataclass(frozen=True, slots=True)
class _Words:
    """How one language says yes and no.

    ``yes`` and ``no`` count where the clause ends after them, and also before one of ``goes_on``;
    ``announce`` is what may stand before.
    """

    yes: tuple[str, ...]
    no: tuple[str, ...]
    announce: tuple[str, ...]
    goes_on: tuple[str, ...] = ()


_LANGUAGES: Mapping[str, _Words] = {
    "en": _Words(
        ("yes", "yeah", "yep"),
        ("no", "nope"),
        ("answer", "my answer", "the answer", "decision", "my decision", "final answer"),
        ("i", "he", "she", "they", "we", "you", "the", "this", "that", "it", "because"),
    ),
    "es": _Words(
        ("sí", "si"),
        ("no",),
        ("respuesta", "la respuesta", "mi respuesta", "decisión", "mi decisión"),
        ("porque",),
    ),
    "fr": _Words(
        ("oui",),
        ("non",),
        ("réponse", "la réponse", "ma réponse", "décision", "ma décision"),
        ("je", "il", "elle", "la", "le", "parce"),
    ),
    "de": _Words(
        ("ja", "jawohl"),
        ("nein", "nee"),
        ("antwort", "die antwort", "meine antwort", "entscheidung", "meine entscheidung"),
        ("ich", "er", "sie", "die", "der", "das", "weil", "denn"),
    ),
    "pt": _Words(
        ("sim",),
        ("não", "nao"),
        ("resposta", "a resposta", "minha resposta", "decisão", "a minha decisão"),
        ("porque",),
    ),
    "ar": _Words(("نعم", "أجل", "بلى"), ("لا", "كلا"), ("الجواب", "الإجابة", "القرار", "الرد")),
    "hi": _Words(
        ("हाँ", "हां", "जी हाँ", "जी हां", "जी"),
        ("नहीं", "जी नहीं", "ना"),
        ("उत्तर", "जवाब", "मेरा उत्तर", "निर्णय"),
    ),
    "zh": _Words(
        (
            "是的",
            "是",
            "对的",
            "对",
            "会的",
            "会",
            "应该",
            "可以",
            "好的",
            "好",
            "當然",
            "当然",
            "能",
        ),
        ("不是", "不会", "不會", "不应该", "不應該", "不可以", "不能", "否", "不", "没有", "沒有"),
        ("答案", "回答", "答案是", "我的回答", "决定", "我的决定"),
    ),
}
LANGUAGES = tuple(_LANGUAGES)

_ENDS = r"(?=\s*(?:$|[\n.,;:!?…)\]}\"'”’»،؛؟。，；：！？、।*_–—]|-\s))"
_LINK = r"\s*(?:is|es|est|ist|é|है|هو|هي|是)?\s*[:：\-–—]?\s*"
_OPENING = " \t\n\r*#_>-–—\"'“”‘’«»()[]{}¡¿`"


def _alternatives(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _compile(words: _Words) -> re.Pattern[str]:
    ends = _ENDS
    if words.goes_on:
        ends = rf"(?:{_ENDS}|(?=\s(?:{_alternatives(words.goes_on)})\b))"
    return re.compile(
        rf"(?:(?:{_alternatives(words.announce)}){_LINK}[*_\"'“]{{0,3}}\s{{0,3}}[*_\"'“]{{0,3}})?"
        rf"(?:(?P<yes>{_alternatives(words.yes)})|(?P<no>{_alternatives(words.no)})){ends}"
    )


_PATTERNS = {language: _compile(words) for language, words in _LANGUAGES.items()}
_BOTH = re.compile(
    r"(?:yes|no|sí|si|oui|non|ja|nein|sim|não)\W{1,3}(?:and|or|y|o|et|ou|und|oder|e|or maybe)?\s*"
    r"(?:yes|no|sí|si|oui|non|ja|nein|sim|não)\b"
)


def read_decision(text: str, language: str = "en") -> Decision:
    """Return what the beginning of an answer decides.

    Parameters
    ----------
    text : str
    language : str
        A language tag; only its first part is looked at.

    Examples
    --------
    >>> read_decision("**Yes**, she should."), read_decision("No doubt about it.")
    (<Decision.YES: 'yes'>, <Decision.OTHER: 'other'>)
    """
    folded, _ = fold_characters(text[:READ])
    opening = folded.lstrip(_OPENING).casefold()
    found = _PATTERNS[language.partition("-")[0]].match(opening)
    if found is None or _says_both(opening, found):
        return Decision.OTHER
    return Decision.YES if found["yes"] else Decision.NO


def _says_both(opening: str, found: re.Match[str]) -> bool:
    """Say whether another answer follows the first within the same breath."""
    start = found.start("yes") if found["yes"] else found.start("no")
    both = _BOTH.match(opening, start)
    if both is None:
        return False
    first, last = re.split(r"\W+", both.group())[0], re.split(r"\W+", both.group())[-1]
    return first != last


class DecisionScorer:
    """Scores 1 for yes, 0 for no, 0.5 for what is neither, with the label that says which."""

    def __init__(self) -> None:
        self.facts = decision_facts()

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return value and label of every input."""
        found = [read_decision(one.text, one.language) for one in inputs]
        return [ScorerOutput(VALUES[decision], label=decision.value) for decision in found]


def decision_facts() -> ScorerFacts:
    """Return what the decision scorer is."""
    patterns = {language: pattern.pattern for language, pattern in _PATTERNS.items()}
    return rule_facts(
        "decision",
        VERSION,
        {"patterns": content_id([patterns, _BOTH.pattern]), "read": READ},
        construct="decision",
        higher_is="neutral",
        languages=LANGUAGES,
        description="Yes, no or neither, by the words that open an answer.",
    )
