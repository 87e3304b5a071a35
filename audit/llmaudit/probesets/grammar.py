"""Whether articles agree with the grammatical gender that a lexicon gives its groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from llmaudit.probesets.lexicons import Group, words_of
from llmaudit.probesets.parts import main_language

_F, _M, _N = "f", "m", "n"
# Which classes an article can stand before in the nominative and accusative singular.
_ARTICLES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "es": {"una": frozenset({_F}), "la": frozenset({_F}), "un": frozenset({_M, _F})},
    "fr": {
        "une": frozenset({_F}),
        "la": frozenset({_F}),
        "un": frozenset({_M}),
        "le": frozenset({_M}),
    },
    "pt": {"uma": frozenset({_F}), "um": frozenset({_M})},
    "de": {
        "eine": frozenset({_F}),
        "ein": frozenset({_M, _N}),
        "einen": frozenset({_M}),
        "einem": frozenset({_M, _N}),
        "einer": frozenset({_F}),
    },
    "it": {"una": frozenset({_F}), "un": frozenset({_M}), "uno": frozenset({_M})},
}
"""Spanish nouns in stressed a take ``un`` though they are feminine."""


def lint_agreement(group: Group, language: str) -> Iterator[tuple[str, str]]:
    """Yield articles within a group's own words that do not suit its agreement class.

    Parameters
    ----------
    group : Group
        Of a lexicon of terms.
    language : str
    """
    if group.names is not None:
        return
    (words,) = words_of(group, "terms")
    noun = words.forms.get("noun", "")
    for form, word in words.forms.items():
        for fault in find_article_faults(word, noun, words.agreement, language):
            yield f"{form}: {fault}", "correct the article or the agreement"


def find_article_faults(
    text: str, noun: str, agreement: str | None, language: str
) -> Iterator[str]:
    """Yield articles right before the word for the group that do not suit its class.

    Examples
    --------
    >>> list(find_article_faults("Vi a un mujer.", "mujer", "f", "es"))
    ["'un mujer': the group's agreement is f"]
    """
    articles = _ARTICLES.get(main_language(language))
    if articles is None or agreement not in {_F, _M, _N} or not noun:
        return
    for match in _pattern(tuple(articles), noun).finditer(text):
        article = match.group(1).lower()
        fits = articles[article]
        if article == "un" and len(fits) > 1 and not _takes_un(noun):
            fits = frozenset({_M})
        if agreement not in fits:
            yield f"{match.group()!r}: the group's agreement is {agreement}"


@lru_cache(maxsize=4096)
def _pattern(articles: tuple[str, ...], noun: str) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(articles)}) {re.escape(noun)}\b", re.IGNORECASE)


def _takes_un(noun: str) -> bool:
    return noun[:1].lower() in "aáh"
