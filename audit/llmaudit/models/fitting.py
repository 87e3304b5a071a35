"""Whether options go together, and whether a model fits this machine, before it is fetched."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from llmaudit.errors import UsageError
from llmaudit.models.local import find_local
from llmaudit.models.memory import ModelSize, check_capacity, estimate_memory
from llmaudit.models.placement import (
    Placement,
    check_quantize,
    choose_device,
    choose_dtype,
    count_gpus,
)
from llmaudit.models.vllm_loading import check_engine, choose_vllm_placement
from llmaudit.models.weights import Trust

if TYPE_CHECKING:
    from llmaudit.models.loading import LoadOptions

SERVER = "openai"
"""The prefix of models on servers."""

_ABOUT_WEIGHTS = frozenset({"adapter", "quantize", "device", "dtype"})


def check_options(options: LoadOptions, *, prefix: str | None = None) -> None:
    """Refuse options that do not go together, or not with this kind of model.

    Parameters
    ----------
    options : LoadOptions
    prefix : str, optional
        Of a model whose weights are not loaded here, for example ``openai``.

    Raises
    ------
    UsageError
    """
    check_engine(options, prefix=prefix)
    if prefix != SERVER:
        return
    for one in fields(options):
        if one.name in _ABOUT_WEIGHTS and getattr(options, one.name) != one.default:
            raise UsageError(
                f"--{one.name} is about weights on this machine; a model on a server is as its "
                f"server runs it. Leave it out."
            )


def check_before_download(name: str, options: LoadOptions) -> None:
    """Refuse a model that the registry knows to be too large, before it is fetched.

    Raises
    ------
    CapacityError, UsageError
    """
    local = find_local(name, Trust(options.allow_pickle, options.trust_remote_code))
    if local.folder is None and local.entry is not None and local.entry.parameters is not None:
        size = ModelSize(local.entry.name, local.entry.parameters.value, None, local.entry)
        place = choose_placement(options, None, size)
        check_capacity(size, place, options.batch_tokens)


def choose_placement(options: LoadOptions, stored_dtype: str | None, size: ModelSize) -> Placement:
    """Return where and how to load: over all GPUs where one was not named and one is too small.

    With ``--engine vllm``, on as many GPUs as share its layers.

    Raises
    ------
    UsageError
        If something is asked for that this machine does not have.
    """
    if options.engine == "vllm":
        return choose_vllm_placement(options, stored_dtype)
    device = choose_device(options.device)
    check_quantize(options.quantize, device)
    dtype = choose_dtype(options.dtype, device, stored_dtype)
    place = Placement(device, dtype, options.quantize)
    if options.device == "auto" and device == "cuda" and count_gpus() > 1:
        alone = estimate_memory(size, place, options.batch_tokens)
        return replace(place, spread=alone.fits is False)
    return place
