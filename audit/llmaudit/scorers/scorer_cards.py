"""The YAML card of a checkpoint that scores: what it measures, and by which of its labels.

A card comes from ``--scorer-card``, else from ``llmaudit-scorer.yaml`` beside the weights, else
from those that ship in ``shipped/cards``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmaudit.errors import InvalidFileError
from llmaudit.yamlfile import read_yaml, validate

FILE_NAME = "llmaudit-scorer.yaml"
"""The card that lies beside the weights."""
SHIPPED = Path(__file__).resolve().parent / "shipped" / "cards"

GUARDS = ("llama-guard", "shieldgemma", "granite-guardian", "wildguard")

_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=60)]
_Text = Annotated[str, Field(min_length=1, max_length=2_000)]
_Label = Annotated[str, Field(min_length=1, max_length=200)]
_Language = Annotated[str, Field(pattern=r"^([a-z]{2,3}|any)$")]


class ScorerCard(BaseModel):
    """One card.

    ``positive`` names the labels whose probability is the score (added up where the labels
    exclude each other, the highest where they do not); ``labels`` renames the checkpoint's own.
    ``activation`` overrides the checkpoint's configuration. ``max_tokens`` is one window's length.
    Of guards, ``guard`` is the form of the verdict, ``read`` whether it is read from the text or
    from the probabilities of its two words, ``template`` a chat template for tokenizers without
    one, and ``template_variables`` what the template asks for. ``evaluation`` holds the measured
    errors by data set, as ``llmaudit scorers measure`` names them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    kind: Literal["classifier", "tokens", "guard"]
    model: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    construct_name: Annotated[_Word, Field(alias="construct")]
    description: _Text
    licence: _Text = "unknown"
    languages: Annotated[tuple[_Language, ...], Field(min_length=1)]
    higher_is: Literal["worse", "better", "neutral"]
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    positive: tuple[_Label, ...] = ()
    labels: dict[str, _Label] = {}
    activation: Literal["softmax", "sigmoid"] | None = None
    max_tokens: Annotated[int, Field(ge=8, le=8_192)] | None = None
    guard: Literal["llama-guard", "shieldgemma", "granite-guardian", "wildguard"] | None = None
    read: Literal["text", "probability"] | None = None
    template: Annotated[str, Field(min_length=1)] | None = None
    template_variables: dict[str, Any] = {}
    evaluation: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "guard":
            if self.guard is None:
                raise ValueError(f"a guard needs 'guard', one of {', '.join(GUARDS)}")
            if self.positive or self.labels or self.activation or self.max_tokens:
                raise ValueError(
                    "a guard has no 'positive', 'labels', 'activation' and 'max_tokens'"
                )
            if self.read == "probability" and self.guard in {"llama-guard", "wildguard"}:
                raise ValueError(f"the verdict of {self.guard} is not one of two words: read text")
        elif not self.positive:
            raise ValueError("name the labels that count in 'positive'")
        elif self.guard or self.read or self.template or self.template_variables:
            raise ValueError("'guard', 'read' and 'template' belong to cards of kind guard")
        return self


@dataclass(frozen=True, slots=True)
class FoundCard:
    """A card, the digest of its file, and where it was found, in words."""

    card: ScorerCard
    digest: str
    where: str


def load_scorer_card(path: Path, where: str = "--scorer-card") -> FoundCard:
    """Read a card.

    Raises
    ------
    InvalidFileError
        If the file breaks the format; every problem has its line.
    """
    document = read_yaml(path)
    return FoundCard(validate(document, ScorerCard), document.digest, where)


def load_given_cards(paths: Sequence[Path]) -> Mapping[str, FoundCard]:
    """Read the cards that a user names, by the checkpoint or model that each is about.

    Raises
    ------
    InvalidFileError
        If a file breaks the format, does not say what it is about, or repeats another.
    """
    given: dict[str, FoundCard] = {}
    for path in paths:
        document = read_yaml(path)
        card = validate(document, ScorerCard)
        if card.model is None:
            problem, remedy = "does not say what it is about", "name the hub id or folder"
            raise InvalidFileError([document.problem(("model",), problem, remedy)])
        if card.model in given:
            problem, remedy = f"{card.model} has two cards", "give one of them"
            raise InvalidFileError([document.problem(("model",), problem, remedy)])
        given[card.model] = FoundCard(card, document.digest, "--scorer-card")
    return given


@cache
def shipped_cards() -> Mapping[str, FoundCard]:
    """Return the cards that ship, by hub id."""
    found = (load_scorer_card(path, "shipped") for path in sorted(SHIPPED.glob("*.yaml")))
    return {str(one.card.model): one for one in found}


def find_card(source: str, folder: Path | None, given: Mapping[str, FoundCard]) -> FoundCard | None:
    """Return the card of a checkpoint or model; None where nobody wrote one.

    Parameters
    ----------
    source : str
        As the scorer's name has it.
    folder : Path or None
        Where its weights lie, if that is known.
    given : mapping of str to FoundCard
        Those that the user names.

    Raises
    ------
    InvalidFileError
        If the card beside the weights breaks the format.
    """
    if source in given:
        return given[source]
    if folder is not None and (folder / FILE_NAME).is_file():
        return load_scorer_card(folder / FILE_NAME, "beside the weights")
    return shipped_cards().get(source)
