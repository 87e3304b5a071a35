"""The model hub: a snapshot that is cached, or what is fetched of one, and whether it has room."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from llmaudit.errors import CapacityError, UnavailableError
from llmaudit.models.weights import Trust

#: What is fetched from the hub: everything a safe load needs.
_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md")
#: What is fetched besides where a pickle is allowed and there are no safetensors.
_PICKLES = ("pytorch_model*.bin", "adapter_model.bin")
#: What is fetched besides where the model's own code may run.
_CODE = ("*.py",)
#: The same weights once more, in forms that are not loaded.
_HUB_DOUBLES = ("consolidated*", "original/*", "onnx/*")
_HUB_TIMEOUT_SECONDS = 5


def local_snapshot(hub_id: str) -> Path:
    """Return a snapshot that the hub's cache holds; raises where there is none."""
    return _snapshot(hub_id, _HUB_FILES, local_files_only=True)


def download_snapshot(
    hub_id: str, trust: Trust, progress: Callable[[str], None] | None = None
) -> Path:
    """Fetch a snapshot from the hub.

    Raises
    ------
    UnavailableError
        If the hub cannot be reached or does not give it; the message says what to do.
    CapacityError
        If the disk has no room for it.
    """
    if progress is not None:
        progress(f"looking for {hub_id} on the model hub")
    try:
        return _download(hub_id, trust)
    except CapacityError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "no reason given")
        raise UnavailableError(
            f"{hub_id} is not on this machine and cannot be fetched from the model hub "
            f"({type(error).__name__}: {reason}). "
            f"On a machine that reaches the hub run `hf download {hub_id}`, copy the hub cache "
            f"here and set HF_HOME to it, or give --model the path of a folder with the weights."
        ) from error


def _download(hub_id: str, trust: Trust) -> Path:
    """Download a snapshot, after asking whether a hub answers at all: a download waits for ever."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(hub_id, timeout=_HUB_TIMEOUT_SECONDS, files_metadata=True)
    sizes = {one.rfilename: int(one.size or 0) for one in info.siblings or ()}
    patterns = fetched_patterns(sizes, trust)
    check_disk(hub_id, sum(size for name, size in sizes.items() if _is_wanted(name, patterns)))
    return _snapshot(hub_id, patterns, local_files_only=False)


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


def _snapshot(hub_id: str, patterns: tuple[str, ...], *, local_files_only: bool) -> Path:
    """Return a model's snapshot in the hub's cache."""
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        hub_id,
        allow_patterns=list(patterns),
        ignore_patterns=list(_HUB_DOUBLES),
        local_files_only=local_files_only,
        etag_timeout=_HUB_TIMEOUT_SECONDS,
    )
    return Path(folder)
