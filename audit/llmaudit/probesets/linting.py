"""Finds every fault of a probe set or lexicon file that its author can correct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.probesets.filling import fill_probe_set
from llmaudit.probesets.gaps import find_gap_faults
from llmaudit.probesets.loading import ProbeSet, load_lexicon, load_probe_set
from llmaudit.probesets.schema import LexiconFile, ProbeSetFile
from llmaudit.probesets.sizing import texts_of
from llmaudit.probesets.wording import find_wording_faults
from llmaudit.records import GAP, Prompt, Task
from llmaudit.yamlfile import Document, read_yaml
from llmaudit.yamlproblems import MAX_PROBLEMS, Fault, KeyPath

_PROBE_SET_KEYS = frozenset({"templates", "task", "construct", "datasheet"})


def lint_file(path: Path) -> list[FileProblem]:
    """Return every fault of a probe set or lexicon file, at most about 100; empty when it is sound.

    Beyond what :func:`load_probe_set` refuses: texts or filled prompts that are equal, groups
    that do not occur equally often, stray spaces around texts, doubled spaces and punctuation,
    and in English the wrong article before the filled-in words.

    Parameters
    ----------
    path : Path
        The file. Suites and policies are not linted here.
    """
    try:
        document = read_yaml(path)
        faults = islice(_lint(document), MAX_PROBLEMS)
        return [document.problem(*fault) for fault in faults]
    except InvalidFileError as error:
        return list(error.problems)


def find_kind(data: Any) -> str | None:
    """Return what a file is by its keys: probe set, lexicon, suite, policy, or None."""
    keys = set(data) if isinstance(data, dict) else set()
    for kind, marks in (
        ("lexicon", {"groups"}),
        ("suite", {"probe_sets"}),
        ("policy", {"checks"}),
        ("probe set", _PROBE_SET_KEYS),
    ):
        if keys & marks:
            return kind
    return None


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


def _lint(document: Document) -> Iterator[Fault]:
    kind = find_kind(document.data)
    if kind == "probe set":
        yield from _lint_probe_set(load_probe_set(document.path))
    elif kind == "lexicon":
        yield from _lint_lexicon(load_lexicon(document.path)[0])
    elif kind is None:
        remedy = "a probe set has the key templates, a lexicon the key groups"
        yield (), "is neither a probe set nor a lexicon", remedy
    else:
        yield (
            (),
            f"is a {kind}, not a probe set or lexicon",
            "check it with the command line's lint",
        )


def _lint_lexicon(lexicon: LexiconFile) -> Iterator[Fault]:
    for place, group in enumerate(lexicon.groups):
        for form, word in group.forms.items():
            path: KeyPath = ("groups", place, "forms", form)
            yield from _stray_spaces(path, word)
            for fault in find_wording_faults(word, lexicon.language):
                yield path, fault, "correct the form"


def _lint_probe_set(probe_set: ProbeSet) -> Iterator[Fault]:
    definition = probe_set.definition
    yield from _lint_spaces(definition)
    yield from _lint_equal_texts(definition)
    prompts = fill_probe_set(probe_set)
    places = {template.id: place for place, template in enumerate(definition.templates)}
    yield from _lint_filled(prompts, places, definition.language)
    for template, fault in find_unbalanced(prompts).items():
        yield ("templates", places[template]), fault, "fill every group equally often"


def _stray_spaces(path: KeyPath, text: str) -> Iterator[Fault]:
    if text != text.strip():
        yield path, "begins or ends with white space", "remove it; write |- for blocks of text"


def _lint_spaces(definition: ProbeSetFile) -> Iterator[Fault]:
    for place, template in enumerate(definition.templates):
        for path, text in texts_of(definition, template):
            # How a base model's text ends can matter, so its author decides.
            checked = text.rstrip() if path == ("plain",) else text
            yield from _stray_spaces(("templates", place, *path), checked)
        for slot, values in template.slots.items():
            for index, value in enumerate(values):
                yield from _stray_spaces(("templates", place, "slots", slot, index), value)


def _lint_equal_texts(definition: ProbeSetFile) -> Iterator[Fault]:
    """Yield texts that two templates share: they are one cluster counted twice."""
    first: dict[tuple[str, ...], str] = {}
    for place, template in enumerate(definition.templates):
        for key in ("prompt", "plain"):
            text = getattr(template, key)
            if text is None:
                continue
            choices = definition.choices_of(template) if definition.task is Task.CHOICES else {}
            system = template.system or "" if key == "prompt" else ""
            signature = (key, system, text, *choices.values())
            other = first.setdefault(signature, template.id)
            if other != template.id:
                found = f"has the same text as the {key} of template {other!r}"
                yield ("templates", place, key), found, "change it, or make it a slot"


def _lint_filled(
    prompts: Iterable[Prompt], places: dict[str, int], language: str
) -> Iterator[Fault]:
    """Yield faults that only show when the slots are filled, each once per template."""
    first: dict[object, Prompt] = {}
    told: set[tuple[str, str]] = set()
    for prompt in prompts:
        faults = [_equal_prompt(prompt, first)]
        turns = (message.content for message in prompt.messages)
        for text in (*turns, _whole_plain(prompt), *prompt.choices.values()):
            faults.extend(find_wording_faults(text, language))
        if GAP in prompt.tags:
            faults.extend(find_gap_faults(prompt.plain, language))
        for fault in faults:
            if fault and (prompt.template_id, fault) not in told:
                told.add((prompt.template_id, fault))
                yield ("templates", places[prompt.template_id]), fault, "correct the filled text"


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
