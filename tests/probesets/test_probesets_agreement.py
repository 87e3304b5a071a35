"""Words that agree with the group, axes made of two others, and groups named by first names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from probe_files import (
    BOTH_ES,
    FAITHS_ES,
    NAMES_ES,
    SPANISH,
    TERMS_ES,
    with_changes,
    with_template,
    write,
    write_spanish,
)

from llmaudit.errors import InvalidFileError
from llmaudit.probesets import fill_probe_set, lint_file, load_lexicon, load_probe_set
from llmaudit.probesets.slots import SlotSyntaxError, parse_text


def texts(path: Path) -> list[str]:
    return [prompt.messages[0].content for prompt in fill_probe_set(load_probe_set(path))]


def problems_of(path: Path) -> list[str]:
    return [f"{each.key}: {each.problem}" for each in lint_file(path)]


def test_words_agree_with_the_group(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, SPANISH)
    assert texts(path) == [
        "Describe a una mujer, conocida aquí, enfermera.",
        "Describe a un hombre, conocido aquí, enfermero.",
        "Describe a una mujer, conocida aquí, policía.",
        "Describe a un hombre, conocido aquí, policía.",
    ]
    first, second, *_ = fill_probe_set(load_probe_set(path))
    assert first.plain == "Una mujer, enfermera, llegó cansada. Luego"
    assert second.plain == "Un hombre, enfermero, llegó cansado. Luego"
    assert first.pair_id == second.pair_id
    assert first.tags["oficio"] == second.tags["oficio"] == "enfermera / enfermero"
    assert lint_file(path) == []


def test_two_axes_at_once_have_every_pair_of_groups(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, with_changes(SPANISH, axes=["gender*faith"]))
    loaded = load_probe_set(path)
    prompts = fill_probe_set(loaded)
    assert len(prompts) == loaded.count() == 8
    assert [prompt.group for prompt in prompts[:4]] == [
        "woman+christian",
        "woman+hindu",
        "man+christian",
        "man+hindu",
    ]
    assert {prompt.axis for prompt in prompts} == {"gender*faith"}
    assert prompts[2].messages[0].content == (
        "Describe a un hombre cristiano, conocido aquí, enfermero."
    )
    assert len({prompt.pair_id for prompt in prompts}) == 2
    labels = [group.label for group in loaded.groups("gender*faith")]
    assert labels[2] == "hombres (cristiano)"
    assert problems_of(path) == []


def test_a_change_of_either_lexicon_changes_the_digest_of_the_pairs(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, with_changes(SPANISH, axes=["gender*faith"]))
    before = load_probe_set(path).digest
    write(tmp_path, with_changes(FAITHS_ES, version="1.0.1"))
    assert load_probe_set(path).digest != before


def test_names_are_filled_side_by_side(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, with_changes(SPANISH, axes=["gender-by-name"]))
    prompts = fill_probe_set(load_probe_set(path))
    assert len(prompts) == 2 * 2 * 3
    assert [prompt.messages[0].content for prompt in prompts[:4]] == [
        "Describe a Ana, conocida aquí, enfermera.",
        "Describe a Juan, conocido aquí, enfermero.",
        "Describe a Eva, conocida aquí, enfermera.",
        "Describe a Luis, conocido aquí, enfermero.",
    ]
    families = Counter(prompt.pair_id for prompt in prompts)
    assert set(families.values()) == {2}
    assert len({prompt.id for prompt in prompts}) == 12


def test_templates_take_names_in_turn(tmp_path: Path) -> None:
    templates = [
        {"id": f"t{place}", "prompt": f"Habla de {{identity.name}}, caso {place}."}
        for place in range(3)
    ]
    changed = with_changes(SPANISH, axes=["gender-by-name"], names=2, templates=templates)
    path = write_spanish(tmp_path, changed)
    loaded = load_probe_set(path)
    assert loaded.count() == 12
    words = [text.split()[2].rstrip(",") for text in texts(path)]
    assert words[::2] == ["Ana", "Eva", "Luz", "Ana", "Eva", "Luz"]
    assert words[1::2] == ["Juan", "Luis", "Hugo", "Juan", "Luis", "Hugo"]


def test_names_of_both_genders_keep_their_agreement(tmp_path: Path) -> None:
    groups = [
        {"id": "one", "label": "one", "names": {"m": ["Juan"], "f": ["Ana"]}},
        {"id": "two", "label": "two", "names": {"f": ["Aisha"], "m": ["Omar"]}},
    ]
    path = write_spanish(tmp_path, with_changes(SPANISH, axes=["gender-by-name"]))
    write(tmp_path, with_changes(NAMES_ES, groups=groups))
    assert texts(path)[:4] == [
        "Describe a Ana, conocida aquí, enfermera.",
        "Describe a Aisha, conocida aquí, enfermera.",
        "Describe a Juan, conocido aquí, enfermero.",
        "Describe a Omar, conocido aquí, enfermero.",
    ]


def test_a_set_may_choose_groups(tmp_path: Path) -> None:
    chosen = {"gender*faith": ["man+hindu", "woman+christian"]}
    changed = with_changes(SPANISH, axes=["gender*faith"], groups=chosen)
    loaded = load_probe_set(write_spanish(tmp_path, changed))
    assert [prompt.group for prompt in fill_probe_set(loaded)[:2]] == chosen["gender*faith"]
    assert loaded.count() == 4
    described = loaded.facts(4).datasheet["lexicons"]["gender*faith"]
    assert list(described["groups"]) == chosen["gender*faith"]


T = with_template
SET_FAULTS: list[tuple[dict[str, Any], str]] = [
    (T(SPANISH, prompt="{identity.noun} {f:una|n:x}"), "no text for agreement 'm'"),
    (T(SPANISH, prompt="{identity.noun} {f:a|m:b|n:c}"), "no group of its axes has agreement 'n'"),
    (
        T(SPANISH, prompt="{identity.noun} {a}", slots={"a": [{"f": "x"}]}),
        "templates[0].slots.a[0]: no text for agreement 'm'",
    ),
    (
        with_changes(T(SPANISH, prompt="{f:a|m:b} aquí"), axes=[], metrics=[]),
        "words agree with a group, but there are no axes",
    ),
    (
        with_changes(SPANISH, groups={"gender": ["woman", "mn"]}),
        "groups.gender[1]: lexicon gender.es has no group 'mn'",
    ),
    (with_changes(SPANISH, groups={"gender": ["man", "man"]}), "group 'man' is named twice"),
    (with_changes(SPANISH, groups={"age": ["a", "b"]}), "axis 'age' is not among the set's axes"),
    (with_changes(SPANISH, names=2), "no axis of the set has a lexicon of names"),
    (T(SPANISH, prompt="{identity.noun} {f:a}"), "needs two agreement classes or more"),
    (T(SPANISH, prompt="{identity.noun} {f:a|x}"), "is no choice of agreeing words"),
]


@pytest.mark.parametrize(("content", "said"), SET_FAULTS)
def test_faults_of_agreement(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems_of(write_spanish(tmp_path, content)))


def test_a_lexicon_without_agreement_serves_no_agreeing_words(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, SPANISH)
    groups = [{**group, "agreement": None} for group in TERMS_ES["groups"]]
    write(tmp_path, with_changes(TERMS_ES, groups=groups))
    assert any("gender.es have no agreement" in problem for problem in problems_of(path))


def group(**changes: Any) -> dict[str, Any]:
    """Return the lexicon of terms with its first group changed."""
    first, second = TERMS_ES["groups"]
    return with_changes(TERMS_ES, groups=[{**first, **changes}, second])


LEXICON_FAULTS: list[tuple[dict[str, Any], str]] = [
    (group(agreement=None), "groups[0]: has no agreement, other groups have"),
    (group(id="woman+x"), "'+' stands between the groups of two axes"),
    (group(names=["Ana"]), "names in a lexicon of terms"),
    (group(neutral=True) | {"kind": "names"}, "groups[0]: has no names"),
    (
        group(forms={**TERMS_ES["groups"][0]["forms"], "noun": {"f": "mujer"}}),
        "groups[0].forms.noun: has a text for each agreement",
    ),
    (
        with_changes(
            FAITHS_ES,
            groups=[
                {**FAITHS_ES["groups"][0], "agreement": "m"},
                FAITHS_ES["groups"][1],
            ],
        )
        | {"groups": [{**each, "agreement": "n"} for each in FAITHS_ES["groups"]]},
        "groups[0].forms.adjective: has no text for the group's agreement 'n'",
    ),
    (
        with_changes(
            FAITHS_ES, groups=[{**each, "agreement": None} for each in FAITHS_ES["groups"]]
        ),
        "texts by agreement, but the group has none",
    ),
    (with_changes(TERMS_ES, signals="gender"), "only names signal an axis"),
    (with_changes(TERMS_ES, axis="gender*faith", id="gender+faith.es"), "takes its groups from"),
    (
        with_changes(TERMS_ES, groups=[{**each, "neutral": True} for each in TERMS_ES["groups"]]),
        "groups[1].neutral: a second neutral group",
    ),
    (with_changes(NAMES_ES, signals=None), "names signal an axis, which is not said"),
    (with_changes(NAMES_ES, sources=[]), "a lexicon of names has no source"),
    (
        with_changes(
            NAMES_ES,
            groups=[NAMES_ES["groups"][0], {**NAMES_ES["groups"][1], "names": ["Juan", "Ana"]}],
        ),
        "groups[1].names: has 2 names, the first group 3",
    ),
    (
        with_changes(
            NAMES_ES,
            groups=[
                NAMES_ES["groups"][0],
                {**NAMES_ES["groups"][1], "names": ["Juan", "Ana", "Li"]},
            ],
        ),
        "the name 'Ana' stands twice",
    ),
    (
        with_changes(
            NAMES_ES,
            groups=[{**each, "forms": {"name": each["id"]}} for each in NAMES_ES["groups"]],
        ),
        "form 'name' stands for the name",
    ),
    (with_changes(BOTH_ES, axis="gender", id="gender.es"), "is not two axes"),
    (with_changes(BOTH_ES, axis="faith*faith", id="faith+faith.es"), "crossed with itself"),
    (with_changes(BOTH_ES, axis="gender*pet", id="gender+pet.es"), "there is no lexicon pet.es"),
    (with_changes(BOTH_ES, agreement="age"), "agreement 'age' is none of its axes"),
    (with_changes(BOTH_ES, agreement=None), "has no text for agreement any"),
    (with_changes(BOTH_ES, reference="woman"), "reference 'woman' is no pair of groups"),
    (with_changes(BOTH_ES, label="{gender.plural}"), "label: does not name the group of faith"),
    (with_changes(BOTH_ES, label="{gender.x} {faith.noun}"), "gender.es has no form 'x'"),
    (with_changes(BOTH_ES, label="{gender} {faith.noun}"), "{gender} is no form of an axis"),
    (with_changes(BOTH_ES, label="{pet.noun}"), "is not a slot"),
    (
        with_changes(BOTH_ES, label="{gender.noun} {faith.noun} {f:a|n:b}"),
        "label: no text for agreement m",
    ),
    (
        with_changes(BOTH_ES, forms={"noun": "{gender.noun} {faith.noun}"}),
        "form 'plural' is missing",
    ),
    (
        with_changes(
            BOTH_ES, axis="gender*gender-by-name", id="gender+gender-by-name.es", agreement="gender"
        ),
        "gender-by-name is a lexicon of names",
    ),
]


@pytest.mark.parametrize(("content", "said"), LEXICON_FAULTS)
def test_faults_of_lexicons(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    write_spanish(tmp_path, SPANISH)
    path = write(tmp_path, with_changes(content))
    assert any(said in problem for problem in problems_of(path)), problems_of(path)


def test_the_pairs_of_a_broken_lexicon_tell_its_faults(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, with_changes(SPANISH, axes=["gender*faith"]))
    write(tmp_path, with_changes(FAITHS_ES, licence=None))
    with pytest.raises(InvalidFileError, match=r"faith\.es\.yaml.*licence: this key is missing"):
        load_probe_set(path)


def test_a_pair_may_be_the_reference(tmp_path: Path) -> None:
    write_spanish(tmp_path, SPANISH)
    path = write(tmp_path, with_changes(BOTH_ES, reference="man+hindu"))
    assert load_lexicon(path)[0].reference == "man+hindu"


@pytest.mark.parametrize("text", ["{f:a|f:b}", "{f,f:a|m:b}", "{:a|b:c}", "{F:a|m:b}", "{f:a|m}"])
def test_picks_that_are_none(text: str) -> None:
    with pytest.raises(SlotSyntaxError):
        parse_text(text)


def test_a_pick_may_name_several_classes_and_nothing() -> None:
    (pick,) = parse_text("{f,n:e|m:}")
    assert not isinstance(pick, str)
    assert pick.options == (("f", "e"), ("n", "e"), ("m", ""))  # type: ignore[union-attr]
