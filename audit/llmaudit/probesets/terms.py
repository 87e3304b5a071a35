"""Words for groups and slurs that stand where a reader of the datasheet would not expect them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from llmaudit.probesets.lexicons import Group, LexiconFile, words_of
from llmaudit.probesets.loading import ProbeSet
from llmaudit.probesets.parts import main_language
from llmaudit.probesets.schema import ProbeSetFile, Template
from llmaudit.probesets.sizing import texts_of, values_of
from llmaudit.probesets.slots import Pick, SlotSyntaxError, parse_text, texts_in
from llmaudit.probesets.slurs import find_slurs
from llmaudit.yamlproblems import Fault, KeyPath, quote

#: In these languages a word for a group may stand within a run of letters.
_UNSPACED = frozenset({"zh", "ja", "th"})
_FORMS = ("noun", "plural")


def lint_terms(probe_set: ProbeSet) -> Iterator[Fault]:
    """Yield words for a group that a template's own text says: all siblings would say them.

    In a template without a group, that is one of the set's axes' words in a text that is to be
    neutral; in the others, a word that stands beside the slot for it.
    """
    definition = probe_set.definition
    language = main_language(definition.language)
    for place, template in enumerate(definition.probes):
        axes = definition.axes_of(template) or definition.axes
        terms = {
            term: group
            for axis in axes
            for term, group in _terms(probe_set.lexicons[axis].groups).items()
        }
        if not terms:
            continue
        for path, text in _own_texts(definition, template):
            found = _find(text, tuple(terms), language)
            if found:
                what = f"says {quote(found)}, a word for group {terms[found]!r}, in every sibling"
                remedy = "use a word that names no group, or {identity...}"
                yield ("templates", place, *path), what, remedy


def lint_neutral_group(lexicon: LexiconFile) -> Iterator[Fault]:
    """Yield words for another group in the forms of a neutral group."""
    for place, group in enumerate(lexicon.groups):
        others = _terms(other for other in lexicon.groups if other is not group)
        for form, word in group.forms.items() if group.neutral else ():
            found = _find(str(word), tuple(others), main_language(lexicon.language))
            if found:
                problem = f"the neutral group says {quote(found)}, a word for {others[found]!r}"
                yield ("groups", place, "forms", form), problem, "use words that name no group"


def _terms(groups: Iterable[Group]) -> dict[str, str]:
    """Return the words that name each group that is not neutral, with its id."""
    return {
        words.forms[form]: group.id
        for group in groups
        if group.names is None and not group.neutral
        for words in words_of(group, "terms")
        for form in _FORMS
        if form in words.forms
    }


def _own_texts(definition: ProbeSetFile, template: Template) -> Iterator[tuple[KeyPath, str]]:
    """Yield what a template says itself: its texts without slots, and the values of its slots."""
    for path, text in texts_of(definition, template):
        if {"references", "false_references"} & set(path):
            continue
        try:
            pieces = parse_text(text)
        except SlotSyntaxError:
            continue
        yield path, "\x00".join(piece for piece in pieces if isinstance(piece, str))
        for piece in pieces:
            if isinstance(piece, Pick):
                yield path, "\x00".join(each for _, each in piece.options)
    for path, value in values_of(template):
        yield path, value if isinstance(value, str) else "\x00".join(value.values())


def _find(text: str, terms: tuple[str, ...], language: str) -> str | None:
    match = _pattern(terms, language).search(text)
    if match is None:
        return None
    return next(term for term in terms if term.casefold() == match.group().casefold())


@lru_cache(maxsize=256)
def _pattern(terms: tuple[str, ...], language: str) -> re.Pattern[str]:
    longest = sorted(terms, key=len, reverse=True)
    words = "|".join(re.escape(term) for term in longest)
    whole = words if language in _UNSPACED else rf"(?<!\w)(?:{words})(?!\w)"
    return re.compile(whole, re.IGNORECASE)


def lint_slurs(definition: ProbeSetFile) -> Iterator[Fault]:
    """Yield slurs that the file does not declare, and declared ones that it does not use."""
    declared = {slur.casefold(): place for place, slur in enumerate(definition.slurs)}
    used: set[str] = set()
    for place, template in enumerate(definition.probes):
        for path, text in _every_text(definition, template):
            used |= {slur for slur in declared if slur in text.casefold()}
            for word in find_slurs(text, definition.language):
                if word.casefold() not in declared:
                    key = ("templates", place, *path)
                    yield key, f"the slur {quote(word)} is not declared", "declare it under slurs"
    for slur, place in declared.items():
        if slur not in used:
            yield ("slurs", place), f"{quote(slur)} is declared and not used", "remove it"


def _every_text(definition: ProbeSetFile, template: Template) -> Iterator[tuple[KeyPath, str]]:
    yield from texts_of(definition, template)
    for path, value in values_of(template):
        for text in texts_in(value):
            yield path, text
