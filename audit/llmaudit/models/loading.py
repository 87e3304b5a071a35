"""From a model's name to a loaded model under audit, safely and with its facts."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from llmaudit.errors import AuditError, CapacityError, ModelError, UnknownNameError, UsageError
from llmaudit.models.base import Model
from llmaudit.models.sources import ModelSource, Progress, find_source, weight_files

GROUP = "llmaudit.models"
"""Entry-point group for model kinds of other packages."""

DTYPES = ("float32", "bfloat16", "float16")
"""Number formats that a network can be loaded in."""


@dataclass(frozen=True)
class LoadOptions:
    """How to load: device and dtype may be ``auto``; ``batch_tokens`` is one batch's budget."""

    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192


def _load_scripted(rest: str, _options: LoadOptions, _progress: Progress | None) -> Model:
    from llmaudit.models.scripted import load_scripted_model

    return load_scripted_model(Path(rest))


Loader = Callable[[str, LoadOptions, Progress | None], Model]

#: Kinds that a prefix chooses: ``scripted:FILE``. Everything else is a transformers model.
PREFIXES: Mapping[str, Loader] = {"scripted": _load_scripted}


def load_model(name: str, options: LoadOptions, *, progress: Progress | None = None) -> Model:
    """Load the model under audit.

    Parameters
    ----------
    name : str
        What :func:`llmaudit.models.sources.find_source` takes, or ``PREFIX:REST`` for a kind of
        model that a prefix chooses: ``scripted:FILE``, or an entry point in ``llmaudit.models``.
    options : LoadOptions
    progress : callable, optional
        Is told in a few words what happens.

    Raises
    ------
    UnknownNameError, UsageError, UnavailableError, CapacityError, ModelError
        As the exception tree says.
    """
    prefix, colon, rest = name.partition(":")
    if colon and not Path(name).exists():
        return _load_other(prefix, rest, options, progress)
    source = find_source(name, progress=progress)
    if progress is not None:
        progress(f"loading {source.name}")
    with _collection_paused():
        return _load_causal(source, options)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Keep the garbage collector from walking a million new objects of which none is garbage.

    It took a sixth of the five seconds in which torch, transformers and a small model are loaded.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load_other(prefix: str, rest: str, options: LoadOptions, progress: Progress | None) -> Model:
    """Load a kind of model that a prefix names; what its own code raises is told as its fault."""
    loader = _loader(prefix)
    try:
        model = loader(rest, options, progress)
    except AuditError:
        raise
    except Exception as error:
        raise ModelError(f"{prefix}:{rest} could not be loaded: {error!r}") from error
    if not isinstance(model, Model):
        raise ModelError(
            f"{prefix}:{rest} gave a {type(model).__name__}, which is no model: it needs what "
            f"llmaudit.models.base.Model lists."
        )
    return model


def _loader(prefix: str) -> Loader:
    """Return what loads the kind of model that a prefix names."""
    if prefix in PREFIXES:
        return PREFIXES[prefix]
    found = {point.name: point for point in entry_points(group=GROUP)}
    if prefix not in found:
        raise UnknownNameError("kind of model", prefix, {*PREFIXES, *found})
    try:
        loader: Loader = found[prefix].load()
    except Exception as error:
        point = found[prefix].value
        raise ModelError(
            f"the model kind {prefix!r} of {point} cannot be imported: {error!r}"
        ) from error
    return loader


def choose_device(asked: str) -> str:
    """Return the device to run on: what was asked for, or the fastest that is here.

    Raises
    ------
    UsageError
        If the device is unknown or not here.
    """
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", asked):
        raise UnknownNameError("device", asked, ("auto", "cpu", "cuda", "cuda:N", "mps"))
    kind, _, number = asked.partition(":")
    here = {
        "cpu": True,
        "cuda": int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here[kind]:
        raise UsageError(f"device {asked!r} is not on this machine; use --device auto or cpu.")
    return asked


def choose_dtype(asked: str, device: str, stored: str | None) -> str:
    """Return the number format: float32 on a CPU, the checkpoint's own elsewhere, unless asked.

    Raises
    ------
    UsageError
        If the format is unknown.
    """
    if asked != "auto":
        if asked not in DTYPES:
            raise UnknownNameError("dtype", asked, ("auto", *DTYPES))
        return asked
    if device == "cpu":
        return "float32"
    return stored if stored in DTYPES else "bfloat16"


def count_parameters(folder: Path) -> int:
    """Return the number of weights in a folder's safetensors files, from their headers alone."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    total = 0
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="numpy") as tensors:
                total += sum(prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{file} is not a sound safetensors file: {error}") from error
    return total


def check_capacity(parameters: int, dtype: str, device: str) -> None:
    """Refuse a model whose weights alone exceed the memory that is free.

    Raises
    ------
    CapacityError
        With what is needed, what is free, and the alternatives.
    """
    needed = parameters * (4 if dtype == "float32" else 2)
    free = free_memory(device)
    if needed > free:
        raise CapacityError(
            f"the weights need {needed / 2**30:.1f} GiB in {dtype}, and {free / 2**30:.1f} GiB are "
            f"free on {device}. Use --dtype bfloat16, another --device, or a smaller model."
        )


def free_memory(device: str) -> int:
    """Return the bytes that are free on a device now."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _load_causal(source: ModelSource, options: LoadOptions) -> Model:
    from llmaudit.models.causal import CausalModel
    from llmaudit.models.checkpoint import (
        check_causal,
        find_stop_ids,
        gather_facts,
        read_config,
        read_network,
        read_tokenizer,
    )
    from llmaudit.models.forward import CausalNetwork

    config = read_config(source)
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device, config.get("dtype") or config.get("torch_dtype"))
    parameters = count_parameters(source.folder)
    check_capacity(parameters, dtype, device)
    tokenizer = read_tokenizer(source)
    network = read_network(source, dtype, device)
    causal = CausalNetwork(network, stop_ids=find_stop_ids(network, tokenizer))
    check_causal(causal, source.origin)
    facts = gather_facts(source, causal, tokenizer, dtype, parameters)
    return CausalModel(causal, tokenizer, facts, batch_tokens=options.batch_tokens)
