"""Takes an even part of many prompts without tearing counterfactual siblings apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from llmaudit.errors import UsageError
from llmaudit.records import Prompt

Siblings = list[Prompt]


def limit_prompts(prompts: Iterable[Prompt], limit: int) -> tuple[Prompt, ...]:
    """Return at most ``limit`` prompts, spread evenly over templates and axes.

    Siblings (equal ``pair_id``) are kept together or left out together, so that every comparison
    between groups that is kept is complete. Templates take turns, each turn of a template is
    another of its axes, and the templates are visited so that even a few of them are spread over
    the whole file. Nothing is drawn at random: equal input, equal output, in the input's order.

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
    kept: set[str] = set()
    room = limit
    for family in families:
        if len(family) <= room:
            kept.add(family[0].pair_id)
            room -= len(family)
    if not kept:
        kept.add(min(families, key=len)[0].pair_id)
    return tuple(prompt for prompt in everything if prompt.pair_id in kept)


def _families_in_turn(prompts: Sequence[Prompt]) -> Iterator[Siblings]:
    """Yield the families of siblings, one per template and round, its axes alternating."""
    queues = [_alternate(axes, turn) for turn, axes in enumerate(_spread(_sort(prompts)))]
    while queues:
        for queue in queues:
            yield queue.pop()
        queues = [queue for queue in queues if queue]


def _sort(prompts: Iterable[Prompt]) -> list[list[list[Siblings]]]:
    """Return families by template and axis; within an axis by ``pair_id``.

    ``pair_id`` is a hash, so a few families are not all of the first slot's first value.
    """
    templates: dict[tuple[str, str], dict[str | None, dict[str, Siblings]]] = {}
    for prompt in prompts:
        axes = templates.setdefault((prompt.probe_set, prompt.template_id), {})
        axes.setdefault(prompt.axis, {}).setdefault(prompt.pair_id, []).append(prompt)
    return [
        [[families[pair] for pair in sorted(families)] for families in axes.values()]
        for axes in templates.values()
    ]


def _spread(templates: list[list[list[Siblings]]]) -> list[list[list[Siblings]]]:
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
