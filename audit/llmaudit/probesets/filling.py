"""Fills a probe set: every template with every combination of its slots, axes and groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmaudit.probesets.gaps import split_gap
from llmaudit.probesets.loading import ProbeSet
from llmaudit.probesets.schema import Group, ProbeSetFile, Template
from llmaudit.probesets.slots import Pieces, fill_text, parse_text
from llmaudit.records import GAP, Message, Prompt, content_id


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A template whose texts have been taken apart once."""

    template: Template
    turns: tuple[tuple[str, Pieces], ...]
    plain: Pieces
    after_gap: str | None
    choices: Mapping[str, Pieces]


def fill_probe_set(probe_set: ProbeSet) -> tuple[Prompt, ...]:
    """Return every prompt of a probe set, always in the same order.

    Templates come as in the file; within one, slot combinations (the last slot changes fastest),
    then axes, then groups. Prompts of equal template, slot values and axis are siblings: they
    share ``pair_id`` and differ only in the words for the group. ``tags`` holds the template's
    tags, its slot values, ``favourable`` where the set names a favourable choice, and ``gap``, the
    text after it, where the plain text has a gap; ``plain`` is the text before it then.
    """
    definition = probe_set.definition
    prompts: list[Prompt] = []
    for template in definition.templates:
        parsed = _parse(definition, template)
        for values in combinations(template):
            prompts.extend(_fill(probe_set, parsed, values))
    return tuple(prompts)


def combinations(template: Template) -> Iterator[dict[str, str]]:
    """Yield every combination of the values of a template's own slots."""
    for values in itertools.product(*template.slots.values()):
        yield dict(zip(template.slots, values, strict=True))


def _parse(definition: ProbeSetFile, template: Template) -> _Parsed:
    turns = []
    if template.prompt is not None:
        if template.system is not None:
            turns.append(("system", parse_text(template.system)))
        turns.append(("user", parse_text(template.prompt)))
    text = template.prompt if template.plain is None else template.plain
    plain, after_gap = split_gap(parse_text(text or ""))
    return _Parsed(
        template,
        tuple(turns),
        plain,
        after_gap,
        {label: parse_text(text) for label, text in definition.choices_of(template).items()},
    )


def _fill(probe_set: ProbeSet, parsed: _Parsed, values: Mapping[str, str]) -> Iterator[Prompt]:
    """Yield the prompts of one slot combination: each axis, each group; or one without either."""
    axes = probe_set.definition.axes_of(parsed.template)
    if not axes:
        yield _prompt(probe_set, parsed, values, None, None)
    for axis in axes:
        for group in probe_set.lexicons[axis].groups:
            yield _prompt(probe_set, parsed, values, axis, group)


def _prompt(
    probe_set: ProbeSet,
    parsed: _Parsed,
    values: Mapping[str, str],
    axis: str | None,
    group: Group | None,
) -> Prompt:
    definition, template = probe_set.definition, parsed.template
    forms = group.forms if group else {}
    place = {
        "probe_set_digest": probe_set.digest,
        "template": template.id,
        "slots": dict(values),
        "axis": axis,
    }
    tags = {**template.tags, **values}
    if definition.favourable is not None:
        tags["favourable"] = definition.favourable
    if parsed.after_gap is not None:
        tags[GAP] = parsed.after_gap
    return Prompt(
        id=content_id({**place, "group": group.id if group else None}),
        probe_set=definition.id,
        probe_set_digest=probe_set.digest,
        template_id=template.id,
        pair_id=content_id({**place, "probe_set": definition.id}),
        axis=axis,
        group=group.id if group else None,
        language=definition.language,
        task=definition.task,
        messages=tuple(
            Message(role, fill_text(pieces, values, forms)) for role, pieces in parsed.turns
        ),
        plain=fill_text(parsed.plain, values, forms),
        choices={
            label: fill_text(pieces, values, forms) for label, pieces in parsed.choices.items()
        },
        tags=tags,
    )
