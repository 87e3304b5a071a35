"""Takes an even part of many prompts without tearing counterfactual siblings apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from llmaudit.errors import UsageError
from llmaudit.records import TECHNIQUE, Prompt

Siblings = list[Prompt]
_TemplateT = TypeVar("_TemplateT")


def limit_prompts(prompts: Iterable[Prompt], limit: int) -> tuple[Prompt, ...]:
    """Return at most ``limit`` prompts, spread evenly over templates and axes.

    Siblings (equal ``pair_id``) are kept together or left out together, so that every comparison
    between groups that is kept is complete. Templates take turns, each turn of a template is
    another of its axes or, of wrapped requests, another technique, and the templates are visited
    so that even a few of them are spread over the whole file. Nothing is drawn at random: equal
    input, equal output, in the input's order. What a smaller limit keeps, a larger one keeps too.

    Parameters
    ----------
    prompts : iterable of Prompt
        Of one probe set or several.
    limit : int
        At least 1. The result is never larger, except where every family of siblings is larger
        than the limit: then one smallest family is kept whole. It can be smaller by less than a
        family of siblings.

    Raises
    ------
    UsageError
        If ``limit`` is less than 1.
    """
    if limit < 1:
        raise UsageError(f"the limit on prompts must be at least 1, not {limit}")
    everything = tuple(prompts)
    if len(everything) <= limit:
        return everything
    families = list(_families_in_turn(everything))
    # A smallest family comes first: it is what every limit can keep.
    smallest = families.pop(families.index(min(families, key=len)))
    kept = {smallest[0].pair_id}
    room = limit - len(smallest)
    for family in families:
        room -= len(family)
        if room < 0:
            break  # going on with smaller families would keep what a larger limit does not
        kept.add(family[0].pair_id)
    return tuple(prompt for prompt in everything if prompt.pair_id in kept)


def order_templates(prompts: Iterable[Prompt]) -> tuple[str, ...]:
    """Return the templates of one probe set, so that any first few are spread over its file."""
    return tuple(_spread(list(dict.fromkeys(prompt.template_id for prompt in prompts))))


def _families_in_turn(prompts: Sequence[Prompt]) -> Iterator[Siblings]:
    """Yield the families of siblings, one per template and round, its axes alternating."""
    queues = [_alternate(axes, turn) for turn, axes in enumerate(_spread(_sort(prompts)))]
    while queues:
        for queue in queues:
            yield queue.pop()
        queues = [queue for queue in queues if queue]


def _sort(prompts: Iterable[Prompt]) -> list[list[list[Siblings]]]:
    """Return families by template and kind: axis, and technique of wrapped ones; then by pair.

    ``pair_id`` is a hash, so a few families are not all of the first slot's first value.
    """
    templates: dict[tuple[str, str], dict[object, dict[str, Siblings]]] = {}
    for prompt in prompts:
        kinds = templates.setdefault((prompt.probe_set, prompt.template_id), {})
        kind = prompt.axis, prompt.tags.get(TECHNIQUE)
        kinds.setdefault(kind, {}).setdefault(prompt.pair_id, []).append(prompt)
    return [
        [[families[pair] for pair in sorted(families)] for families in kinds.values()]
        for kinds in templates.values()
    ]


def _spread(templates: list[_TemplateT]) -> list[_TemplateT]:
    """Order by the reversed bits of the position: any first few cover the whole evenly."""
    bits = len(templates).bit_length()
    order = sorted(range(len(templates)), key=lambda place: f"{place:0{bits}b}"[::-1])
    return [templates[place] for place in order]


def _alternate(axes: list[list[Siblings]], turn: int) -> list[Siblings]:
    """Return one template's families, last to be taken first; ``turn`` picks the first axis."""
    start = turn % len(axes)
    ordered: list[Siblings] = []
    for place in range(max(len(families) for families in axes)):
        for families in axes[start:] + axes[:start]:
            ordered.extend(families[place : place + 1])
    return ordered[::-1]
