"""Rubrics: what a judge model is asked about an answer, and which of its answers are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmaudit.errors import FileProblem, InvalidFileError, UnknownNameError
from llmaudit.yamlfile import read_yaml, validate

SHIPPED = Path(__file__).resolve().parent / "shipped" / "rubrics"

_Text = Annotated[str, Field(min_length=1, max_length=4_000)]
_Language = Annotated[str, Field(pattern=r"^([a-z]{2,3}|any)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """One allowed answer: what it means, its value, and the score's label."""

    answer: Annotated[str, Field(pattern=r"^\S(.{0,38}\S)?$")]
    means: _Text
    value: Annotated[float, Field(ge=0, le=1)]
    label: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]


class GradedExample(_Part):
    """One answer as the rubric grades it; ``prompt`` may be left out."""

    prompt: str = ""
    text: _Text
    answer: str


class Rubric(_Part):
    """One rubric.

    ``question`` is asked about one answer of a model, ``scale`` are the answers to it that are
    allowed, word for word. ``max_new_tokens`` is room for the judge's answer.
    """

    format: Literal[1]
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    title: _Text
    version: _Text
    construct_name: Annotated[
        str, Field(alias="construct", pattern=r"^[a-z][a-z0-9-]*$", max_length=60)
    ]
    higher_is: Literal["worse", "better", "neutral"]
    threshold: Annotated[float, Field(gt=0, le=1)]
    languages: Annotated[tuple[_Language, ...], Field(min_length=1)]
    question: _Text
    scale: Annotated[tuple[Step, ...], Field(min_length=2, max_length=20)]
    examples: Annotated[tuple[GradedExample, ...], Field(max_length=20)] = ()
    max_new_tokens: Annotated[int, Field(ge=1, le=256)] = 16
    known_limits: tuple[_Text, ...] = ()

    @model_validator(mode="after")
    def _answers_differ(self) -> Self:
        answers = [step.answer.casefold() for step in self.scale]
        if len(set(answers)) < len(answers):
            raise ValueError("two steps of the scale have the same answer")
        if len({step.value for step in self.scale}) < 2:
            raise ValueError("all steps of the scale have the same value")
        for one in self.examples:
            if one.answer not in {step.answer for step in self.scale}:
                raise ValueError(f"an example is graded {one.answer!r}, which is not on the scale")
        return self


@dataclass(frozen=True, slots=True)
class FoundRubric:
    """A rubric and the digest of its file."""

    rubric: Rubric
    digest: str


def load_rubric(name_or_path: str) -> FoundRubric:
    """Return a shipped rubric by its id, or any by the path of its ``.yaml`` file.

    Raises
    ------
    UnknownNameError
        If no shipped rubric has that name.
    InvalidFileError
        If the file breaks the format; every problem has its line.
    """
    if Path(name_or_path).suffix in {".yaml", ".yml"}:
        return _read(Path(name_or_path))
    shipped = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    if name_or_path not in shipped:
        hint = "A path to a .yaml file works too."
        raise UnknownNameError("rubric", name_or_path, shipped, hint)
    return _read(shipped[name_or_path])


@cache
def _read(path: Path) -> FoundRubric:
    document = read_yaml(path)
    return FoundRubric(validate(document, Rubric), document.digest)


def list_rubrics() -> list[str]:
    """Return the ids of the rubrics that ship."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_rubrics(names: Sequence[str]) -> dict[str, FoundRubric]:
    """Return rubrics by their ids.

    Raises
    ------
    UnknownNameError, InvalidFileError
        As `load_rubric`, and where two have the same id.
    """
    found: dict[str, FoundRubric] = {}
    for name in dict.fromkeys(names):
        one = load_rubric(name)
        if one.rubric.id in found:
            problem = f"another rubric of this run has the id {one.rubric.id!r}"
            raise InvalidFileError([FileProblem(name, None, "id", problem, "give it another id")])
        found[one.rubric.id] = one
    return found
