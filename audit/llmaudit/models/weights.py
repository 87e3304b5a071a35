"""The files of a model's weights: which are read, what they may do, and how much they hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from llmaudit.errors import ModelError

_SAFE = ("model.safetensors", "model.safetensors.index.json")
#: Number formats by their names in safetensors files.
_FORMATS = {"F32": "float32", "F64": "float32", "BF16": "bfloat16", "F16": "float16"}
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user allows a model's files to do; by default neither.

    Attributes
    ----------
    pickle : bool
        Weights may be read from pickle files, by a reader that makes tensors only.
    remote_code : bool
        Python files that come with the model may be run. They can do whatever the user can.
    """

    pickle: bool = False
    remote_code: bool = False

    def notes(self, *, pickled: bool) -> tuple[str, ...]:
        """Return the sentences that a report must carry; ``pickled`` says what was read."""
        found = []
        if self.pickle:
            read = "were read from pickle files" if pickled else "needed no pickle file"
            found.append(f"Pickle files were allowed (--allow-pickle); the weights {read}.")
        if self.remote_code:
            found.append(
                "Code that comes with the model was allowed to run (--trust-remote-code): its "
                "results depend on that code, which this program has not checked."
            )
        return tuple(found)


NO_TRUST = Trust()


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """The weight files of a folder; none of them, and then the reason, or all."""

    files: tuple[Path, ...]
    pickled: bool = False
    why_none: str = ""


def find_weights(folder: Path, trust: Trust = NO_TRUST) -> FoundWeights:
    """Return the weight files that transformers reads from a folder: safetensors before pickles.

    Raises
    ------
    ModelError
        If the folder's index of weights cannot be read, or names a file that is not there.
    """
    safe = _listed(folder, *_SAFE)
    if safe:
        return FoundWeights(safe)
    if trust.pickle:
        pickled = _listed(folder, *_PICKLED)
        why = f"holds no {_SAFE[0]}, no {_PICKLED[0]} and no index of either."
        return FoundWeights(pickled, pickled=bool(pickled), why_none="" if pickled else why)
    why = (
        f"holds no {_SAFE[0]} and no {_SAFE[1]}. Weights in pickle files (.bin, .pt) can run code "
        f"when they are read, so they are not loaded: convert them to safetensors first, or allow "
        f"them with --allow-pickle if you trust whoever made them."
    )
    return FoundWeights((), why_none=why)


def _listed(folder: Path, single: str, index_name: str) -> tuple[Path, ...]:
    """Return one file, or all files that an index names, each within the folder."""
    if (folder / single).is_file():
        return (folder / single,)
    index = folder / index_name
    if not index.is_file():
        return ()
    try:
        listed = json.loads(index.read_text("utf-8"))["weight_map"]
        names = sorted({str(name) for name in listed.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error!r}") from error
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise ModelError(f"{index} names the weight file {name!r}, which is not in the folder.")
    return tuple(folder / name for name in names)


def code_files(folder: Path) -> list[Path]:
    """Return the Python files that come with a model."""
    return sorted(file for file in folder.rglob("*.py") if file.is_file())


def count_parameters(folder: Path, trust: Trust = NO_TRUST) -> int:
    """Return the number of weights in a folder's files; of safetensors from their headers alone."""
    found = find_weights(folder, trust)
    count = count_pickled if found.pickled else _count_safe
    return sum(count(file) for file in found.files)


def _count_safe(file: Path) -> int:
    with _open_safe(file) as tensors:
        return sum(_count_tensor(key, tensors.get_slice(key)) for key in tensors.keys())  # noqa: SIM118


def _count_tensor(name: str, tensor: Any) -> int:
    """Return the weights that a tensor holds: MXFP4 packs two into a byte, their scales apart."""
    numbers: int = prod(tensor.get_shape())
    if tensor.get_dtype() != "U8":
        return numbers
    return 0 if name.endswith("_scales") else 2 * numbers if name.endswith("_blocks") else numbers


@contextmanager
def _open_safe(file: Path) -> Iterator[Any]:
    """Open a safetensors file, of which nothing but the header is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            yield tensors
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} is not a sound safetensors file: {error}") from error


def stored_dtype(folder: Path) -> str:
    """Return the number format that most of a folder's weights were published in.

    One of ``float32``, ``bfloat16`` and ``float16``, or ``quantised`` for fewer bits; what cannot
    be told, as of pickle files, counts as float32.
    """
    from llmaudit.models.gguf import read_origin

    if read_origin(folder) is not None:
        return "quantised"
    sizes: Counter[str] = Counter()
    for file in find_weights(folder).files[:1]:
        with _open_safe(file) as tensors:
            for key in tensors.keys():  # noqa: SIM118
                part = tensors.get_slice(key)
                sizes[part.get_dtype()] += prod(part.get_shape())
    most = max(sizes, key=lambda name: sizes[name], default="F32")
    return _FORMATS.get(most, "quantised" if most.startswith(("I", "U", "F8", "F4")) else "float32")


def count_pickled(file: Path) -> int:
    """Return the number of weights in a pickle file, whose data is not read."""
    return sum(int(one.numel()) for one in read_pickle(file, device="meta").values())


def read_pickle(file: Path, *, device: str) -> dict[str, Any]:
    """Read a pickle file by torch's reader that makes tensors and plain values only.

    Raises
    ------
    ModelError
        If the file holds anything else: code to run, or damage.
    """
    import torch

    try:
        loaded = torch.load(file, map_location=device, weights_only=True)
        tensors = {str(key): one for key, one in loaded.items() if isinstance(one, torch.Tensor)}
    except Exception as error:
        raise ModelError(
            f"{file} holds more than tensors, or is damaged ({type(error).__name__}). Nothing in "
            f"it was run; it cannot be loaded, whatever is allowed."
        ) from error
    return tensors
