"""From a model's name to a loaded model under audit, safely and with its facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from llmaudit.errors import CapacityError, ModelError, UnknownNameError, UsageError
from llmaudit.fetching import sha256_file
from llmaudit.models.base import Model
from llmaudit.models.sources import ModelSource, Progress, find_source
from llmaudit.records import ModelFacts, content_id

GROUP = "llmaudit.models"
"""Entry-point group for model kinds of other packages."""


@dataclass(frozen=True)
class LoadOptions:
    """How to load: ``device`` and ``dtype`` may be ``auto``; ``batch_tokens`` is a batch's budget."""

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
        return _loader(prefix)(rest, options, progress)
    source = find_source(name, progress=progress)
    if progress is not None:
        progress(f"loading {source.name}")
    return _load_causal(source, options)


def _loader(prefix: str) -> Loader:
    """Return what loads the kind of model that a prefix names."""
    if prefix in PREFIXES:
        return PREFIXES[prefix]
    found = {point.name: point for point in entry_points(group=GROUP)}
    if prefix not in found:
        raise UnknownNameError("kind of model", prefix, {*PREFIXES, *found})
    loader: Loader = found[prefix].load()
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
    kind = asked.partition(":")[0]
    if kind not in {"cpu", "cuda", "mps"}:
        raise UnknownNameError("device", asked, ("auto", "cpu", "cuda", "cuda:N", "mps"))
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here[kind]:
        raise UsageError(f"device {asked!r} is not on this machine; use --device auto or cpu.")
    return asked


def choose_dtype(asked: str, device: str, stored: str | None) -> str:
    """Return the number format: float32 on a CPU, the checkpoint's own elsewhere, unless asked."""
    if asked != "auto":
        return asked
    if device == "cpu":
        return "float32"
    return stored if stored in {"float32", "bfloat16", "float16"} else "bfloat16"


def count_parameters(folder: Path) -> int:
    """Return the number of weights in a folder's safetensors files, from their headers alone."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")):
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
    import torch
    import transformers

    from llmaudit.models.causal import CausalModel
    from llmaudit.models.forward import CausalNetwork

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    config = _read_config(source)
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device, config.get("dtype") or config.get("torch_dtype"))
    parameters = count_parameters(source.folder)
    check_capacity(parameters, dtype, device)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source.folder, local_files_only=True, trust_remote_code=False
        )
        network = transformers.AutoModelForCausalLM.from_pretrained(
            source.folder,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
        network = network.to(device).eval()
    except Exception as error:
        raise ModelError(f"{source.origin} could not be loaded: {error}") from error
    stop_ids = _stop_ids(network, tokenizer)
    causal = CausalNetwork(network, pad_id=min(stop_ids, default=0), stop_ids=stop_ids)
    facts = _facts(source, causal, tokenizer, dtype, parameters)
    return CausalModel(causal, tokenizer, facts, batch_tokens=options.batch_tokens)


def _read_config(source: ModelSource) -> dict[str, Any]:
    """Read config.json and refuse what would need foreign code or is no causal model."""
    try:
        config = json.loads((source.folder / "config.json").read_text("utf-8"))
        architectures = [str(name) for name in config.get("architectures") or []]
        model_type = str(config["model_type"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{source.origin}: config.json cannot be read: {error!r}") from error
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        why = "needs code of its own" if config.get("auto_map") else "is no causal language model"
        raise ModelError(
            f"{source.origin} {why} (model type {model_type!r}), so this version cannot audit it: "
            f"code that comes with a model is never run."
        )
    if architectures and not any("CausalLM" in name or "LMHead" in name for name in architectures):
        raise ModelError(
            f"{source.origin} is a {', '.join(architectures)}: only causal language models can be "
            f"audited by this version."
        )
    found: dict[str, Any] = config
    return found


def _stop_ids(network: Any, tokenizer: Any) -> frozenset[int]:
    """Return every token that ends a generation: the model's own list and the tokenizer's end."""
    listed = getattr(network.generation_config, "eos_token_id", None)
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(int(one) for one in (*ids, tokenizer.eos_token_id) if one is not None)


def _facts(
    source: ModelSource, causal: Any, tokenizer: Any, dtype: str, parameters: int
) -> ModelFacts:
    from llmaudit.models.causal import LIKELIHOOD_DEFINITION

    entry, config = source.entry, causal.network.config
    template = tokenizer.chat_template or ""
    if not isinstance(template, str):
        raise ModelError(f"{source.origin} has several chat templates and names none as its own.")
    tokenizer_files = sorted(source.folder.glob("tokenizer*"))
    device = str(causal.device)
    identity = {
        "kind": "causal",
        "weights": [weight.sha256 for weight in source.weights],
        "tokenizer": [sha256_file(file) for file in tokenizer_files],
        "chat_template": template,
        "dtype": dtype,
        "device": causal.device.type,
    }
    known = (
        {
            "family": entry.family,
            "licence": entry.licence.value if entry.licence else "unknown",
            "languages": entry.languages.value if entry.languages else (),
            "training_data": entry.training_data.value if entry.training_data else "unknown",
            "training_data_source": str(entry.training_data.source) if entry.training_data else "",
        }
        if entry
        else {}
    )
    return ModelFacts(
        name=source.name,
        source=source.origin,
        digest=content_id(identity),
        kind="causal",
        architecture=type(causal.network).__name__,
        revision=source.revision,
        parameters=parameters,
        weight_format=source.weight_format,
        weights=source.weights,
        dtype=dtype,
        device=device,
        chat_format="the tokenizer's chat template" if template else "plain text",
        chat_template=template,
        context_length=getattr(config, "max_position_embeddings", None),
        likelihood_definition=LIKELIHOOD_DEFINITION,
        notes=source.notes,
        **known,
    )
