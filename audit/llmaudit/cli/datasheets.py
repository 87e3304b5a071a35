"""What ``llmaudit show probe`` tells of a probe set, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from llmaudit.probesets import limit_prompts
from llmaudit.records import ProbeSetFacts, Prompt


def describe_probe_set(facts: ProbeSetFacts) -> dict[str, Any]:
    """Return a probe set's facts and its datasheet, each fact once."""
    described = asdict(facts)
    datasheet = described.pop("datasheet")
    repeated = ("intended_use", "known_limits")
    return described | {key: datasheet[key] for key in datasheet if key not in repeated}


def describe_examples(prompts: Sequence[Prompt], count: int) -> list[dict[str, Any]]:
    """Return example prompts: spread over the templates, and over the groups of each axis.

    The same ``count`` of the same set always gives the same examples.
    """
    return [_describe(prompt) for prompt in choose_examples(prompts, count)]


def choose_examples(prompts: Sequence[Prompt], count: int) -> list[Prompt]:
    """Return ``count`` prompts, or all: each template first once, its groups in turn."""
    if not count:
        return []
    families: dict[str, list[Prompt]] = {}
    spread = limit_prompts(prompts, max(count, 1) * 40)
    for prompt in spread:
        families.setdefault(prompt.template_id, []).append(prompt)
    chosen: list[Prompt] = []
    turn = 0
    while len(chosen) < min(count, len(spread)):
        for place, family in enumerate(_evenly(list(families.values()), count)):
            if turn < len(family) and len(chosen) < count:
                # Neighbouring templates show other groups: a step that no group count divides.
                chosen.append(family[(turn + 7 * place) % len(family)])
        turn += 1
    return chosen


def _evenly(families: list[list[Prompt]], count: int) -> list[list[Prompt]]:
    """Return at most ``count`` families from all over the set."""
    if len(families) <= count:
        return families
    return [families[place * len(families) // count] for place in range(count)]


def _describe(prompt: Prompt) -> dict[str, Any]:
    """Return one prompt in both of its forms; a set whose choices stand alone has neither."""
    group = {"axis": prompt.axis, "group": prompt.group} if prompt.axis else {}
    answers = {
        "expected": prompt.expected,
        "references": list(prompt.references),
        "false_references": list(prompt.false_references),
    }
    return {
        "template": prompt.template_id,
        **group,
        "tags": dict(prompt.tags),
        "chat": [f"{turn.role}: {turn.content}" for turn in prompt.messages],
        "plain": prompt.plain,
        "choices": dict(prompt.choices),
        **{name: value for name, value in answers.items() if value},
    }
