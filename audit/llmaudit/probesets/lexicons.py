"""Lexicons: the groups of an axis, the words and names for them, and axes made of two others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from llmaudit.probesets.parts import (
    AxisName,
    Identifier,
    Language,
    Name,
    Part,
    Source,
    Text,
    VersionText,
)
from llmaudit.probesets.slots import Slot, SlotSyntaxError, fill_text, inflect, parse_text
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote

REQUIRED_FORMS = frozenset({"noun", "noun_a", "plural"})
"""The forms that every group of a lexicon of terms has, so that templates can rely on them."""

NAME_FORMS = ("name", "noun_a")
"""The forms that stand for a person's name in a lexicon of names."""

GroupId = Annotated[
    str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*(\+[a-z0-9]+(-[a-z0-9]+)*)?$", max_length=80)
]
InflectedText = Text | Annotated[Mapping[Name, Text], Field(min_length=1, max_length=10)]
NameList = Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)]


class Group(Part):
    """One group of an axis: its name in reports and the words or names for it in prompts."""

    id: GroupId
    label: Text
    forms: Mapping[Name, InflectedText] = {}
    names: NameList | Annotated[Mapping[Name, NameList], Field(min_length=1)] | None = None
    agreement: Name | None = None
    neutral: bool = False


class AxisFile(Part):
    """What every file of words for the groups of an axis says of itself."""

    format: Literal[1]
    id: Annotated[str, Field(pattern=r"^[a-z0-9+-]+\.[A-Za-z0-9-]+$", max_length=100)]
    axis: AxisName
    language: Language
    version: VersionText
    licence: Text
    author: Text
    known_limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    sources: tuple[Source, ...]
    written: Literal["by hand", "machine-drafted"] | None = None
    checked: tuple[Text, ...] = ()
    reference: GroupId | None = None


class LexiconFile(AxisFile):
    """The groups of one axis in one language as their file says it."""

    kind: Literal["terms", "names"] = "terms"
    signals: Identifier | None = None
    groups: Annotated[tuple[Group, ...], Field(min_length=2)]


class IntersectionFile(AxisFile):
    """How the words for two groups at once are put together from the words of two lexicons."""

    label: Text
    forms: Annotated[Mapping[Name, Text], Field(min_length=1)]
    agreement: Identifier | None = None

    def axes(self) -> tuple[str, ...]:
        """Return the two axes that are crossed."""
        return tuple(self.axis.split("*"))


@dataclass(frozen=True, slots=True)
class Words:
    """What fills ``{identity...}`` for one group: its words by form, and the class they have.

    ``place`` is that of the name among the group's names; None in lexicons of terms.
    """

    place: int | None
    forms: Mapping[str, str]
    agreement: str | None


def words_of(group: Group, kind: str) -> tuple[Words, ...]:
    """Return the words for a group: one set of words, or in a lexicon of names one per name."""
    if kind == "terms":
        return (_words(group, group.agreement, None, None),)
    return tuple(
        _words(group, agreement, place, name)
        for place, (agreement, name) in enumerate(_names_of(group))
    )


def _names_of(group: Group) -> Iterator[tuple[str | None, str]]:
    """Yield each name of a group with its agreement class."""
    if isinstance(group.names, Mapping):
        for agreement in sorted(group.names):
            for name in group.names[agreement]:
                yield agreement, name
    else:
        for name in group.names or ():
            yield group.agreement, name


def _words(group: Group, agreement: str | None, place: int | None, name: str | None) -> Words:
    forms = {form: inflect(word, agreement) for form, word in group.forms.items()}
    if name is not None:
        forms |= dict.fromkeys(NAME_FORMS, name)
    return Words(place, forms, agreement)


def known_forms(lexicon: LexiconFile) -> frozenset[str]:
    """Return the forms that every group of a lexicon has."""
    own = frozenset(lexicon.groups[0].forms)
    return own | frozenset(NAME_FORMS) if lexicon.kind == "names" else own


def agreement_classes(lexicon: LexiconFile) -> frozenset[str]:
    """Return the agreement classes of a lexicon's groups and names; empty where it has none."""
    found: set[str] = set()
    for group in lexicon.groups:
        if isinstance(group.names, Mapping):
            found |= set(group.names)
        elif group.agreement is not None:
            found.add(group.agreement)
    return frozenset(found)


