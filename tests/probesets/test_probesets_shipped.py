"""Every shipped probe set and lexicon, and the example in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from llmaudit import resources
from llmaudit.probesets import (
    ProbeSet,
    fill_probe_set,
    find_probe_sets,
    limit_prompts,
    lint_file,
    load_lexicon,
    load_probe_set,
)
from llmaudit.probesets.filling import plain_text
from llmaudit.probesets.gaps import is_gap
from llmaudit.probesets.lexicons import Words, words_of
from llmaudit.probesets.linting import find_kind
from llmaudit.probesets.slots import Inflected, Pick, Slot, parse_text, spell
from llmaudit.records import CASE, GAP, Prompt
from llmaudit.yamlfile import read_yaml

PROBES = resources.probes_dir()
SETS = sorted(
    path
    for path in PROBES.glob("**/*.yaml")
    if path.relative_to(PROBES).parts[0] not in {"lexicons", "suites", "policies", "wrappers"}
)
LEXICONS = sorted((PROBES / "lexicons").glob("*.yaml"))
WRAPPERS = sorted((PROBES / "wrappers").glob("*.yaml"))
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "probe-format.md"


def name(path: Path) -> str:
    return path.stem


def test_the_shipped_sets_were_found() -> None:
    assert SETS
    assert LEXICONS
    assert sorted(find_probe_sets()) == sorted(path.stem for path in SETS)


@pytest.mark.parametrize("path", [*SETS, *LEXICONS, *WRAPPERS], ids=name)
def test_every_shipped_file_lints_clean(path: Path) -> None:
    assert lint_file(path) == []
    kinds = {"lexicons": "lexicon", "wrappers": "wrappers"}
    assert find_kind(read_yaml(path).data) == kinds.get(path.parent.name, "probe set")


@pytest.mark.parametrize("path", SETS, ids=name)
def test_every_datasheet_is_whole(path: Path) -> None:
    definition = load_probe_set(path).definition
    assert definition.datasheet.motivation
    assert definition.datasheet.maintenance
    if definition.language != "en":
        assert definition.written
        assert definition.checked


@pytest.mark.parametrize("path", SETS, ids=name)
def test_a_limit_keeps_siblings_whole_and_is_kept_by_larger_ones(path: Path) -> None:
    prompts = fill_probe_set(load_probe_set(path))
    families = Counter(prompt.pair_id for prompt in prompts)
    smaller: set[str] = set()
    for limit in (1, 7, 40, 150, 1000):
        kept = limit_prompts(prompts, limit)
        assert len(kept) <= max(limit, min(families.values()))
        for pair, count in Counter(prompt.pair_id for prompt in kept).items():
            assert count == families[pair]
        ids = {prompt.id for prompt in kept}
        assert smaller <= ids
        smaller = ids


@pytest.mark.parametrize("path", SETS, ids=name)
def test_ids_are_unique_and_no_two_prompts_are_equal(path: Path) -> None:
    prompts = fill_probe_set(load_probe_set(path))
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    sent = {(prompt.messages, prompt.plain, *prompt.choices.items()) for prompt in prompts}
    assert len(sent) == len(prompts)


@pytest.mark.parametrize("path", SETS, ids=name)
def test_every_group_fills_every_template_equally_often(path: Path) -> None:
    probe_set = load_probe_set(path)
    prompts = fill_probe_set(probe_set)
    counts = Counter((each.template_id, each.axis, each.group) for each in prompts)
    for template in probe_set.templates():
        for axis in probe_set.definition.axes_of(template):
            groups = [group.id for group in probe_set.groups(axis)]
            assert len({counts[template.id, axis, group] for group in groups}) == 1
            assert counts[template.id, axis, groups[0]] > 0


def sent_texts(prompt: Prompt) -> list[str]:
    plain = prompt.plain
    if GAP in prompt.tags:
        plain = f"{plain} {{gap}}{prompt.tags[GAP]}"
    return [*(each.content for each in prompt.messages), plain, *prompt.choices.values()]


def templates_of(probe_set: ProbeSet, prompt: Prompt) -> list[str]:
    """Return the unfilled texts in the order of :func:`sent_texts`."""
    file = probe_set.definition
    template = next(each for each in file.probes if each.id == prompt.template_id)
    case = next((each for each in template.cases or () if each.id == prompt.tags.get(CASE)), None)
    turns = [text for _, text in template.conversation()]
    if template.system is not None:
        turns.insert(0, template.system)
    return [*turns, plain_text(template), *file.choices_of(template, case).values()]


@pytest.mark.parametrize("path", SETS, ids=name)
def test_siblings_differ_only_in_the_words_for_the_group(path: Path) -> None:
    probe_set = load_probe_set(path)
    if probe_set.base is not None:
        return  # its requests are those of another shipped set, each in a wrapper
    for prompt in fill_probe_set(probe_set):
        unfilled = templates_of(probe_set, prompt)
        words = [Words(None, {}, None)]
        if prompt.axis is not None:
            lexicon = probe_set.lexicons[prompt.axis]
            group = next(group for group in lexicon.groups if group.id == prompt.group)
            words = list(words_of(group, lexicon.kind))
        values = values_of_slots(probe_set, prompt)
        assert any(
            all(
                re.fullmatch(
                    "".join(pattern_of(piece, values, one) for piece in parse_text(text)), sent
                )
                for text, sent in zip(unfilled, sent_texts(prompt), strict=True)
            )
            for one in words
        )


def values_of_slots(probe_set: ProbeSet, prompt: Prompt) -> dict[str, list[Inflected]]:
    """Return the values that each slot may have in a prompt: all, or those of its case."""
    file = probe_set.definition
    template = next(each for each in file.probes if each.id == prompt.template_id)
    values: dict[str, list[Inflected]] = {
        slot: [value for value in every if spell(value) == prompt.tags[slot]]
        for slot, every in template.slots.items()
    }
    for case in template.cases or ():
        if case.id == prompt.tags.get(CASE):
            values |= {slot: [value] for slot, value in case.slots.items()}
    return values


def pattern_of(piece: str | Slot | Pick, values: dict[str, list[Inflected]], words: Words) -> str:
    """Return a regular expression for one piece of a text filled with one group's words."""
    if isinstance(piece, str):
        return re.escape(piece)
    if isinstance(piece, Pick):
        return re.escape(dict(piece.options)[words.agreement or ""])
    if is_gap(piece):
        return re.escape("{gap}")
    if piece.form is None:
        (value,) = values[piece.name]
        return re.escape(value if isinstance(value, str) else value[words.agreement or ""])
    word = words.forms[piece.form]
    return re.escape(word[0].upper() + word[1:] if piece.capital else word)


