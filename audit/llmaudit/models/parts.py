"""What a model is made of: the weights that its name stands for, and an adapter on them if any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmaudit.errors import UsageError
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.models.sources import ModelSource, Progress, find_source
from llmaudit.models.weights import NO_TRUST, Trust

if TYPE_CHECKING:
    from llmaudit.models.adapters import AdapterSource


def name_parts(name: str, adapter: str | None) -> tuple[str, str | None, RegistryEntry | None]:
    """Return the names of the weights and of the adapter, and what the registry says of ``name``.

    Parameters
    ----------
    name : str
        What :func:`llmaudit.models.sources.find_source` takes.
    adapter : str or None
        What was asked for.

    Raises
    ------
    UsageError
        If an adapter was asked for on what the registry knows as an adapter.
    """
    entry = None if Path(name).expanduser().exists() else load_registry().find(name)
    if entry is None or entry.adapter_of is None:
        return name, adapter, entry
    if adapter is not None:
        raise UsageError(
            f"{entry.name} is an adapter on {entry.adapter_of}, so it takes no --adapter. To "
            f"audit another adapter, name the base: --model {entry.adapter_of} --adapter "
            f"{adapter}."
        )
    return entry.adapter_of, entry.hub, entry


def find_parts(
    name: str,
    adapter: str | None = None,
    trust: Trust = NO_TRUST,
    *,
    progress: Progress | None = None,
    check: Callable[[str], None] | None = None,
) -> tuple[ModelSource, AdapterSource | None]:
    """Return the weights that a name stands for, and the adapter to put on them, if any.

    A model that the registry knows as an adapter is its base with that adapter.

    Parameters
    ----------
    name : str
        What :func:`llmaudit.models.sources.find_source` takes.
    adapter : str, optional
        What :func:`llmaudit.models.adapters.find_adapter` takes.
    trust : Trust
    progress : callable, optional
        Is told in a few words what happens.
    check : callable, optional
        Is given the name of the weights before they are fetched; what it raises prevents that.

    Raises
    ------
    UnknownNameError, UsageError, UnavailableError, CapacityError, ModelError
        As the exception tree says.
    """
    from llmaudit.models.adapters import find_adapter

    base, wanted, entry = name_parts(name, adapter)
    if check is not None:
        check(base)
    found = find_adapter(wanted, progress=progress, trust=trust) if wanted is not None else None
    source = find_source(base, progress=progress, trust=trust)
    if found is None:
        return source, None
    if entry is None or entry.adapter_of is None:
        return _with_adapter(source, found), found
    named = replace(source, name=entry.name, origin=entry.hub, entry=entry, base=source.origin)
    return named, found


def _with_adapter(source: ModelSource, adapter: AdapterSource) -> ModelSource:
    """Return a base under the name that it has with an adapter on it."""
    note = (
        "Licence, languages and training data are what is known of the base model; what the "
        "adapter was trained on is unknown."
    )
    return replace(
        source,
        name=f"{source.name}+{adapter.name}",
        origin=f"{source.origin} + {adapter.origin}",
        notes=(*source.notes, note),
        base=source.origin,
    )
