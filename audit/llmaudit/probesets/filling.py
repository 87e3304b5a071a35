"""Fills a probe set: every template with every combination of its slots, axes and groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmaudit.probesets.gaps import split_gap
from llmaudit.probesets.lexicons import Group, Words, words_of
from llmaudit.probesets.loading import ProbeSet
from llmaudit.probesets.schema import Answers, Case, ProbeSetFile, Template
from llmaudit.probesets.sizing import combinations
from llmaudit.probesets.slots import Inflected, Pieces, fill_text, parse_text, spell
from llmaudit.probesets.wrapping import wrap_prompts, write_out
from llmaudit.records import CASE, GAP, Message, Prompt, content_id

_NOBODY = Words(None, {}, None)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A template, or one case of it, whose texts have been taken apart once."""

    turns: tuple[tuple[str, Pieces], ...]
    plain: Pieces
    after_gap: str | None
    choices: Mapping[str, Pieces]
    references: tuple[Pieces, ...]
    false_references: tuple[Pieces, ...]
    expected: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Whom one prompt is about."""

    axis: str | None = None
    group: Group | None = None
    words: Words = _NOBODY


def fill_probe_set(probe_set: ProbeSet) -> tuple[Prompt, ...]:
    """Return every prompt of a probe set, always in the same order.

    Templates come as in the file; within one, cases, slot combinations (the last slot changes
    fastest), then axes, names, and groups. Prompts of equal template, values, axis and place of
    the name are siblings: they share ``pair_id`` and differ only in the words for the group.
    ``tags`` holds the template's tags, its slot values, the ``case``, ``category`` where the
    template names a harm, ``favourable`` where the set names a favourable choice, and ``gap``, the
    text after it, where the plain text has a gap; ``plain`` is the text before it then. A composed
    set has the prompts of another one, each in its wrappers.
    """
    if probe_set.base is not None:
        definition, base = probe_set.definition, fill_probe_set(probe_set.base)
        return wrap_prompts(base, probe_set.wrappers, definition, probe_set.digest)
    prompts: list[Prompt] = []
    for number, template in enumerate(probe_set.definition.probes):
        places = [list(_places(probe_set, axis, number)) for axis in _axes(probe_set, template)]
        parsed: dict[str | None, _Parsed] = {}
        for case, values in combinations(template):
            key = case.id if case else None
            if key not in parsed:
                parsed[key] = _parse(probe_set.definition, template, case)
            prompts.extend(
                _prompt(probe_set, template, case, parsed[key], values, place)
                for place in itertools.chain.from_iterable(places)
            )
    return tuple(prompts)


def _axes(probe_set: ProbeSet, template: Template) -> tuple[str | None, ...]:
    return probe_set.definition.axes_of(template) or (None,)


def _places(probe_set: ProbeSet, axis: str | None, number: int) -> Iterator[_Place]:
    """Yield whom a template is filled with on one axis: names in turn, their groups side by side.

    Where only some of the names are used, each template goes on where the one before it ended.
    """
    if axis is None:
        yield _Place()
        return
    kind = probe_set.lexicons[axis].kind
    groups = [(group, words_of(group, kind)) for group in probe_set.groups(axis)]
    many = len(groups[0][1])
    used = min(probe_set.definition.names or many, many) if kind == "names" else 1
    for turn in range(used):
        for group, words in groups:
            yield _Place(axis, group, words[(number * used + turn) % many])


def _parse(definition: ProbeSetFile, template: Template, case: Case | None) -> _Parsed:
    turns = [(role, parse_text(text)) for role, text in template.conversation()]
    if template.system is not None and turns:
        turns.insert(0, ("system", parse_text(template.system)))
    plain, after_gap = split_gap(parse_text(plain_text(template)))
    choices = definition.choices_of(template, case).items()
    holder = _holder(template, case)
    tags = {**template.tags, **(case.tags if case else {})}
    if case is not None:
        tags[CASE] = case.id
    if template.harm is not None:
        tags["category"] = template.harm
    if definition.favourable is not None:
        tags["favourable"] = definition.favourable
    if after_gap is not None:
        tags[GAP] = after_gap
    return _Parsed(
        turns=tuple(turns),
        plain=plain,
        after_gap=after_gap,
        choices={label: parse_text(text) for label, text in choices},
        references=tuple(parse_text(text) for text in holder.references),
        false_references=tuple(parse_text(text) for text in holder.false_references),
        expected=case.expected if case and case.expected else template.expected,
        tags=tags,
    )


def _holder(template: Template, case: Case | None) -> Answers:
    """Return whose references count: the case's, where it has any."""
    if case is not None and (case.references or case.false_references):
        return case
    return template


def plain_text(template: Template) -> str:
    """Return the text for base models: as written, else the prompt, else the talk written out."""
    if template.plain is not None:
        return template.plain
    if template.turns is None:
        return template.prompt or ""
    return write_out(template.conversation())


def _prompt(
    probe_set: ProbeSet,
    template: Template,
    case: Case | None,
    parsed: _Parsed,
    values: Mapping[str, Inflected],
    place: _Place,
) -> Prompt:
    definition = probe_set.definition
    identity: dict[str, object] = {
        "probe_set_digest": probe_set.digest,
        "template": template.id,
        "slots": {
            name: value if isinstance(value, str) else dict(value) for name, value in values.items()
        },
        "axis": place.axis,
    }
    if case is not None:
        identity["case"] = case.id
    if place.words.place is not None:
        identity["name"] = place.words.place
    group = place.group.id if place.group else None

    def fill(pieces: Pieces) -> str:
        return fill_text(pieces, values, place.words.forms, place.words.agreement)

    return Prompt(
        id=content_id({**identity, "group": group}),
        probe_set=definition.id,
        probe_set_digest=probe_set.digest,
        template_id=template.id,
        pair_id=content_id({**identity, "probe_set": definition.id}),
        axis=place.axis,
        group=group,
        language=definition.language,
        task=definition.task,
        messages=tuple(Message(role, fill(pieces)) for role, pieces in parsed.turns),
        plain=fill(parsed.plain),
        choices={label: fill(pieces) for label, pieces in parsed.choices.items()},
        tags={**parsed.tags, **{name: spell(values[name]) for name in template.slots}},
        expected=parsed.expected,
        references=tuple(fill(pieces) for pieces in parsed.references),
        false_references=tuple(fill(pieces) for pieces in parsed.false_references),
    )
