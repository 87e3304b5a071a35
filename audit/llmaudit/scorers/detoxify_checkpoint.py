"""Reads a checkpoint in Detoxify's format as tensors and plain values: never as code.

A checkpoint is a pickle inside a zip archive. The archive may not unpack to more than it is, the
pickle is read by torch's reader that makes tensors and plain values only, and what comes out must
be exactly what a checkpoint holds before a network is built from it.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ScorerError

if TYPE_CHECKING:
    import torch

MOST_BYTES = 4 * 2**30
"""The largest file that is read; the largest published one has a quarter of it."""
MOST_PLAIN_BYTES = 8 * 2**20
"""The most bytes that the file's part without tensors may have."""
MOST_MEMBERS = 4096
MOST_CLASSES = 64
_ARCHITECTURE = ("model_type", "model_name", "tokenizer_name", "num_classes")
_STANDARD = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxicity",
    "identity_hate": "identity_attack",
}
"""Names of classes that the library changes, so that all variants have the same ones."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds: how to build the network, its classes and its tensors.

    ``classes`` have the library's standard names, in the order of the network's first outputs.
    """

    architecture: Mapping[str, Any]
    classes: tuple[str, ...]
    state: Mapping[str, torch.Tensor]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint in Detoxify's format without running anything in it.

    Raises
    ------
    ScorerError
        If the file is no checkpoint, or holds anything but tensors and plain values.
    """
    _check_archive(path)
    loaded = _load(path)
    try:
        arguments = _mapping(loaded["config"]["arch"]["args"])
        classes = loaded["config"]["dataset"]["args"]["classes"]
        state = _mapping(loaded["state_dict"])
    except (KeyError, TypeError, IndexError) as error:
        raise ScorerError(
            f"{path} is no detoxify checkpoint: it needs 'state_dict' and 'config' with the "
            f"architecture and the classes it was trained with ({type(error).__name__})"
        ) from error
    _check_state(path, state)
    return Checkpoint(_architecture(path, arguments), _classes(path, classes, arguments), state)


def _mapping(value: object) -> dict[Any, Any]:
    """Return a dictionary; TypeError for anything else."""
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value


def _check_archive(path: Path) -> None:
    """Refuse what is no zip archive, and one that would unpack to more than it is."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ScorerError(
            f"{path} cannot be read as a checkpoint: it is no zip archive, or it is cut short "
            f"({error}). Fetch it again, or write it with torch.save."
        ) from error
    problem = ""
    if size > MOST_BYTES:
        problem = f"has {size:,} bytes; the most that is read is {MOST_BYTES:,}"
    elif len(members) > MOST_MEMBERS:
        problem = f"has {len(members):,} parts; the most that is read is {MOST_MEMBERS:,}"
    elif any(one.compress_type != zipfile.ZIP_STORED for one in members):
        problem = "holds compressed parts, which torch.save never writes"
    elif sum(one.file_size for one in members) > size:
        problem = "says that its parts are larger than it is itself"
    elif any(
        one.file_size > MOST_PLAIN_BYTES for one in members if one.filename.endswith("data.pkl")
    ):
        problem = f"has more than {MOST_PLAIN_BYTES:,} bytes besides its tensors"
    if problem:
        raise ScorerError(f"{path} is refused: it {problem}.")


def _load(path: Path) -> Any:
    """Return what the file holds, by the reader that makes tensors and plain values only."""
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]{1,80})", str(error))
        what = f" ({named[1]})" if named else ""
        raise ScorerError(
            f"{path} is refused: it holds more than tensors and plain values{what}, and loading it "
            "could run code. Nothing in it was run. Use the checkpoint that the detoxify project "
            "published."
        ) from error
    except Exception as error:
        raise ScorerError(
            f"{path} cannot be read as a checkpoint: it is damaged or cut short "
            f"({type(error).__name__}: {str(error)[:200]}). Fetch it again."
        ) from error


def _architecture(path: Path, arguments: Mapping[Any, Any]) -> dict[str, Any]:
    """Return how the network is built, if that is all that is said: nothing else is passed on."""
    others = [key for key in arguments if key not in _ARCHITECTURE]
    missing = [key for key in _ARCHITECTURE if key not in arguments]
    if others or missing:
        what = f"the key {_show(others[0])}" if others else f"no {missing[0]}"
        raise ScorerError(
            f"{path} does not fit detoxify: its architecture has {what}; it must have "
            f"{', '.join(_ARCHITECTURE)}"
        )
    texts, outputs = [arguments[key] for key in _ARCHITECTURE[:3]], arguments["num_classes"]
    if not all(isinstance(one, str) and len(one) < 1000 for one in texts):
        raise ScorerError(f"{path} does not fit detoxify: its architecture's names are no texts")
    if type(outputs) is not int or not 1 <= outputs <= MOST_CLASSES:
        raise ScorerError(f"{path} does not fit detoxify: num_classes is not 1 to {MOST_CLASSES}")
    return {key: arguments[key] for key in _ARCHITECTURE}


def _show(name: object) -> str:
    """Return a key for a message; only texts are shown, others could be endless."""
    return repr(name[:80]) if isinstance(name, str) else f"of type {type(name).__name__}"


def _classes(path: Path, named: object, arguments: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the standard names of the classes, which may be fewer than the outputs."""
    listed: list[str] = []
    if isinstance(named, list | tuple):
        listed = [one for one in named if isinstance(one, str) and len(one) < 100]
    whole = isinstance(named, list | tuple) and len(listed) == len(named)
    if not whole or not 1 <= len(listed) <= arguments["num_classes"]:
        raise ScorerError(
            f"{path} is no detoxify checkpoint: its classes must be 1 to num_classes names"
        )
    return tuple(_STANDARD.get(one, one) for one in listed)


def _check_state(path: Path, state: Mapping[Any, Any]) -> None:
    """Refuse what is not a plain tensor of finite numbers, as large as the file has bytes for it.

    A tensor may say that it is larger than the numbers it was saved with, by repeating them.
    """
    import torch

    if len(state) > MOST_MEMBERS:
        raise ScorerError(f"{path} is refused: it holds {len(state):,} tensors")
    total = 0
    for name, one in state.items():
        problem = ""
        if not isinstance(name, str) or type(one) not in (torch.Tensor, torch.nn.Parameter):
            problem = "no tensor"
        elif one.layout != torch.strided or one.device.type != "cpu" or one.is_quantized:
            problem = "no plain tensor"
        elif not (one.is_floating_point() or one.dtype == torch.int64) or one.element_size() < 2:
            problem = f"of the kind {one.dtype}"
        elif one.numel() * one.element_size() > one.untyped_storage().nbytes():
            problem = "larger than what is saved of it"
        elif not bool(torch.isfinite(one).all()):
            problem = "not finite everywhere"
        if problem:
            raise ScorerError(f"{path} is refused: {_show(name)} is {problem}")
        total += one.numel() * one.element_size()
    if total > 2 * path.stat().st_size:
        raise ScorerError(f"{path} is refused: its tensors are larger than it is itself")
