"""Faults of a probe set that only show when its slots are filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from llmaudit.probesets.gaps import find_gap_faults
from llmaudit.probesets.grammar import find_article_faults
from llmaudit.probesets.lexicons import words_of
from llmaudit.probesets.loading import ProbeSet
from llmaudit.probesets.wording import find_wording_faults
from llmaudit.records import GAP, Prompt
from llmaudit.yamlproblems import Fault, KeyPath

_REMEDY = "correct the filled text"


def find_unbalanced(prompts: Iterable[Prompt]) -> dict[str, str]:
    """Return, by template, which groups of an axis do not occur equally often in ``prompts``."""
    groups: dict[str, set[str]] = {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    for prompt in prompts:
        if prompt.axis is not None and prompt.group is not None:
            groups.setdefault(prompt.axis, set()).add(prompt.group)
            place = (prompt.template_id, prompt.axis)
            counts.setdefault(place, Counter())[prompt.group] += 1
    found: dict[str, str] = {}
    for (template, axis), count in counts.items():
        if len({count[group] for group in groups[axis]}) > 1:
            shown = ", ".join(f"{group} {count[group]}" for group in sorted(groups[axis]))
            found[template] = f"groups of {axis} occur unequally often: {shown}"
    return found


def lint_equal_prompts(
    prompts: Iterable[Prompt], places: Mapping[str, int], path: KeyPath
) -> Iterator[Fault]:
    """Yield prompts that send the same as an earlier one, once per template.

    Parameters
    ----------
    prompts : iterable of Prompt
    places : mapping of str to int
        Where each template stands under ``path``; one that is absent is told at ``path`` itself.
    path : tuple
    """
    first: dict[object, Prompt] = {}
    told: set[tuple[str, str]] = set()
    for prompt in prompts:
        fault = _equal_prompt(prompt, first)
        if fault and (prompt.template_id, fault) not in told:
            told.add((prompt.template_id, fault))
            place = places.get(prompt.template_id)
            yield path if place is None else (*path, place), fault, _REMEDY


def lint_filled(
    probe_set: ProbeSet, prompts: Iterable[Prompt], places: Mapping[str, int]
) -> Iterator[Fault]:
    """Yield faults of the wording of filled texts, each once per template."""
    language = probe_set.definition.language
    nouns = {
        (axis, group.id): [(words.forms.get("noun", ""), words.agreement) for words in known]
        for axis, lexicon in probe_set.lexicons.items()
        for group in lexicon.groups
        for known in (words_of(group, lexicon.kind),)
    }
    told: set[tuple[str, str]] = set()
    for prompt in prompts:
        faults: list[str] = []
        named = nouns.get((prompt.axis or "", prompt.group or ""), [])
        turns = (message.content for message in prompt.messages)
        for text in (*turns, _whole_plain(prompt), *prompt.choices.values()):
            faults.extend(find_wording_faults(text, language))
            for noun, agreement in named:
                faults.extend(find_article_faults(text, noun, agreement, language))
        if GAP in prompt.tags:
            faults.extend(find_gap_faults(prompt.plain, language))
        for fault in faults:
            if (prompt.template_id, fault) not in told:
                told.add((prompt.template_id, fault))
                yield ("templates", places[prompt.template_id]), fault, _REMEDY


def _whole_plain(prompt: Prompt) -> str:
    """Return the plain text; where it has a gap, with a word in it that suits every article."""
    if GAP not in prompt.tags:
        return prompt.plain
    return f"{prompt.plain} WORD{prompt.tags[GAP]}"


def _equal_prompt(prompt: Prompt, first: dict[object, Prompt]) -> str | None:
    """Return a fault if an earlier prompt sends the same to a chat model or to a base model."""
    choices = tuple(prompt.choices.values())
    for sent in (("chat", prompt.messages, choices), ("plain", prompt.plain, choices)):
        if sent == ("chat", (), choices):
            continue
        other = first.setdefault(sent, prompt)
        if other is not prompt:
            group = f" for group {other.group!r}" if other.group else ""
            return f"fills to the same {sent[0]} text as template {other.template_id!r}{group}"
    return None
