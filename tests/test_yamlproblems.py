"""How faults of YAML files are told: file, line, key, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmaudit.errors import InvalidFileError
from llmaudit.yamlfile import Document, dotted_key, load_yaml, read_yaml, validate
from llmaudit.yamlproblems import MAX_PROBLEMS, describe, name_nearest, quote


def read(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


class Colour(StrEnum):
    """An enumeration for the tests."""

    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """An inner model for the tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


class Whole(BaseModel):
    """An outer model for the tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1]
    colour: Colour
    count: int
    parts: tuple[Part, ...]
    by_name: Mapping[str, Annotated[Part, Field()]] = {}
    words: Mapping[str, tuple[str, ...]] = {}
    either: int | Part | None = None
    exact: bool = True
    short: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)] = (1,)
    renamed: Annotated[str, Field(alias="called")] = ""

    @model_validator(mode="after")
    def _count_parts(self) -> Whole:
        if self.count != len(self.parts):
            raise ValueError(f"count is {self.count}, but there are {len(self.parts)} parts")
        return self


GOOD = "format: 1\ncolour: red\ncount: 1\nparts:\n  - name: a\n"


def test_a_good_file_becomes_its_model(tmp_path: Path) -> None:
    document = read(tmp_path, GOOD + "words: {yes: [no, on]}\nby_name: {x: {name: b, weight: 2}}\n")
    whole = load_yaml(document.path, Whole)
    assert whole.colour is Colour.RED
    assert whole.parts == (Part(name="a"),)
    assert whole.words == {"yes": ("no", "on")}
    assert whole.by_name["x"].weight == 2.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colour: red\ncount: 0\nparts: []\n", (1, "format", "this key is missing", "add it")),
        (
            GOOD + "colours: x\n",
            (
                6,
                "colours",
                "unknown key 'colours'",
                "did you mean 'colour'? known: by_name, called,",
            ),
        ),
        (
            GOOD + "    nmae: x\n",
            (6, "parts[0].nmae", "unknown key 'nmae'", "did you mean 'name'? known: name, weight"),
        ),
        (
            GOOD + "by_name:\n  x: {name: b, wieght: 1}\n",
            (7, "by_name.x.wieght", "unknown key 'wieght'", "did you mean 'weight'?"),
        ),
        (
            GOOD.replace("count: 1", "count: '1'"),
            (3, "count", "expected a whole number, found text '1'", "write a whole number"),
        ),
        (
            GOOD.replace("count: 1", "count: 1.5"),
            (3, "count", "expected a whole number, found number 1.5", "write a whole number"),
        ),
        (
            GOOD.replace("name: a", "name: 7"),
            (5, "parts[0].name", "expected text, found number 7", "put it in quotes"),
        ),
        (
            GOOD.replace("name: a", "name: true"),
            (5, "parts[0].name", "expected text, found true", "put it in quotes"),
        ),
        (
            GOOD.replace("name: a", "name: [a, b]"),
            (5, "parts[0].name", "expected text, found a list of 2", "write text"),
        ),
        (
            GOOD.replace("name: a", "name:"),
            (5, "parts[0].name", "expected text, found nothing", "or remove the key"),
        ),
        (
            GOOD + "words: {a: b}\n",
            (6, "words.a", "expected a list, found text 'b'", "square brackets"),
        ),
        (GOOD + "words: {a: {}}\n", (6, "words.a", "expected a list, found a mapping", "")),
        (GOOD + "words: [a]\n", (6, "words", "expected a mapping (key: value), found a list", "")),
        (GOOD + "by_name: {x: 3}\n", (6, "by_name.x", "expected a mapping (key: value)", "")),
        (GOOD + "short: []\n", (6, "short", "0 entries, at least 1 needed", "add")),
        (GOOD + "short: [1, 2, 3]\n", (6, "short", "3 entries, at most 2 allowed", "remove")),
        (GOOD + "short: [a]\n", (6, "short[0]", "expected a whole number, found text 'a'", "")),
        (GOOD + "exact: yes\n", (6, "exact", "expected true or false, found text 'yes'", "")),
        (
            GOOD.replace("red", "rad"),
            (2, "colour", "found text 'rad'", "did you mean 'red'? known: blue, red"),
        ),
        (GOOD.replace("format: 1", "format: 2"), (1, "format", "found number 2", "known: 1")),
        (
            GOOD.replace("name: a", "name: A"),
            (5, "parts[0].name", "found text 'A'", "write text that matches ^[a-z]+$"),
        ),
        (
            GOOD + "    weight: -1\n",
            (6, "parts[0].weight", "input should be greater than 0", "found number -1"),
        ),
        (GOOD.replace("count: 1", "count: 3"), (1, "", "count is 3, but there are 1", "correct")),
        ("- a\n", (1, "", "expected a mapping (key: value), found a list of 1", "")),
        ("", (1, "", "the file is empty", "write its keys")),
        ("# only a comment\n", (1, "", "the file is empty", "write its keys")),
    ],
)
def test_faults_are_told_in_plain_words(
    tmp_path: Path, text: str, expected: tuple[int, str, str, str]
) -> None:
    document = read(tmp_path, text)
    with pytest.raises(InvalidFileError) as caught:
        validate(document, Whole)
    (problem,) = caught.value.problems
    line, key, said, remedy = expected
    assert (problem.line, problem.key) == (line, key)
    assert problem.problem.startswith(said)
    assert remedy in problem.remedy
    assert problem.remedy


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    document = read(tmp_path, "format: 2\ncolour: pink\nparts: [{}, {name: 7, x: 1}]\n")
    with pytest.raises(InvalidFileError) as caught:
        validate(document, Whole)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["format", "colour", "count", "parts[0].name", "parts[1].name", "parts[1].x"]


def test_names_of_types_in_a_union_do_not_enter_the_key(tmp_path: Path) -> None:
    document = read(tmp_path, GOOD + "either: {nome: a}\n")
    with pytest.raises(InvalidFileError) as caught:
        validate(document, Whole)
    assert {problem.key for problem in caught.value.problems} == {
        "either",
        "either.name",
        "either.nome",
    }
    unknown = next(each for each in caught.value.problems if each.key == "either.nome")
    assert unknown.remedy == "did you mean 'name'? known: name, weight"


def test_a_flood_of_faults_is_cut_short(tmp_path: Path) -> None:
    document = read(tmp_path, GOOD + "".join(f"{'x' * 90}{n}: 1\n" for n in range(5000)))
    with pytest.raises(InvalidFileError) as caught:
        validate(document, Whole)
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_long_and_unprintable_values_are_cut_and_escaped_in_messages() -> None:
    assert quote("a\x1bb") == "'a\\x1bb'"
    assert len(quote("x" * 1000)) == 62
    assert dotted_key(("a\n", 3, "b")) == "a\\n[3].b"
    assert describe(None) == "nothing"


def test_nearest_names_stay_cheap_and_short() -> None:
    assert name_nearest("x", []) == "known: none"
    many = [f"name{n}" for n in range(1000)]
    assert name_nearest("name7", many).endswith("and 970 more")
    assert "did you mean" not in name_nearest("name7" * 40, ["name7"])
