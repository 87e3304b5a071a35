"""From a model folder to a model that vLLM computes: checks, environment, engine and facts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from llmaudit.errors import CapacityError, ModelError, UnknownNameError, UsageError
from llmaudit.models.local import read_geometry
from llmaudit.models.memory import ModelSize, check_capacity, free_memory
from llmaudit.models.placement import Placement, choose_dtype, count_gpus
from llmaudit.models.sources import ModelSource
from llmaudit.models.weights import count_parameters, stored_dtype
from llmaudit.records import ModelFacts, content_id

if TYPE_CHECKING:
    from llmaudit.models.adapters import AdapterSource
    from llmaudit.models.base import Model
    from llmaudit.models.loading import LoadOptions

ENGINES = ("transformers", "vllm")
"""What ``--engine`` takes."""

#: What must be set before vLLM is imported, unless the user has set it. No usage statistics leave
#: the machine. One process, so that the same requests share the same batches every time, and what
#: goes wrong is told. Nothing on standard output, which belongs to results.
_ENVIRONMENT: Mapping[str, str] = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
#: Options of loading that vLLM would not honour here, by field.
_FOREIGN_OPTIONS = ("adapter", "quantize", "allow_pickle", "trust_remote_code")
#: The most bytes that keys and values take on a CPU, where vLLM would take nearly all there is.
_CPU_CACHE = 4 * 2**30


def check_engine(options: LoadOptions, *, prefix: str | None = None) -> None:
    """Refuse an engine that is unknown, not installed, or not for this model.

    Parameters
    ----------
    options : LoadOptions
    prefix : str, optional
        Of a model whose weights are not loaded here, for example ``openai``.

    Raises
    ------
    UsageError
    """
    if options.engine not in ENGINES:
        raise UnknownNameError("engine", options.engine, ENGINES)
    if options.engine != "vllm":
        if options.tensor_parallel > 1:
            raise UsageError(
                f"--tensor-parallel {options.tensor_parallel} needs --engine vllm: the "
                f"{options.engine} engine divides no layer between GPUs."
            )
        return
    if prefix is not None:
        raise UsageError(
            f"--engine vllm computes weights that are here, and {prefix}: names another kind of "
            f"model. Leave --engine out."
        )
    for name in _FOREIGN_OPTIONS:
        if getattr(options, name, None):
            raise _foreign(f"--{name.replace('_', '-')}")
    if find_spec("vllm") is None:
        raise UsageError(
            "--engine vllm needs vLLM, which is not installed: pip install 'openllmaudit[vllm]'"
        )


def _foreign(what: str) -> UsageError:
    return UsageError(f"{what} does not go with --engine vllm: use --engine transformers.")


def load_vllm(source: ModelSource, adapter: AdapterSource | None, options: LoadOptions) -> Model:
    """Load a causal model's folder into vLLM.

    Raises
    ------
    UsageError
        If it is no causal model, or the device is another than vLLM was built for.
    CapacityError
        If it does not fit.
    ModelError
        If it cannot be loaded.
    """
    from llmaudit.models import checkpoint
    from llmaudit.models.prompt_formats import set_prompt_format
    from llmaudit.models.vllm import LIKELIHOOD_DEFINITION, VLLMModel

    if adapter is not None:
        raise _foreign("an adapter")
    config = checkpoint.read_config(source)
    kind = checkpoint.find_kind(config, source.origin)
    if kind != "causal":
        raise _foreign(f"{source.origin}, a {kind} language model,")
    parameters = count_parameters(source.folder)
    place = choose_vllm_placement(options, stored_dtype(source.folder))
    size = ModelSize(source.name, parameters, read_geometry(source.folder), source.entry)
    check_capacity(size, place, options.batch_tokens)
    tokenizer = checkpoint.read_tokenizer(source)
    written = set_prompt_format(
        tokenizer, options.prompt_format, source.entry, kind=kind, origin=source.origin
    )
    outline = _outline(source, place.dtype)
    loaded = checkpoint.Loaded(
        source, outline, tokenizer, source.folder, parameters, place, written
    )
    facts = checkpoint.gather_facts(loaded, kind=kind, likelihood_definition=LIKELIHOOD_DEFINITION)
    llm = _make_llm(source, options, place)
    facts = _add_engine(facts, llm, place.device, options.tensor_parallel)
    return VLLMModel(llm, tokenizer, facts, stop_ids=checkpoint.find_stop_ids(outline, tokenizer))


def choose_vllm_placement(options: LoadOptions, stored_dtype: str | None) -> Placement:
    """Return where vLLM computes, on how many GPUs, and in which number format.

    Raises
    ------
    UsageError
        If this machine has fewer GPUs than are to share the layers, or another device.
    """
    device, gpus = choose_device(options.device), options.tensor_parallel
    if device == "cuda" and gpus > count_gpus():
        raise UsageError(
            f"--tensor-parallel {gpus} needs {gpus} GPUs, and this machine has {count_gpus()}."
        )
    dtype = choose_dtype(options.dtype, device, stored_dtype)
    return Placement(device, dtype, engine="vllm", gpus=gpus)


def choose_device(asked: str) -> str:
    """Return the device that this vLLM was built for.

    Raises
    ------
    UsageError
        If another one was asked for.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm.platforms import current_platform

    here = str(current_platform.device_type)
    if asked in ("auto", here):
        return here
    hint = " Choose a GPU with CUDA_VISIBLE_DEVICES." if asked.startswith("cuda:") else ""
    raise UsageError(
        f"--device {asked} cannot be had with --engine vllm: the vLLM that is installed computes "
        f"on {here!r}.{hint}"
    )


