"""How large a probe set is and becomes when it is filled, computed without filling it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from llmaudit.probesets.constraints import allows
from llmaudit.probesets.lexicons import LexiconFile, words_of
from llmaudit.probesets.parts import MAX_TEXT
from llmaudit.probesets.schema import Answers, Case, ProbeSetFile, Template
from llmaudit.probesets.slots import Inflected, Pick, Slot, SlotSyntaxError, parse_text
from llmaudit.yamlproblems import Fault, KeyPath

MAX_PROMPTS = 200_000
MAX_CHARACTERS_UNFILLED = 2_000_000
MAX_FILLED_TEXT = 5 * MAX_TEXT
MAX_CHARACTERS = 200_000_000


def texts_of(definition: ProbeSetFile, template: Template) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text of a template that may hold slots, with its key path in the template."""
    for key in ("system", "prompt", "plain"):
        text = getattr(template, key)
        if text is not None:
            yield (key,), text
    for place, (role, text) in enumerate(template.conversation() if template.turns else ()):
        yield ("turns", place, role), text
    for label, text in definition.choices_of(template).items():
        yield ("choices", label), text
    for path, holder in (((), template), *_cases(template)):
        for key in ("references", "false_references"):
            for place, text in enumerate(getattr(holder, key)):
                yield (*path, key, place), text
    for place, case in enumerate(template.cases or ()):
        for label, text in (case.choices or {}).items():
            yield ("cases", place, "choices", label), text


def _cases(template: Template) -> Iterator[tuple[KeyPath, Answers]]:
    for place, case in enumerate(template.cases or ()):
        yield ("cases", place), case


def values_of(template: Template) -> Iterator[tuple[KeyPath, Inflected]]:
    """Yield every value of a template's slots and cases with its key path in the template."""
    for slot, values in template.slots.items():
        for place, value in enumerate(values):
            yield ("slots", slot, place), value
    for place, case in enumerate(template.cases or ()):
        for slot, value in case.slots.items():
            yield ("cases", place, "slots", slot), value


def combinations(template: Template) -> Iterator[tuple[Case | None, dict[str, Inflected]]]:
    """Yield every case and combination of the values of a template's slots that it allows."""
    for case in template.cases or (None,):
        given = dict(case.slots) if case else {}
        for values in itertools.product(*template.slots.values()):
            combined = {**dict(zip(template.slots, values, strict=True)), **given}
            if allows(template, combined):
                yield case, combined


def count_characters(definition: ProbeSetFile) -> int:
    """Return the characters of all templates before they are filled."""
    return sum(
        len(text) for template in definition.probes for _, text in texts_of(definition, template)
    )


def count_prompts(definition: ProbeSetFile, lexicons: Mapping[str, LexiconFile]) -> int:
    """Return how many prompts a set fills to; an axis without a lexicon counts as one group."""
    return sum(_count(definition, template, lexicons) for template in definition.probes)


def check_sizes(definition: ProbeSetFile, lexicons: Mapping[str, LexiconFile]) -> Iterator[Fault]:
    """Yield a fault for each limit that the filled probe set would exceed."""
    total = count_prompts(definition, lexicons)
    if total > MAX_PROMPTS:
        found = f"fills to {_show(total)} prompts, at most {MAX_PROMPTS:,} are allowed"
        yield ("templates",), found, "use fewer slot values, or split the set"
    characters = 0
    for place, template in enumerate(definition.probes):
        if not _combined(template):
            remedy = "loosen only or never"
            yield ("templates", place), "its rules allow no combination of slots", remedy
        longest = _longest(definition, template, lexicons)
        characters += longest * _count(definition, template, lexicons)
        if longest > MAX_FILLED_TEXT:
            found = f"fills to {longest:,} characters, at most {MAX_FILLED_TEXT:,} are allowed"
            yield ("templates", place), found, "shorten its texts or slot values"
    if characters > MAX_CHARACTERS:
        found = f"fills to {_show(characters)} characters, at most {MAX_CHARACTERS:,} are allowed"
        yield ("templates",), found, "use fewer or shorter slot values, or split the set"


def _show(number: int) -> str:
    """Return a number for a message; Python refuses to print integers of over 4300 digits."""
    return f"{number:,}" if number < 10**12 else "more than a trillion"


def _count(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> int:
    axes = definition.axes_of(template)
    people = sum(_count_people(definition, axis, lexicons) for axis in axes)
    return _combined(template) * (people if axes else 1)


def _combined(template: Template) -> int:
    """Return the number of combinations of slots; all of them where they are too many to try."""
    own = math.prod(len(values) for values in template.slots.values())
    own *= len(template.cases or (None,))
    if own > MAX_PROMPTS or not (template.only or template.never):
        return own
    return sum(1 for _ in combinations(template))


def _count_people(definition: ProbeSetFile, axis: str, lexicons: Mapping[str, LexiconFile]) -> int:
    """Return how many prompts an axis makes of one: its groups, times the names for each."""
    if axis not in lexicons:
        return 1
    lexicon = lexicons[axis]
    names = len(words_of(lexicon.groups[0], lexicon.kind))
    if lexicon.kind == "names":
        names = min(definition.names or names, names)
    return names * len(definition.groups.get(axis, lexicon.groups))


def _longest(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> int:
    """Return an upper bound on the characters of one filled prompt of a template."""
    forms: dict[str, int] = {}
    for axis in definition.axes_of(template):
        for group in lexicons[axis].groups if axis in lexicons else ():
            for words in words_of(group, lexicons[axis].kind):
                for form, word in words.forms.items():
                    forms[form] = max(forms.get(form, 0), len(word))
    values = {slot: max(map(_size, words)) for slot, words in template.slots.items()}
    for case in template.cases or ():
        for slot, value in case.slots.items():
            values[slot] = max(values.get(slot, 0), _size(value))
    return sum(_filled_length(text, values, forms) for _, text in texts_of(definition, template))


def _size(value: Inflected) -> int:
    return len(value) if isinstance(value, str) else max(map(len, value.values()))


def _filled_length(text: str, values: Mapping[str, int], forms: Mapping[str, int]) -> int:
    try:
        pieces = parse_text(text)
    except SlotSyntaxError:
        return len(text)
    return sum(_length(piece, values, forms) for piece in pieces)


def _length(piece: str | Slot | Pick, values: Mapping[str, int], forms: Mapping[str, int]) -> int:
    if isinstance(piece, str):
        return len(piece)
    if isinstance(piece, Pick):
        return max(len(text) for _, text in piece.options)
    return values.get(piece.name, 0) if piece.form is None else forms.get(piece.form, 0)
