"""Finds every fault of a probe set, lexicon or file of wrappers that its author can correct."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.probesets.filledchecks import find_unbalanced, lint_equal_prompts, lint_filled
from llmaudit.probesets.filling import fill_probe_set
from llmaudit.probesets.grammar import lint_agreement
from llmaudit.probesets.languages import lint_language
from llmaudit.probesets.lexiconloading import load_lexicon
from llmaudit.probesets.lexicons import LexiconFile
from llmaudit.probesets.loading import ProbeSet, load_probe_set, load_wrappers
from llmaudit.probesets.readability import lint_readability
from llmaudit.probesets.schema import ProbeSetFile
from llmaudit.probesets.sizing import texts_of, values_of
from llmaudit.probesets.slots import texts_in
from llmaudit.probesets.terms import lint_neutral_group, lint_slurs, lint_terms
from llmaudit.probesets.wording import find_wording_faults
from llmaudit.probesets.wrapping import WrapperFile
from llmaudit.records import Prompt, Task
from llmaudit.yamlfile import Document, read_yaml_partly
from llmaudit.yamlproblems import MAX_PROBLEMS, Fault, KeyPath

_PROBE_SET_KEYS = frozenset({"templates", "compose", "task", "construct", "datasheet"})


def lint_file(path: Path) -> list[FileProblem]:
    """Return every fault of a file of this package, at most about 100; empty when it is sound.

    Beyond what :func:`load_probe_set` refuses: texts or filled prompts that are equal, groups
    that do not occur equally often, words that name a group beside the slot for it, slurs that
    are not declared, stray spaces, wrong articles and agreement, lengths and sentences out of
    range, and another language than the declared one.

    Parameters
    ----------
    path : Path
        The file. Suites and policies are not linted here.
    """
    try:
        document, _ = read_yaml_partly(path)
        faults = list(islice(_lint(document), MAX_PROBLEMS))
        return [document.problem(*fault) for fault in faults]
    except InvalidFileError as error:
        return list(error.problems)


def find_kind(data: Any) -> str | None:
    """Return what a file is by its keys: probe set, lexicon, wrappers, suite, policy, or None."""
    keys = set(data) if isinstance(data, dict) else set()
    if keys & {"groups", "forms"} and not keys & _PROBE_SET_KEYS:
        return "lexicon"
    for kind, marks in (
        ("wrappers", {"wrappers"}),
        ("suite", {"probe_sets"}),
        ("policy", {"checks"}),
        ("probe set", _PROBE_SET_KEYS),
    ):
        if keys & marks:
            return kind
    return None


def _lint(document: Document) -> Iterator[Fault]:
    kind = find_kind(document.data)
    if kind == "probe set":
        yield from _lint_probe_set(load_probe_set(document.path))
    elif kind == "lexicon":
        yield from _lint_lexicon(load_lexicon(document.path)[0], document)
    elif kind == "wrappers":
        yield from _lint_wrappers(load_wrappers(document.path)[0])
    elif kind is None:
        remedy = "a probe set has the key templates, a lexicon groups, a file of wrappers wrappers"
        yield (), "is neither a probe set nor a lexicon nor a file of wrappers", remedy
    else:
        what = f"is a {kind}, not a probe set or lexicon"
        yield (), what, "check it with the command line's lint"


def _lint_lexicon(lexicon: LexiconFile, document: Document) -> Iterator[Fault]:
    composed = "groups" not in document.data
    for place, group in enumerate(lexicon.groups):
        for form, given in group.forms.items():
            path: KeyPath = ("forms", form) if composed else ("groups", place, "forms", form)
            for word in texts_in(given):
                yield from _stray_spaces(path, word)
                for fault in find_wording_faults(word, lexicon.language):
                    yield path, fault, "correct the form"
        for problem, remedy in lint_agreement(group, lexicon.language):
            yield ("forms",) if composed else ("groups", place, "forms"), problem, remedy
    yield from lint_neutral_group(lexicon)


def _lint_wrappers(file: WrapperFile) -> Iterator[Fault]:
    texts: list[str] = []
    for place, wrapper in enumerate(file.wrappers):
        for path, text in wrapper.texts():
            where: KeyPath = ("wrappers", place, *path)
            yield from _stray_spaces(where, text.rstrip() if path == ("plain",) else text)
            for fault in find_wording_faults(text, file.language):
                yield where, fault, "correct the text"
            texts.append(text)
    yield from lint_language({("wrappers",): " ".join(texts)}, file.language, ())


def _lint_probe_set(probe_set: ProbeSet) -> Iterator[Fault]:
    definition = probe_set.definition
    prompts = fill_probe_set(probe_set)
    if probe_set.base is not None:
        # The words are those of the set and the wrappers that it names, which are linted by
        # themselves.
        yield from lint_equal_prompts(prompts, {}, ("compose",))
        return
    yield from _lint_spaces(definition)
    yield from _lint_equal_texts(definition)
    places = {template.id: place for place, template in enumerate(definition.probes)}
    yield from lint_equal_prompts(prompts, places, ("templates",))
    yield from lint_filled(probe_set, prompts, places)
    for template, fault in find_unbalanced(prompts).items():
        yield ("templates", places[template]), fault, "fill every group equally often"
    yield from lint_terms(probe_set)
    yield from lint_slurs(definition)
    first = _first_of_each(prompts)
    yield from lint_readability(definition, first, places)
    sent: dict[KeyPath, str] = {
        ("templates", places[each.template_id]): _asked(each) for each in first
    }
    yield from lint_language(sent, definition.language, definition.other_languages)


def _first_of_each(prompts: tuple[Prompt, ...]) -> list[Prompt]:
    """Return one prompt of each template; siblings hardly differ."""
    return list({prompt.template_id: prompt for prompt in reversed(prompts)}.values())[::-1]


def _asked(prompt: Prompt) -> str:
    turns = [turn.content for turn in prompt.messages] or [prompt.plain]
    return " ".join([*turns, *(prompt.choices.values() if not prompt.messages else ())])


def _stray_spaces(path: KeyPath, text: str) -> Iterator[Fault]:
    if text != text.strip():
        yield path, "begins or ends with white space", "remove it; write |- for blocks of text"


def _lint_spaces(definition: ProbeSetFile) -> Iterator[Fault]:
    for place, template in enumerate(definition.probes):
        for path, text in texts_of(definition, template):
            # How a base model's text ends can matter, so its author decides.
            checked = text.rstrip() if path == ("plain",) else text
            yield from _stray_spaces(("templates", place, *path), checked)
        for path, value in values_of(template):
            for text in texts_in(value):
                yield from _stray_spaces(("templates", place, *path), text)


def _lint_equal_texts(definition: ProbeSetFile) -> Iterator[Fault]:
    """Yield texts that two templates share: they are one cluster counted twice."""
    first: dict[tuple[str, ...], str] = {}
    for place, template in enumerate(definition.probes):
        for key in ("prompt", "plain"):
            text = getattr(template, key)
            # A text of slots alone, which cases fill, says nothing by itself.
            if text is None or template.cases:
                continue
            choices = definition.choices_of(template) if definition.task is Task.CHOICES else {}
            system = template.system or "" if key == "prompt" else ""
            signature = (key, system, text, *choices.values())
            other = first.setdefault(signature, template.id)
            if other != template.id:
                found = f"has the same text as the {key} of template {other!r}"
                yield ("templates", place, key), found, "change it, or make it a slot"
