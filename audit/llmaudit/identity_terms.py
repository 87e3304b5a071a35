"""The words by which a prompt differs from its counterfactual siblings: what names its group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from llmaudit.records import Prompt

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_PLAIN = frozenset(
    _WORD.findall(
        """a an the who whose whom that which of with without from in on at to by for and or is are
        was were be been being has have had do does did no not uses use using lives living he she
        they him her them his hers their theirs himself herself themselves mr mrs ms mx"""
    )
)
"""Words that name nobody alone; pronouns and titles are each scorer's own business."""
_LONGEST = 8
"""Words of a phrase; siblings that differ in more than a name have no phrase to mask."""


def identity_terms(prompts: Iterable[Prompt]) -> dict[str, tuple[str, ...]]:
    """Return by prompt id what the prompt says and not all of its siblings say.

    Siblings are the same template with another group in it, so that is the group's name there:
    phrases, and their words apart from those that name nobody. Empty for a prompt without siblings.

    Parameters
    ----------
    prompts : iterable of Prompt
        With all siblings of each.
    """
    families: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        if prompt.group is not None:
            families.setdefault(prompt.pair_id, []).append(prompt)
    found: dict[str, tuple[str, ...]] = {}
    for family in families.values():
        said = [[_words(text) for text in _texts(prompt)] for prompt in family]
        shared = frozenset.intersection(*(frozenset(_folded(texts)) for texts in said))
        for prompt, texts in zip(family, said, strict=True):
            terms = (term for words in texts for term in _terms(words, shared))
            found[prompt.id] = tuple(dict.fromkeys(terms))
    return found


def _texts(prompt: Prompt) -> tuple[str, ...]:
    return (prompt.plain, *(message.content for message in prompt.messages))


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _folded(texts: Iterable[Sequence[str]]) -> Iterator[str]:
    return (word.casefold() for words in texts for word in words)


def _terms(words: Sequence[str], shared: frozenset[str]) -> Iterator[str]:
    """Yield the runs of words that are not shared, then the words of each that name somebody.

    A shared word that names nobody does not end a run ("person without a disability").
    """
    own = [word.casefold() not in shared for word in words]
    for place in range(1, len(words) - 1):
        between = own[place - 1] and own[place + 1]
        own[place] = own[place] or (between and words[place].casefold() in _PLAIN)
    for is_own, run in groupby(zip(own, words, strict=True), key=itemgetter(0)):
        named = _trim([word for _, word in run]) if is_own else []
        if len(named) > _LONGEST:
            continue
        if len(named) > 1:
            yield " ".join(named)
        yield from (word for word in named if word.casefold() not in _PLAIN)


def _trim(words: list[str]) -> list[str]:
    """Cut words that name nobody from both ends."""
    places = [place for place, word in enumerate(words) if word.casefold() not in _PLAIN]
    return words[places[0] : places[-1] + 1] if places else []
