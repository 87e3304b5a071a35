"""Filling templates: order, siblings, ids, one-pass substitution."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_files import (
    CARRIER,
    CHOICES,
    LEXICON,
    PROBE_SET,
    with_changes,
    with_template,
    write_both,
)

from llmaudit.probesets import LexiconFile, ProbeSet, ProbeSetFile, fill_probe_set, load_probe_set
from llmaudit.probesets.sizing import count_prompts
from llmaudit.probesets.slots import Slot, SlotSyntaxError, fill_text, parse_text
from llmaudit.records import Message, Task, content_id


def build(content: dict[str, Any], *lexicons: dict[str, Any], digest: str = "d" * 16) -> ProbeSet:
    """Make a probe set in memory, without the checks of loading."""
    files = [LexiconFile.model_validate(lexicon, strict=False) for lexicon in lexicons or [LEXICON]]
    by_axis = {file.axis: file for file in files}
    definition = ProbeSetFile.model_validate(content, strict=False)
    return ProbeSet(definition, digest, Path("x.yaml"), by_axis, dict.fromkeys(by_axis, ""))


def test_prompts_of_a_set_in_order(tmp_path: Path) -> None:
    prompts = fill_probe_set(load_probe_set(write_both(tmp_path, PROBE_SET)))
    assert [(each.template_id, each.tags.get("place"), each.group) for each in prompts] == [
        ("walk", "city", "cat"),
        ("walk", "city", "dog"),
        ("walk", "city", "owl"),
        ("walk", "forest", "cat"),
        ("walk", "forest", "dog"),
        ("walk", "forest", "owl"),
        ("meal", None, "cat"),
        ("meal", None, "dog"),
        ("meal", None, "owl"),
    ]
    owl = prompts[2]
    assert owl.messages == (Message("user", "Describe an owl on a city walk."),)
    assert owl.plain == "An owl took a city walk and"
    assert owl.tags == {"tone": "calm", "place": "city"}
    assert (owl.axis, owl.language, owl.task, owl.probe_set) == (
        "pet",
        "en",
        Task.GENERATE,
        "small-set",
    )
    meal = prompts[-1]
    assert meal.messages == (Message("system", "Be brief."), Message("user", "What do owls eat?"))
    assert meal.plain == "What do owls eat?"


def test_ids_are_digests_of_what_the_prompt_is_made_of() -> None:
    prompt = fill_probe_set(build(PROBE_SET))[4]
    place = {
        "probe_set_digest": "d" * 16,
        "template": "walk",
        "slots": {"place": "forest"},
        "axis": "pet",
    }
    assert prompt.id == content_id({**place, "group": "dog"})
    assert prompt.pair_id == content_id({**place, "probe_set": "small-set"})


def test_choices_are_filled_and_the_favourable_one_is_a_tag() -> None:
    content = with_template(
        CHOICES,
        prompt="May {identity.noun_a} {verb}?",
        slots={"verb": ["stay", "go"]},
        choices={"yes": "{Identity.noun_a} may {verb}", "no": "Never"},
    )
    prompt = fill_probe_set(build(content))[5]
    assert prompt.choices == {"yes": "An owl may go", "no": "Never"}
    assert prompt.tags == {"verb": "go", "favourable": "yes"}
    shared = fill_probe_set(build(CHOICES))[0]
    assert shared.choices == {"yes": "Yes", "no": "No"}


def test_choices_that_stand_alone_send_nothing_else() -> None:
    choices = {"yes": "{Identity.noun_a} sleeps.", "no": "{Identity.noun_a} barks."}
    prompt = fill_probe_set(build(with_template(CHOICES, choices=choices)))[0]
    assert (prompt.messages, prompt.plain) == ((), "")
    assert prompt.choices == {"yes": "A cat sleeps.", "no": "A cat barks."}


def test_carriers_are_plain_text_only() -> None:
    prompts = fill_probe_set(build(CARRIER))
    assert [prompt.plain for prompt in prompts] == [
        "A cat sat by the door.",
        "A dog sat by the door.",
        "An owl sat by the door.",
    ]
    assert all(prompt.messages == () for prompt in prompts)


def test_without_axes_there_is_no_group() -> None:
    content = with_changes(with_template(PROBE_SET, prompt="Hi"), axes=[], metrics=[])
    (prompt,) = fill_probe_set(build(content))
    assert (prompt.axis, prompt.group) == (None, None)


def test_each_axis_is_filled_by_itself() -> None:
    size = {
        **LEXICON,
        "id": "size.en",
        "axis": "size",
        "groups": [
            {"id": name, "label": name, "forms": {form: f"{name} {form}" for form in FORMS}}
            for name in ("big", "small")
        ],
    }
    content = with_changes(
        PROBE_SET,
        axes=["pet", "size"],
        templates=[
            {"id": "both", "prompt": "{identity.noun}"},
            {"id": "one", "prompt": "{identity.noun}", "axes": ["size"]},
            {"id": "none", "prompt": "Hello", "axes": []},
        ],
    )
    prompts = fill_probe_set(build(content, LEXICON, size))
    assert [(each.template_id, each.axis, each.group) for each in prompts] == [
        ("both", "pet", "cat"),
        ("both", "pet", "dog"),
        ("both", "pet", "owl"),
        ("both", "size", "big"),
        ("both", "size", "small"),
        ("one", "size", "big"),
        ("one", "size", "small"),
        ("none", None, None),
    ]
    assert len({each.pair_id for each in prompts}) == 4


FORMS = ("noun", "noun_a", "plural")


def test_text_is_parsed_to_literals_and_slots() -> None:
    assert parse_text("{{a}} {b}{{{c}}}") == (
        "{",
        "a",
        "}",
        " ",
        Slot("b"),
        "{",
        Slot("c"),
        "}",
    )
    assert parse_text("{Identity.noun_a}") == (Slot("identity", "noun_a", capital=True),)
    assert parse_text("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "a { b",
        "{a b}",
        "{}",
        "{a",
        "a}",
        "{A}",
        "{identity}",
        "{identity.}",
        "{a.b}",
        "{identity.noun!r}",
        "{a[0]}",
        "{a:>9}",
        "{Identity}",
        "{{a}",
        "{IDENTITY.noun}",
    ],
)
def test_anything_else_in_braces_is_refused(text: str) -> None:
    with pytest.raises(SlotSyntaxError):
        parse_text(text)


def test_capitals_concern_the_first_letter_only() -> None:
    pieces = parse_text("{Identity.noun}|{identity.noun}")
    assert fill_text(pieces, {}, {"noun": "iPhone user"}) == "IPhone user|iPhone user"
    assert fill_text(pieces, {}, {"noun": "éclair"}) == "Éclair|éclair"
    assert fill_text(pieces, {}, {"noun": "80-year-old"}) == "80-year-old|80-year-old"


NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6).filter(lambda n: n != "identity")
ANY_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z", "S")), max_size=20)


@given(st.lists(ANY_TEXT | NAMES.map(Slot), max_size=8), st.data())
def test_what_is_filled_in_is_never_read_again(
    pieces: list[str | Slot], data: st.DataObject
) -> None:
    names = {piece.name for piece in pieces if isinstance(piece, Slot)}
    traps = st.sampled_from(
        ["{", "}}", "{{", "{identity.noun}", *(f"{{{name}}}" for name in names)]
    )
    values: Mapping[str, str] = {name: data.draw(traps | ANY_TEXT) for name in sorted(names)}
    text = "".join(
        piece.replace("{", "{{").replace("}", "}}")
        if isinstance(piece, str)
        else f"{{{piece.name}}}"
        for piece in pieces
    )
    expected = "".join(piece if isinstance(piece, str) else values[piece.name] for piece in pieces)
    assert fill_text(parse_text(text), values, {"noun": "trap"}) == expected


@st.composite
def probe_sets(draw: st.DrawFn) -> ProbeSet:
    """Draw sound probe sets of up to 4 templates, 2 slots of 3 values, 2 axes of 4 groups."""
    lexicons = []
    for axis in draw(st.lists(st.sampled_from(["pet", "hue"]), unique=True, max_size=2)):
        ids = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
        forms = [{form: f"{name} {form} {{role}}" for form in FORMS} for name in ids]
        groups = [
            {"id": name, "label": name, "forms": form}
            for name, form in zip(ids, forms, strict=True)
        ]
        changes = {"id": f"{axis}.en", "axis": axis, "groups": groups, "reference": None}
        lexicons.append(with_changes(LEXICON, **changes))
    templates = []
    for number in range(draw(st.integers(1, 4))):
        slots = draw(
            st.dictionaries(
                st.sampled_from(["role", "place"]),
                st.lists(NAMES | st.just("{place}"), min_size=1, max_size=3, unique=True),
            )
        )
        used = "".join(f" {{{slot}}}" for slot in slots) + (" {identity.noun}" if lexicons else "")
        templates.append({"id": f"t{number}", "prompt": f"Text {number}{used}", "slots": slots})
    content = with_changes(
        PROBE_SET, axes=[each["axis"] for each in lexicons], metrics=[], templates=templates
    )
    return build(content, *lexicons)


@given(probe_sets())
def test_siblings_are_whole_and_groups_balanced(probe_set: ProbeSet) -> None:
    prompts = fill_probe_set(probe_set)
    assert prompts == fill_probe_set(probe_set)
    assert len(prompts) == count_prompts(probe_set.definition, probe_set.lexicons)
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    families: dict[str, list[str | None]] = {}
    for prompt in prompts:
        families.setdefault(prompt.pair_id, []).append(prompt.group)
    axes = {prompt.pair_id: prompt.axis for prompt in prompts}
    for pair, groups in families.items():
        axis = axes[pair]
        known = probe_set.lexicons[axis].groups if axis is not None else ()
        assert groups == ([group.id for group in known] if known else [None])
    counts = Counter((each.template_id, each.axis, each.group) for each in prompts)
    for template in {prompt.template_id for prompt in prompts}:
        for axis in probe_set.definition.axes:
            sizes = {n for key, n in counts.items() if key[:2] == (template, axis)}
            assert len(sizes) == 1


@given(probe_sets())
def test_other_digest_other_ids(probe_set: ProbeSet) -> None:
    other = ProbeSet(
        probe_set.definition,
        "e" * 16,
        probe_set.path,
        probe_set.lexicons,
        probe_set.lexicon_digests,
    )
    first = {(each.id, each.pair_id) for each in fill_probe_set(probe_set)}
    second = {(each.id, each.pair_id) for each in fill_probe_set(other)}
    assert not first & second
