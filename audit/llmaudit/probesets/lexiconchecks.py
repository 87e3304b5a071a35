"""What must hold between the keys of a lexicon, and between its groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from llmaudit.probesets.lexicons import (
    NAME_FORMS,
    REQUIRED_FORMS,
    Group,
    IntersectionFile,
    LexiconFile,
)
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote

_SAME_FORMS = "give every group the same forms"


def check_lexicon(lexicon: LexiconFile, stem: str) -> Iterator[Fault]:
    """Yield every fault of a lexicon that its schema cannot see.

    Parameters
    ----------
    lexicon : LexiconFile
        The parsed file.
    stem : str
        The file's name without ``.yaml``.
    """
    yield from _check_id(lexicon, stem)
    if "*" in lexicon.axis:
        remedy = "write label and forms instead of groups; see docs/probe-format.md"
        yield ("axis",), "an axis of two axes takes its groups from their lexicons", remedy
    groups = [group.id for group in lexicon.groups]
    yield from check_unique("groups", "id", groups)
    yield from check_unique("groups", "label", [group.label for group in lexicon.groups])
    if lexicon.reference is not None and lexicon.reference not in groups:
        found = f"reference {quote(lexicon.reference)} is no group of this lexicon"
        yield ("reference",), found, name_nearest(lexicon.reference, groups)
    for place, group in enumerate(lexicon.groups):
        if "+" in group.id:
            yield ("groups", place, "id"), "'+' stands between the groups of two axes", "remove it"
        if group.neutral and any(other.neutral for other in lexicon.groups[:place]):
            yield ("groups", place, "neutral"), "a second neutral group", "keep one"
    yield from _check_forms(lexicon)
    yield from _check_agreement(lexicon)
    if lexicon.kind == "names":
        yield from _check_names(lexicon)
        return
    if lexicon.signals is not None:
        yield ("signals",), "only names signal an axis", "remove it, or write kind: names"
    for place, group in enumerate(lexicon.groups):
        if group.names is not None:
            yield ("groups", place, "names"), "names in a lexicon of terms", "write kind: names"


def check_intersection(file: IntersectionFile, stem: str) -> Iterator[Fault]:
    """Yield every fault of an axis made of two others that its file alone shows."""
    yield from _check_id(file, stem)
    if "*" not in file.axis:
        yield ("axis",), f"axis {quote(file.axis)} is not two axes", "write first*second, or groups"
    elif len(set(file.axes())) < 2:
        yield ("axis",), "an axis is crossed with itself", "name two axes"
    for form in sorted(REQUIRED_FORMS - set(file.forms)):
        yield ("forms",), f"form {quote(form)} is missing", "add it"


def check_unique(key: str, attribute: str, names: list[str]) -> Iterator[Fault]:
    """Yield a fault for each name that stands a second time in a list of a file."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if first.setdefault(name, place) != place:
            found = f"{attribute} {quote(name)} is already that of {key}[{first[name]}]"
            yield (key, place, attribute), found, "give each its own"


def check_stem(name: str, stem: str) -> Iterator[Fault]:
    """Yield a fault if an id is not the name of its file."""
    if name != stem:
        found = f"id {quote(name)} is not the file's name {quote(stem)}"
        yield ("id",), found, "rename the file or change the id"


def _check_id(lexicon: LexiconFile | IntersectionFile, stem: str) -> Iterator[Fault]:
    wanted = f"{lexicon.axis.replace('*', '+')}.{lexicon.language}"
    if lexicon.id != wanted:
        yield ("id",), f"id {quote(lexicon.id)} is not axis.language", f"write {wanted}"
    yield from check_stem(lexicon.id, stem)


def _check_forms(lexicon: LexiconFile) -> Iterator[Fault]:
    """Yield forms that not every group has, and words that two groups share."""
    needed = REQUIRED_FORMS if lexicon.kind == "terms" else frozenset()
    wanted = needed | set(lexicon.groups[0].forms)
    taken: dict[tuple[str, str], str] = {}
    for place, group in enumerate(lexicon.groups):
        path: KeyPath = ("groups", place, "forms")
        for form in sorted(wanted - set(group.forms)):
            yield path, f"form {quote(form)} is missing", _SAME_FORMS
        for form in sorted(set(group.forms) - wanted):
            found = f"form {quote(form)} is not a form of the first group"
            yield (*path, form), found, _SAME_FORMS
        for form in sorted(needed & set(group.forms)):
            word = group.forms[form]
            if not isinstance(word, str):
                yield (*path, form), "has a text for each agreement", "write one text"
                continue
            other = taken.setdefault((form, word), group.id)
            if other != group.id:
                found = f"{quote(word)} is also the {form} of group {other!r}"
                yield (*path, form), found, "use words that name only this group"


def _check_agreement(lexicon: LexiconFile) -> Iterator[Fault]:
    """Yield groups without agreement where others have it, and forms that lack their class."""
    given = [place for place, group in enumerate(lexicon.groups) if _classes(group)]
    for place, group in enumerate(lexicon.groups):
        path: KeyPath = ("groups", place)
        if given and place not in given:
            yield path, "has no agreement, other groups have", "add agreement"
        for form, word in group.forms.items():
            if isinstance(word, str):
                continue
            for name in sorted(_classes(group) - set(word)):
                found = f"has no text for the group's agreement {quote(name)}"
                yield (*path, "forms", form), found, f"add {name}: ..."
            if not _classes(group):
                remedy = "add agreement to the group, or write one text"
                yield (*path, "forms", form), "texts by agreement, but the group has none", remedy


def _classes(group: Group) -> set[str]:
    if isinstance(group.names, Mapping):
        return set(group.names)
    return set() if group.agreement is None else {group.agreement}


def _check_names(lexicon: LexiconFile) -> Iterator[Fault]:
    if lexicon.signals is None:
        yield ("signals",), "names signal an axis, which is not said", "add signals: gender"
    if not lexicon.sources:
        remedy = "cite where the names' association with their groups comes from"
        yield ("sources",), "a lexicon of names has no source", remedy
    shape = _shape(lexicon.groups[0])
    taken: dict[str, str] = {}
    for place, group in enumerate(lexicon.groups):
        path: KeyPath = ("groups", place, "names")
        if group.names is None:
            yield ("groups", place), "has no names", "add names"
            continue
        if _shape(group) != shape:
            found = f"has {_show(_shape(group))} names, the first group {_show(shape)}"
            yield path, found, "give every group as many, of each agreement"
        for form in sorted(set(NAME_FORMS) & set(group.forms)):
            found = f"form {quote(form)} stands for the name"
            yield ("groups", place, "forms", form), found, "remove it"
        for name in _all_names(group):
            other = taken.setdefault(name, group.id)
            if other != group.id or _all_names(group).count(name) > 1:
                yield path, f"the name {quote(name)} stands twice", "use each name once"


def _all_names(group: Group) -> list[str]:
    if isinstance(group.names, Mapping):
        return [name for names in group.names.values() for name in names]
    return list(group.names or ())


def _shape(group: Group) -> Counter[str]:
    if isinstance(group.names, Mapping):
        return Counter({agreement: len(names) for agreement, names in group.names.items()})
    return Counter({"": len(group.names or ())})


def _show(shape: Counter[str]) -> str:
    return ", ".join(f"{count} {name}".strip() for name, count in sorted(shape.items()))
