"""Finds Detoxify's checkpoints and reads them safely: tensors and plain values, never code."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.errors import ScorerError, UnknownNameError
from llmaudit.resources import cache_dir

FOLDER_VARIABLE = "LLMAUDIT_DETOXIFY_DIR"
_RELEASES = "https://github.com/unitaryai/detoxify/releases/download/"
_FAMILIES = ("Bert", "Roberta", "XLMRoberta", "Albert")
_MODELS = frozenset(f"{family}ForSequenceClassification" for family in _FAMILIES)
_TOKENIZERS = frozenset(f"{family}Tokenizer" for family in _FAMILIES)
_BASES = frozenset(("bert-base-uncased", "roberta-base", "xlm-roberta-base", "albert-base-v2"))


@dataclass(frozen=True, slots=True)
class Variant:
    """One released checkpoint: its file, where it is published, its base and its languages."""

    file: str
    release: str
    base: str
    languages: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where the checkpoint is published."""
        return f"{_RELEASES}{self.release}/{self.file}"

    @property
    def hash_prefix(self) -> str:
        """The first eight hex digits of the file's SHA-256, which its name ends with."""
        return Path(self.file).stem.rpartition("-")[2]


VARIANTS: Mapping[str, Variant] = {
    "original": Variant("toxic_original-c1212f89.ckpt", "v0.1-alpha", "bert-base-uncased", ("en",)),
    "unbiased": Variant("toxic_debiased-c7548aa0.ckpt", "v0.3-alpha", "roberta-base", ("en",)),
    "multilingual": Variant(
        "multilingual_debiased-0b549669.ckpt",
        "v0.4-alpha",
        "xlm-roberta-base",
        ("en", "fr", "es", "it", "pt", "tr", "ru"),
    ),
    "original-small": Variant("original-albert-0e1d6498.ckpt", "v0.1.2", "albert-base-v2", ("en",)),
    "unbiased-small": Variant("unbiased-albert-c8519128.ckpt", "v0.1.2", "albert-base-v2", ("en",)),
}
"""Every variant of the detoxify library, by its name there."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds: how to build the network, its classes and its tensors."""

    architecture: Mapping[str, Any]
    classes: tuple[str, ...]
    state: Mapping[str, Any]


def find_variant(name: str) -> Variant:
    """Return a variant by its name.

    Raises
    ------
    UnknownNameError
        If detoxify has no such variant.
    """
    if name not in VARIANTS:
        raise UnknownNameError("detoxify variant", name, VARIANTS)
    return VARIANTS[name]


def find_checkpoint(
    variant: Variant, given: Path | None = None, progress: Callable[[str], None] | None = None
) -> Path:
    """Return the checkpoint's file: the given one, the offline folder's, the cache's, or fetched.

    Raises
    ------
    ScorerError
        If it is nowhere and cannot be downloaded; the message says which file to put where.
    """
    if given is not None:
        if not given.is_file():
            raise ScorerError(f"detoxify checkpoint {given} is not a file: give the path of one")
        return given
    folder = offline_folder()
    if folder is not None and (folder / variant.file).is_file():
        return folder / variant.file
    cached = cache_dir() / "detoxify" / variant.file
    if not cached.is_file():
        _download(variant, cached, progress)
    return cached


def offline_folder() -> Path | None:
    """Return the folder that ``LLMAUDIT_DETOXIFY_DIR`` names, if it is set."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else None


def _download(variant: Variant, target: Path, progress: Callable[[str], None] | None) -> None:
    from torch.hub import download_url_to_file

    if progress is not None:
        progress(f"fetching {variant.file} from {variant.url}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(
            variant.url, str(target), hash_prefix=variant.hash_prefix, progress=progress is not None
        )
    except (OSError, RuntimeError) as error:
        raise ScorerError(
            f"the detoxify checkpoint {variant.file} is not on this machine and cannot be fetched "
            f"({error}). Download {variant.url} elsewhere, put it into a folder together with a "
            f"folder {variant.base}/ that holds config.json and the tokenizer files of "
            f"{variant.base}, and set {FOLDER_VARIABLE} to that folder; or name the file by the "
            "scorer's option 'checkpoint'."
        ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint in Detoxify's format without running anything in it.

    Raises
    ------
    ScorerError
        If the file is no checkpoint, or holds anything but tensors and plain values.
    """
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ScorerError(
            f"{path} is refused: it holds more than tensors and plain values, and loading it could "
            "run code. Use the checkpoint that the detoxify project published."
        ) from error
    except Exception as error:
        raise ScorerError(f"{path} cannot be read as a checkpoint ({error!r})") from error
    try:
        architecture = dict(loaded["config"]["arch"]["args"])
        classes = tuple(str(name) for name in loaded["config"]["dataset"]["args"]["classes"])
        state = dict(loaded["state_dict"])
    except (KeyError, TypeError, ValueError) as error:
        raise ScorerError(
            f"{path} is no detoxify checkpoint: it needs 'state_dict' and 'config' with the "
            f"architecture and the classes it was trained with ({error!r} is missing)"
        ) from error
    _check_names(path, architecture)
    return Checkpoint(architecture, classes, state)


def _check_names(path: Path, architecture: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that asks for any class but those Detoxify is built from."""
    for key, allowed in (("model_name", _MODELS), ("tokenizer_name", _TOKENIZERS)):
        if architecture.get(key) not in allowed:
            raise ScorerError(
                f"{path} asks for {key} {architecture.get(key)!r}; a detoxify checkpoint uses one "
                f"of {', '.join(sorted(allowed))}"
            )


def find_base_files(checkpoint: Checkpoint, path: Path, given: Path | None) -> str:
    """Return where configuration and tokenizer come from: a local folder, else a hub id.

    Raises
    ------
    ScorerError
        If the given folder does not hold them, or the checkpoint names a base nobody published.
    """
    name = str(checkpoint.architecture.get("model_type"))
    folder = offline_folder()
    beside = [parent / name for parent in (path.parent, folder) if parent and name in _BASES]
    for candidate in [given] if given is not None else beside:
        if candidate is not None and (candidate / "config.json").is_file():
            return str(candidate)
    if given is not None:
        raise ScorerError(f"{given} holds no config.json: give the folder of {name}'s files")
    if name not in _BASES:
        raise ScorerError(
            f"{path} names the base {name!r}, which detoxify never used; expected one of "
            f"{', '.join(sorted(_BASES))}, or a local folder by the scorer's option 'base'"
        )
    return name
