"""The model hub: a snapshot that is cached, or what is fetched of one, and whether it has room."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from llmaudit.errors import CapacityError, UnavailableError
from llmaudit.models.registry import load_registry
from llmaudit.models.weights import Trust

#: What is fetched from the hub: everything a safe load needs.
_HUB_FILES = (
    *("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md"),
    "llmaudit-scorer.yaml",
)
#: What is fetched besides where a pickle is allowed and there are no safetensors.
_PICKLES = ("pytorch_model*.bin", "adapter_model.bin")
#: What is fetched besides where the model's own code may run.
_CODE = ("*.py",)
#: The same weights once more, in forms that are not loaded.
_HUB_DOUBLES = ("consolidated*", "original/*", "onnx/*")
_HUB_TIMEOUT_SECONDS = 5


def pinned_revision(hub_id: str) -> str | None:
    """Return the commit that the registry's facts of this model were read at; None without one."""
    entry = load_registry().find(hub_id)
    return entry.revision if entry else None


def revision_note(hub_id: str, revision: str) -> str:
    """Return what is to be known of weights of another commit than the pinned one; else nothing."""
    pinned = pinned_revision(hub_id)
    if pinned is None or revision in (pinned, "unknown"):
        return ""
    return (
        f"The weights are revision {revision} of {hub_id}, which was on this machine already; what "
        f"is said here of the model was read at revision {pinned}, which a download would fetch."
    )


def local_snapshots(hub_id: str) -> Iterator[Path]:
    """Yield the snapshots that the hub's cache holds of a model, the preferred one first.

    That is the pinned revision, then what the cache knows as ``main``, and then, of a model with a
    pinned revision, every other one, the newest first. They may lack files.
    """
    pinned = pinned_revision(hub_id)
    known = [_cached_snapshot(hub_id, pinned)] if pinned else []
    first = [folder for folder in (*known, _cached_snapshot(hub_id, None)) if folder is not None]
    others = _all_snapshots(hub_id) if pinned else []
    yield from dict.fromkeys((*first, *others))


def _cached_snapshot(hub_id: str, revision: str | None) -> Path | None:
    try:
        return _snapshot(hub_id, revision, _HUB_FILES, local_files_only=True)
    except Exception:
        return None  # Not in the cache, in any of the ways that the hub's library says so.


def _all_snapshots(hub_id: str) -> list[Path]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def download_snapshot(
    hub_id: str, trust: Trust, progress: Callable[[str], None] | None = None
) -> Path:
    """Fetch a snapshot from the hub: of the pinned revision, or of the newest without one.

    Raises
    ------
    UnavailableError
        If the hub cannot be reached or does not give it; the message says what to do.
    CapacityError
        If the disk has no room for it.
    """
    if progress is not None:
        progress(f"looking for {hub_id} on the model hub")
    pinned = pinned_revision(hub_id)
    try:
        return _download(hub_id, pinned, trust)
    except CapacityError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "no reason given")
        which = f"{hub_id} --revision {pinned}" if pinned else hub_id
        raise UnavailableError(
            f"{hub_id} is not on this machine and cannot be fetched from the model hub "
            f"({type(error).__name__}: {reason}). "
            f"On a machine that reaches the hub run `hf download {which}`, copy the hub cache "
            f"here and set HF_HOME to it, or give --model the path of a folder with the weights."
        ) from error


def _download(hub_id: str, revision: str | None, trust: Trust) -> Path:
    """Download a snapshot, after asking whether a hub answers at all: a download waits for ever."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(
        hub_id, revision=revision, timeout=_HUB_TIMEOUT_SECONDS, files_metadata=True
    )
    sizes = {one.rfilename: int(one.size or 0) for one in info.siblings or ()}
    patterns = fetched_patterns(sizes, trust)
    check_disk(hub_id, sum(size for name, size in sizes.items() if _is_wanted(name, patterns)))
    return _snapshot(hub_id, revision, patterns, local_files_only=False)


def fetched_patterns(names: Mapping[str, Any], trust: Trust) -> tuple[str, ...]:
    """Return the patterns of what is fetched of a repository with these files."""
    patterns: tuple[str, ...] = _HUB_FILES
    if trust.pickle and not any(name.endswith(".safetensors") for name in names):
        patterns += _PICKLES
    if trust.remote_code:
        patterns += _CODE
    return patterns


def check_disk(hub_id: str, needed: int) -> None:
    """Refuse a download that the disk has no room for.

    Raises
    ------
    CapacityError
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    place = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise CapacityError(
            f"{hub_id} needs {needed / 2**30:.1f} GiB of disk, and {free / 2**30:.1f} GiB are free "
            f"where the hub's cache lies. Free some, or set HF_HOME to a folder on another disk."
        )


def _is_wanted(name: str, patterns: tuple[str, ...]) -> bool:
    left_out = any(fnmatch(name, pattern) for pattern in _HUB_DOUBLES)
    return not left_out and any(fnmatch(name, pattern) for pattern in patterns)


def _snapshot(
    hub_id: str, revision: str | None, patterns: tuple[str, ...], *, local_files_only: bool
) -> Path:
    """Return a model's snapshot in the hub's cache."""
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        hub_id,
        revision=revision,
        allow_patterns=list(patterns),
        ignore_patterns=list(_HUB_DOUBLES),
        local_files_only=local_files_only,
        etag_timeout=_HUB_TIMEOUT_SECONDS,
    )
    return Path(folder)