def test_the_five_axes_are_shipped() -> None:
    axes = {load_lexicon(path)[0].axis for path in LEXICONS}
    assert axes >= {"gender", "race", "religion", "age", "disability"}


def test_the_example_of_the_documentation_is_true(tmp_path: Path) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    blocks = re.findall(r"`([a-z.-]+\.yaml)`[^\n]*:\n\n```yaml\n(.*?)```", text, re.DOTALL)
    assert [block[0] for block in blocks] == ["office-small-talk.yaml", "handedness.en.yaml"]
    for file, content in blocks:
        (tmp_path / file).write_text(content, encoding="utf-8")
    for file, _ in blocks:
        assert lint_file(tmp_path / file) == []
    prompts = fill_probe_set(load_probe_set(tmp_path / "office-small-talk.yaml"))
    assert Counter(prompt.template_id for prompt in prompts) == {"introduction": 4, "canteen": 2}
    assert [prompt.messages[-1].content for prompt in prompts[::5]] == [
        "Describe a working day of a left-handed person who is a nurse.",
        "What do right-handed people talk about at lunch? Write {name} for names.",
    ]
    assert prompts[0].plain == "A left-handed person worked as a nurse. On a usual day,"
    assert prompts[0].pair_id == prompts[1].pair_id != prompts[2].pair_id


def test_the_documentation_names_every_metric_and_construct() -> None:
    from typing import get_args

    from llmaudit.probesets.schema import METRICS, Construct

    text = DOCUMENTATION.read_text(encoding="utf-8")
    for word in (*get_args(Construct), *(name for names in METRICS.values() for name in names)):
        assert f"`{word}`" in text
