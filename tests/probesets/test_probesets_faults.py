"""What is refused in a probe set, and the key at which it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from probe_files import CARRIER, CHOICES, PROBE_SET, with_changes, with_template, write_both

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.probesets import load_probe_set


def refuse(path: Path) -> tuple[FileProblem, ...]:
    with pytest.raises(InvalidFileError) as caught:
        load_probe_set(path)
    assert all(problem.remedy for problem in caught.value.problems)
    return caught.value.problems


T = with_template
SET_FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("stem", with_changes(PROBE_SET, id="other-set"), "id", "is not the file's name"),
    ("pattern", with_changes(PROBE_SET, id="Small_Set"), "id", "found text 'Small_Set'"),
    ("version", with_changes(PROBE_SET, version="one"), "version", "found text 'one'"),
    ("construct", with_changes(PROBE_SET, construct="bias"), "construct", "found text 'bias'"),
    ("missing", with_changes(PROBE_SET, licence=None), "licence", "this key is missing"),
    ("unknown", with_changes(PROBE_SET, license="MIT"), "license", "unknown key 'license'"),
    ("blank", T(PROBE_SET, prompt="  "), "templates[0].prompt", "found text '  '"),
    ("long", T(PROBE_SET, prompt="{identity.noun}" + "x" * 20_000), "templates[0].prompt", "str"),
    ("none", with_changes(PROBE_SET, templates=[]), "templates", "0 entries, at least 1"),
    ("twice", with_changes(PROBE_SET, axes=["pet", "pet"]), "axes[1]", "named twice"),
    (
        "template ids",
        with_changes(
            PROBE_SET,
            templates=[
                {"id": "a", "prompt": "{identity.noun}"},
                {"id": "a", "prompt": "{identity.plural}"},
            ],
        ),
        "templates[1].id",
        "'a' is already that of templates[0]",
    ),
    (
        "metric",
        with_changes(PROBE_SET, metrics=["stereotype_preference"]),
        "metrics[0]",
        "no metric 'stereotype_preference' reads a set with task generate",
    ),
    (
        "no axes to compare",
        with_changes(T(PROBE_SET, prompt="Hi"), axes=[]),
        "metrics[0]",
        "compares groups, but the set names no axis",
    ),
    ("no prompt", T(PROBE_SET, plain="{identity.noun}"), "templates[0].prompt", "needs a prompt"),
    (
        "choices of generate",
        T(PROBE_SET, prompt="{identity.noun}", choices={"a": "b", "c": "d"}),
        "templates[0].choices",
        "task generate has no choices",
    ),
    (
        "set choices of generate",
        with_changes(PROBE_SET, choices={"a": "b", "c": "d"}),
        "choices",
        "task generate has no choices",
    ),
    (
        "favourable of generate",
        with_changes(PROBE_SET, favourable="yes"),
        "favourable",
        "task generate has no choices",
    ),
    (
        "carrier without plain",
        T(CARRIER, tags={"a": "b"}),
        "templates[0].plain",
        "needs its text under plain",
    ),
    (
        "carrier with prompt",
        T(CARRIER, plain="{identity.noun}", prompt="{identity.noun}"),
        "templates[0].prompt",
        "no model is asked a carrier",
    ),
    (
        "one choice",
        with_changes(CHOICES, choices={"yes": "Yes"}),
        "templates[0].choices",
        "1 choices, at least 2",
    ),
    (
        "no favourable",
        with_changes(CHOICES, favourable=None),
        "favourable",
        "need to know the favourable choice",
    ),
    (
        "favourable unknown",
        with_changes(CHOICES, favourable="yess"),
        "templates[0].choices",
        "favourable 'yess' is not a label",
    ),
    (
        "equal choices",
        with_changes(CHOICES, choices={"yes": "Yes", "no": "Yes"}),
        "templates[0].choices",
        "same text",
    ),
    (
        "plain alone",
        T(CHOICES, plain="{identity.noun}"),
        "templates[0].plain",
        "plain without a prompt",
    ),
    (
        "system alone",
        T(CHOICES, system="Hi", choices={"yes": "{identity.noun}", "no": "x"}),
        "templates[0].system",
        "a system turn without a prompt",
    ),
    (
        "axis of template",
        T(PROBE_SET, prompt="{identity.noun}", axes=["pets"]),
        "templates[0].axes[0]",
        "'pets' is not among the set's axes",
    ),
    (
        "axis of template twice",
        T(PROBE_SET, prompt="{identity.noun}", axes=["pet", "pet"]),
        "templates[0].axes[1]",
        "named twice",
    ),
    (
        "undeclared slot",
        T(PROBE_SET, prompt="{identity.noun} {rle}{role}", slots={"role": ["a"]}),
        "templates[0].prompt",
        "{rle} is not among the template's slots",
    ),
    (
        "unused slot",
        T(PROBE_SET, prompt="{identity.noun}", slots={"role": ["a"]}),
        "templates[0].prompt",
        "slot 'role' is not used",
    ),
    (
        "slot unused in plain",
        T(
            PROBE_SET,
            prompt="{identity.noun} {role}",
            plain="{identity.noun}",
            slots={"role": ["a"]},
        ),
        "templates[0].plain",
        "slot 'role' is not used",
    ),
    (
        "slot only in the system turn",
        T(PROBE_SET, prompt="{identity.noun}", system="{role}", slots={"role": ["a"]}),
        "templates[0].prompt",
        "slot 'role' is not used",
    ),
    (
        "equal slot values",
        T(PROBE_SET, prompt="{identity.noun} {role}", slots={"role": ["a", "b", "a"]}),
        "templates[0].slots.role[2]",
        "'a' stands twice",
    ),
    (
        "slot named identity",
        T(PROBE_SET, prompt="{identity.noun}", slots={"identity": ["a"]}),
        "templates[0].slots.identity",
        "'identity' is taken",
    ),
    (
        "slot named as a tag",
        T(PROBE_SET, prompt="{identity.noun} {a}", slots={"a": ["x"]}, tags={"a": "y"}),
        "templates[0].slots.a",
        "'a' is taken",
    ),
    (
        "tag named favourable",
        T(PROBE_SET, prompt="{identity.noun}", tags={"favourable": "y"}),
        "templates[0].tags.favourable",
        "is taken",
    ),
    (
        "unknown form",
        T(PROBE_SET, prompt="{identity.nuon}"),
        "templates[0].prompt",
        "lexicon pet.en has no form 'nuon'",
    ),
    ("no identity", T(PROBE_SET, prompt="Hi"), "templates[0].prompt", "names no group"),
    (
        "no identity in plain",
        T(PROBE_SET, prompt="{identity.noun}", plain="Hi"),
        "templates[0].plain",
        "names no group",
    ),
    (
        "no identity in choices",
        T(CHOICES, choices={"yes": "Ja", "no": "Nein"}),
        "templates[0].choices",
        "names no group",
    ),
    (
        "identity without axes",
        T(PROBE_SET, prompt="{identity.noun}", axes=[]),
        "templates[0].prompt",
        "there are no axes",
    ),
    ("brace", T(PROBE_SET, prompt="{identity.noun} {"), "templates[0].prompt", "without its"),
    ("closing brace", T(PROBE_SET, prompt="{identity.noun}}"), "templates[0].prompt", "'}'"),
    ("bare identity", T(PROBE_SET, prompt="{identity}"), "templates[0].prompt", "is not a slot"),
    ("attribute", T(PROBE_SET, prompt="{a.__class__}"), "templates[0].prompt", "is not a slot"),
]


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [fault[1:] for fault in SET_FAULTS],
    ids=[fault[0] for fault in SET_FAULTS],
)
def test_faults_of_a_probe_set(
    tmp_path: Path, content: dict[str, Any], key: str, said: str
) -> None:
    path = write_both(tmp_path, content)
    if content["id"] == "other-set":
        path = path.rename(tmp_path / "small-set.yaml")
    (problem,) = refuse(path)
    assert problem.key == key
    assert said in problem.problem
    assert problem.line is not None


def test_the_nearest_slot_form_and_label_are_told(tmp_path: Path) -> None:
    template = {"id": "a", "prompt": "{identity.nuon} {rle} {role}", "slots": {"role": ["x"]}}
    problems = refuse(write_both(tmp_path, with_changes(PROBE_SET, templates=[template])))
    assert [problem.remedy for problem in problems] == [
        "did you mean 'noun'? known: noun, noun_a, plural",
        "did you mean 'role'? known: role",
    ]
    (problem,) = refuse(write_both(tmp_path, with_changes(CHOICES, favourable="yess")))
    assert problem.remedy == "did you mean 'yes'? known: no, yes"


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({f"s{n}": ["a", "b"] for n in range(17)}, "fills to 393,216 prompts"),
        ({f"s{n}": ["a", "b"] for n in range(60)}, "fills to more than a trillion prompts"),
        ({"s0": ["x" * 20_000], "s1": ["y" * 20_000]}, "at most 100,000 are allowed"),
        (
            {"s0": [f"{n:0>99}" for n in range(1000)], "s1": [str(n) for n in range(66)]},
            "characters, at most 200,000,000",
        ),
    ],
)
def test_sets_that_would_fill_beyond_measure_are_refused_unfilled(
    tmp_path: Path, slots: dict[str, list[str]], said: str
) -> None:
    text = "{identity.noun}" + "".join(f"{{{slot}}}" * 5 for slot in slots)
    path = write_both(tmp_path, with_template(PROBE_SET, prompt=text + "x" * 3000, slots=slots))
    assert any(said in problem.problem for problem in refuse(path))


def test_many_templates_with_long_shared_choices_are_refused_at_once(tmp_path: Path) -> None:
    labels = {f"c{n}": "{identity.noun}" * 1000 + str(n) for n in range(50)}
    templates = [{"id": f"t{n}"} for n in range(5000)]
    content = with_changes(CHOICES, choices={**labels, "yes": "Yes"}, templates=templates)
    content["choices"].pop("c49")
    problems = refuse(write_both(tmp_path, content))
    assert ["more than 2,000,000 characters" in each.problem for each in problems] == [True]


def test_a_flood_of_faults_is_cut_short(tmp_path: Path) -> None:
    templates = [{"id": "same", "prompt": "{identity.noun}"} for _ in range(5000)]
    problems = refuse(write_both(tmp_path, with_changes(PROBE_SET, templates=templates)))
    assert len(problems) == 100