def intersect(
    file: IntersectionFile, first: LexiconFile, second: LexiconFile
) -> tuple[LexiconFile | None, list[Fault]]:
    """Return the lexicon of every pair of groups of two lexicons, and what is wrong with the words.

    Groups are named ``woman+black`` in the order of the axes.

    Parameters
    ----------
    file : IntersectionFile
    first, second : LexiconFile
        Of the two axes, in their order.
    """
    parts = {first.axis: first, second.axis: second}
    faults = list(_composition_faults(file, parts))
    if faults:
        return None, faults
    groups = tuple(
        _join(file, {first.axis: one, second.axis: other})
        for one in first.groups
        for other in second.groups
    )
    known = [group.id for group in groups]
    if file.reference is not None and file.reference not in known:
        found = f"reference {quote(file.reference)} is no pair of groups"
        return None, [(("reference",), found, name_nearest(file.reference, known))]
    same = set(LexiconFile.model_fields) & set(IntersectionFile.model_fields)
    shared = {name: getattr(file, name) for name in same}
    return LexiconFile(**{**shared, "groups": groups}), []


def _composition_faults(
    file: IntersectionFile, parts: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    if file.agreement is not None and file.agreement not in parts:
        found = f"agreement {quote(file.agreement)} is none of its axes"
        yield ("agreement",), found, f"write one of {', '.join(parts)}"
        return
    for axis, lexicon in parts.items():
        if lexicon.kind == "names":
            yield ("axis",), f"{axis} is a lexicon of names", "cross lexicons of terms"
            return
    classes = agreement_classes(parts[file.agreement]) if file.agreement else frozenset()
    texts: dict[KeyPath, str] = {("label",): file.label}
    texts |= {("forms", form): text for form, text in file.forms.items()}
    for key, text in texts.items():
        for problem, remedy in _text_faults(text, parts, classes):
            yield key, problem, remedy


def _text_faults(
    text: str, parts: Mapping[str, LexiconFile], classes: frozenset[str]
) -> Iterator[tuple[str, str]]:
    try:
        pieces = parse_text(text, frozenset(parts))
    except SlotSyntaxError as error:
        yield str(error), f"write {{{next(iter(parts))}.noun}} or another form of an axis"
        return
    heads = set()
    for piece in pieces:
        if isinstance(piece, str):
            continue
        if not isinstance(piece, Slot):
            lacking = classes - piece.classes
            if lacking or not classes:
                yield f"no text for agreement {', '.join(sorted(lacking)) or 'any'}", "add it"
            continue
        heads.add(piece.name)
        if piece.form is None:
            yield f"{{{piece.name}}} is no form of an axis", "write {axis.form}"
            continue
        known = known_forms(parts[piece.name])
        if piece.form not in known:
            found = f"lexicon {parts[piece.name].id} has no form {quote(piece.form)}"
            yield found, name_nearest(piece.form, known)
        else:
            yield from _inflection_faults(parts[piece.name], piece.form, classes)
    for axis in parts:
        if axis not in heads:
            yield f"does not name the group of {axis}", f"write {{{axis}.noun}} or another form"


def _inflection_faults(
    lexicon: LexiconFile, form: str, classes: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for group in lexicon.groups:
        word = group.forms.get(form)
        lacking = classes - set(word) if isinstance(word, Mapping) else set()
        if lacking or (isinstance(word, Mapping) and not classes):
            names = ", ".join(sorted(lacking)) or "any"
            found = f"{lexicon.id}: {form} of {group.id} has no text for agreement {names}"
            yield found, "add it to that lexicon, or name the axis that words agree with"


def _join(file: IntersectionFile, groups: Mapping[str, Group]) -> Group:
    agreement = groups[file.agreement].agreement if file.agreement else None
    forms = {
        f"{axis}.{form}": inflect(word, agreement or group.agreement)
        for axis, group in groups.items()
        for form, word in group.forms.items()
        if isinstance(word, str) or (agreement or group.agreement) in word
    }

    def fill(text: str) -> str:
        return fill_text(parse_text(text, frozenset(groups)), {}, forms, agreement)

    return Group(
        id="+".join(group.id for group in groups.values()),
        label=fill(file.label),
        forms={form: fill(text) for form, text in file.forms.items()},
        agreement=agreement,
    )