def _outline(source: ModelSource, dtype: str) -> Any:
    """Return the network without its weights: its class, sizes and stop tokens, for the facts."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    make_network: Any = AutoModelForCausalLM.from_config
    try:
        config = AutoConfig.from_pretrained(source.folder, local_files_only=True)
        with torch.device("meta"):
            network = make_network(config, dtype=getattr(torch, dtype))
        if (source.folder / "generation_config.json").is_file():
            network.generation_config = GenerationConfig.from_pretrained(
                source.folder, local_files_only=True
            )
    except Exception as error:
        raise ModelError(f"{source.origin} could not be loaded: {error}") from error
    return network


def _make_llm(source: ModelSource, options: LoadOptions, place: Placement) -> Any:
    """Start vLLM's engine on a folder of safetensors, with no tokenizer and no code of theirs."""
    from vllm import LLM

    from llmaudit.models.vllm_queue import MOST_SEQUENCES

    try:
        return LLM(
            model=str(source.folder),
            skip_tokenizer_init=True,
            trust_remote_code=False,
            load_format="safetensors",
            use_tqdm_on_load=False,
            generation_config="vllm",
            dtype=place.dtype,
            tensor_parallel_size=options.tensor_parallel,
            enable_prefix_caching=True,
            max_model_len=-1,
            max_num_batched_tokens=options.batch_tokens,
            max_num_seqs=min(MOST_SEQUENCES, options.batch_tokens),
            enforce_eager=place.device == "cpu",
            seed=0,
            **_cache_room(place.device),
        )
    except Exception as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            raise CapacityError(
                f"vLLM finds too little memory for {source.origin}: {error}. Use --dtype bfloat16, "
                f"a smaller --batch-tokens, or more GPUs with --tensor-parallel."
            ) from error
        raise ModelError(f"vLLM could not load {source.origin}: {first}") from error


def _cache_room(device: str) -> dict[str, int]:
    """Return how much memory keys and values may take, where vLLM's own choice is no good."""
    if device != "cpu" or os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        return {}
    return {"kv_cache_memory_bytes": min(_CPU_CACHE, free_memory("cpu") // 2)}


def _add_engine(facts: ModelFacts, llm: Any, device: str, tensor_parallel: int) -> ModelFacts:
    """Return the facts with the engine in their digest and notes."""
    import vllm
    from vllm import envs

    invariant = bool(envs.VLLM_BATCH_INVARIANT)
    identity = {
        "transformers": facts.digest,
        "engine": "vllm",
        "version": vllm.__version__,
        "architecture": str(llm.model_config.architecture),
        "device": device,
        "tensor_parallel": tensor_parallel,
        "batch_invariant": invariant,
    }
    taken = int(llm.model_config.max_model_len)
    length = taken if facts.context_length is None else min(taken, facts.context_length)
    notes = [
        f"Computed by vLLM {vllm.__version__} as its {identity['architecture']}, tensor parallel "
        f"{tensor_parallel}. Its numbers agree with those of the transformers engine within "
        f"rounding and not bit by bit; sampled texts differ, because its noise is its own.",
    ]
    if not invariant:
        notes.append(
            "vLLM decides as it goes which requests share a batch, and rounding depends on that: a "
            "resumed or repeated run may give other samples where two tokens all but tie."
        )
    if facts.context_length is not None and taken < facts.context_length:
        notes.append(
            f"The memory here held {taken} of the model's {facts.context_length} tokens of context."
        )
    return replace(
        facts,
        digest=content_id(identity),
        device=device,
        context_length=length,
        notes=(*facts.notes, *notes),
    )
