"""How large a probe set is and becomes when it is filled, computed without filling it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from llmaudit.probesets.schema import MAX_TEXT, LexiconFile, ProbeSetFile, Template
from llmaudit.probesets.slots import SlotSyntaxError, parse_text
from llmaudit.yamlproblems import Fault, KeyPath

MAX_PROMPTS = 200_000
MAX_CHARACTERS_UNFILLED = 2_000_000
MAX_FILLED_TEXT = 5 * MAX_TEXT
MAX_CHARACTERS = 200_000_000


def texts_of(definition: ProbeSetFile, template: Template) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text of a template with its key path within the template."""
    for key in ("system", "prompt", "plain"):
        text = getattr(template, key)
        if text is not None:
            yield (key,), text
    for label, text in definition.choices_of(template).items():
        yield ("choices", label), text


def count_characters(definition: ProbeSetFile) -> int:
    """Return the characters of all templates before they are filled."""
    return sum(
        len(text) for template in definition.templates for _, text in texts_of(definition, template)
    )


def count_prompts(definition: ProbeSetFile, lexicons: Mapping[str, LexiconFile]) -> int:
    """Return how many prompts a set fills to; an axis without a lexicon counts as one group."""
    return sum(_count(definition, template, lexicons) for template in definition.templates)


def check_sizes(definition: ProbeSetFile, lexicons: Mapping[str, LexiconFile]) -> Iterator[Fault]:
    """Yield a fault for each limit that the filled probe set would exceed."""
    total = count_prompts(definition, lexicons)
    if total > MAX_PROMPTS:
        found = f"fills to {_show(total)} prompts, at most {MAX_PROMPTS:,} are allowed"
        yield ("templates",), found, "use fewer slot values, or split the set"
    characters = 0
    for place, template in enumerate(definition.templates):
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
    own = math.prod(len(values) for values in template.slots.values())
    axes = definition.axes_of(template)
    groups = sum(len(lexicons[axis].groups) if axis in lexicons else 1 for axis in axes)
    return own * (groups if axes else 1)


def _longest(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> int:
    """Return an upper bound on the characters of one filled prompt of a template."""
    forms: dict[str, int] = {}
    for axis in definition.axes_of(template):
        for group in lexicons[axis].groups if axis in lexicons else ():
            for form, word in group.forms.items():
                forms[form] = max(forms.get(form, 0), len(word))
    values = {slot: max(map(len, words)) for slot, words in template.slots.items()}
    return sum(_filled_length(text, values, forms) for _, text in texts_of(definition, template))


def _filled_length(text: str, values: Mapping[str, int], forms: Mapping[str, int]) -> int:
    try:
        pieces = parse_text(text)
    except SlotSyntaxError:
        return len(text)
    return sum(
        len(piece)
        if isinstance(piece, str)
        else values.get(piece.name, 0)
        if piece.form is None
        else forms.get(piece.form, 0)
        for piece in pieces
    )
