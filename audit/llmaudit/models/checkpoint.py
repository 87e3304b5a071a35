"""A folder of weights -> a network, its tokenizer and its facts, each checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError
from llmaudit.fetching import sha256_file
from llmaudit.models.adapters import lineage_notes
from llmaudit.models.model_cards import known_facts
from llmaudit.models.placement import Placement, describe_devices, loading_options
from llmaudit.models.prompt_formats import PromptFormat
from llmaudit.models.sources import ModelSource
from llmaudit.models.weights import NO_TRUST, Trust, code_files
from llmaudit.records import AdapterFacts, ModelFacts, content_id

if TYPE_CHECKING:
    from llmaudit.models.forward import CausalNetwork

#: The files beside the weights that decide what a model computes.
_SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
    "chat_template*",
)
#: Kind to what the auto class of transformers is called that loads it.
AUTO_CLASSES: Mapping[str, str] = {
    "causal": "AutoModelForCausalLM",
    "masked": "AutoModelForMaskedLM",
    "permuted": "AutoModelForCausalLM",
}
#: Kind to parts of the architecture names that it has.
_ARCHITECTURES: Mapping[str, tuple[str, ...]] = {
    "causal": ("CausalLM", "LMHead"),
    "masked": ("MaskedLM",),
    "permuted": ("LMHead",),
}
#: Model types that read text in every order.
_PERMUTED = ("xlnet",)
_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


@dataclass(frozen=True)
class Loaded:
    """Everything that a model under audit is made from.

    Attributes
    ----------
    source : ModelSource
    network : transformers.PreTrainedModel
    tokenizer : transformers.PreTrainedTokenizerBase
    tokenizer_folder : Path
        Where the tokenizer came from: the model's folder, or an adapter's.
    parameters : int
    placement : Placement
    prompt_format : PromptFormat
    adapter : AdapterFacts or None
    """

    source: ModelSource
    network: Any
    tokenizer: Any
    tokenizer_folder: Path
    parameters: int
    placement: Placement
    prompt_format: PromptFormat
    adapter: AdapterFacts | None = None


def read_config(source: ModelSource) -> dict[str, Any]:
    """Read config.json.

    Raises
    ------
    ModelError
        If it cannot be read, or names code in another repository.
    """
    try:
        config: dict[str, Any] = json.loads((source.folder / "config.json").read_text("utf-8"))
        config["model_type"] = str(config["model_type"])
        config["architectures"] = [str(name) for name in config.get("architectures") or []]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{source.origin}: config.json cannot be read: {error!r}") from error
    if source.trust.remote_code:
        _refuse_code_elsewhere(source)
    return config


def _refuse_code_elsewhere(source: ModelSource) -> None:
    """Refuse a model whose code stands in another repository, where no digest would cover it."""
    for name in ("config.json", "tokenizer_config.json"):
        file = source.folder / name
        named = json.loads(file.read_text("utf-8")).get("auto_map") if file.is_file() else None
        if "--" in json.dumps(named):
            raise ModelError(
                f"{source.origin}: {name} takes code from another repository (auto_map: {named}). "
                f"Only code in the model's own folder can be allowed with --trust-remote-code."
            )


def find_kind(config: Mapping[str, Any], origin: str, trust: Trust = NO_TRUST) -> str:
    """Return the kind of model that a configuration describes: a key of ``AUTO_CLASSES``.

    Raises
    ------
    ModelError
        If it is none of them, or only with code of its own.
    """
    from transformers.models.auto import modeling_auto as auto

    if trust.remote_code and config.get("auto_map"):
        return _kind_of_code(config["auto_map"], origin)
    model_type, architectures = config["model_type"], config["architectures"]
    if model_type in _PERMUTED:
        kind = "permuted"
    elif any("MaskedLM" in name for name in architectures):
        kind = "masked"
    else:
        kind = "causal"
    known = {
        "causal": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "masked": auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "permuted": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    if model_type not in known[kind]:
        why = "needs code of its own" if config.get("auto_map") else "is no language model"
        raise ModelError(
            f"{origin} {why} (model type {model_type!r}), so this version cannot audit it: code "
            f"that comes with a model is never run, unless you allow it with --trust-remote-code."
        )
    wanted = _ARCHITECTURES[kind]
    if architectures and not any(part in name for name in architectures for part in wanted):
        raise ModelError(
            f"{origin} is a {', '.join(architectures)}: only language models can be audited, "
            f"whose output is the probability of tokens."
        )
    return kind


def _kind_of_code(auto_map: Any, origin: str) -> str:
    """Return the kind of model that a model's own code makes."""
    for kind, name in AUTO_CLASSES.items():
        if isinstance(auto_map, dict) and name in auto_map:
            return kind
    raise ModelError(
        f"{origin} comes with code for no language model (auto_map: {auto_map!r:.200}): only "
        f"language models can be audited, whose output is the probability of tokens."
    )


_ORDINARY = "a e i o u 0 1 2 . , the of and 的 ا अ"
"""Any tokenizer with a vocabulary knows something of this."""


def read_tokenizer(source: ModelSource, folder: Path | None = None) -> Any:
    """Load the tokenizer of a model, or the one that ``folder`` holds.

    Raises
    ------
    ModelError
        If it cannot be loaded, or knows no word: every prompt would read alike.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder or source.folder,
            local_files_only=True,
            trust_remote_code=source.trust.remote_code and folder is None,
        )
        known = set(tokenizer(_ORDINARY, add_special_tokens=False)["input_ids"])
    except Exception as error:
        raise ModelError(f"the tokenizer of {source.origin} cannot be loaded: {error}") from error
    if not known - {tokenizer.unk_token_id}:
        # transformers makes one without words where the folder holds no vocabulary.
        raise ModelError(f"the tokenizer of {source.origin} knows no word: is its file missing?")
    return tokenizer


def read_network(source: ModelSource, kind: str, place: Placement) -> Any:
    """Load the network of a folder in evaluation mode.

    Parameters
    ----------
    source : ModelSource
    kind : str
        A key of ``AUTO_CLASSES``.
    place : Placement

    Raises
    ------
    ModelError
        If it cannot be loaded, or weights are missing, which would be filled with random numbers.
    """
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = getattr(transformers, AUTO_CLASSES[kind]).from_pretrained(
            source.folder,
            local_files_only=True,
            trust_remote_code=source.trust.remote_code,
            use_safetensors=source.weight_format != "pickle",
            output_loading_info=True,
            **loading_options(place),
        )
        network, loading = loaded
        moved = place.spread or place.quantize is not None
        network = (network if moved else network.to(place.device)).eval()
        # Mapped weights are read from disk or page cache at first touch. In order that is done in
        # 0.05 s for SmolLM2; in the order of a matrix product the first pass took 1.1 s.
        for parameter in network.parameters():
            parameter.detach().sum()
    except Exception as error:
        raise ModelError(f"{source.origin} could not be loaded: {error}") from error
    missing = sorted(str(name) for name in loading["missing_keys"])
    if missing:
        raise ModelError(
            f"{source.origin} lacks {len(missing)} of the weights of a {type(network).__name__}, "
            f"{missing[0]!r} among them: its files are incomplete or of another architecture."
        )
    return network


def check_causal(network: CausalNetwork, origin: str) -> None:
    """Refuse a network whose output at one token depends on the token after it.

    Raises
    ------
    ModelError
    """
    import torch

    last = network.vocabulary - 1
    input_ids = torch.tensor([[0, 0], [0, last]], device=network.device)
    rows = torch.tensor([0, 1], device=network.device)
    with torch.inference_mode():
        logits = network.logits_at(input_ids, rows, torch.zeros_like(rows)).float()
    if not torch.isfinite(logits).all():
        return  # each request will say so for itself
    if not torch.allclose(logits[0], logits[1], rtol=1e-3, atol=1e-3):
        raise ModelError(
            f"{origin} reads text in both directions: only causal language models can be audited "
            f"by this version."
        )


def find_stop_ids(network: Any, tokenizer: Any) -> frozenset[int]:
    """Return every token that ends a generation: the model's own list and the tokenizer's end."""
    listed = getattr(network.generation_config, "eos_token_id", None)
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(int(one) for one in (*ids, tokenizer.eos_token_id) if one is not None)


def gather_facts(loaded: Loaded, *, kind: str, likelihood_definition: str) -> ModelFacts:
    """Put together what is known of a loaded model."""
    source, network, place = loaded.source, loaded.network, loaded.placement
    adapter = loaded.adapter
    template = loaded.prompt_format.template
    first = next(network.parameters())
    dtype = str(first.dtype).removeprefix("torch.")
    return ModelFacts(
        name=source.name,
        source=source.origin,
        digest=content_id(_identity(loaded, kind)),
        kind=kind,
        architecture=type(network).__name__,
        revision=source.revision,
        parameters=loaded.parameters,
        weight_format=source.weight_format,
        weights=source.weights + (adapter.weights if adapter else ()),
        dtype=f"{place.quantize} (bitsandbytes), else {dtype}" if place.quantize else dtype,
        device=describe_devices(network),
        chat_format=loaded.prompt_format.name,
        chat_template=template,
        context_length=_context_length(network),
        likelihood_definition=likelihood_definition,
        notes=tuple(_notes(loaded)),
        adapter=adapter,
        **known_facts(source.entry, source.folder),
    )


def _identity(loaded: Loaded, kind: str) -> dict[str, Any]:
    """Return all that decides what a model answers; what was not asked for is not in it."""
    source, place, adapter = loaded.source, loaded.placement, loaded.adapter
    first = next(loaded.network.parameters())
    identity: dict[str, Any] = {
        "kind": kind,
        "weights": [weight.sha256 for weight in source.weights],
        "settings": _setting_hashes(source.folder),
        "chat_template": loaded.prompt_format.template,
        "dtype": str(first.dtype).removeprefix("torch."),
        "device": first.device.type,
    }
    if kind != "masked":
        identity["stop_ids"] = sorted(find_stop_ids(loaded.network, loaded.tokenizer))
    if place.quantize:
        identity["quantize"] = place.quantize
    if source.trust.pickle:
        identity["allow_pickle"] = True
    if source.trust.remote_code:
        files = code_files(source.folder)
        code = {str(file.relative_to(source.folder)): sha256_file(file) for file in files}
        identity["trust_remote_code"] = code
    if adapter:
        identity["adapter"] = {
            "kind": adapter.kind,
            "weights": [weight.sha256 for weight in adapter.weights],
            "settings": dict(adapter.settings),
            "applied": adapter.applied,
        }
    if loaded.tokenizer_folder != source.folder:
        identity["tokenizer"] = _setting_hashes(loaded.tokenizer_folder)
    return identity


def _notes(loaded: Loaded) -> Iterator[str]:
    """Yield what a reader of the report must know besides the facts themselves."""
    yield from loaded.source.notes
    yield from loaded.prompt_format.notes
    if loaded.adapter:
        yield from lineage_notes(loaded.adapter)
    if loaded.tokenizer_folder != loaded.source.folder:
        yield "The tokenizer and its chat template are those that come with the adapter."


def _setting_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file beside the weights that decides what is computed."""
    files = {file for pattern in _SETTINGS for file in folder.glob(pattern) if file.is_file()}
    return {file.name: sha256_file(file) for file in sorted(files)}


def _context_length(network: Any) -> int | None:
    """Return how many tokens the network reads at most; None where it does not say."""
    text = network.config.get_text_config(decoder=True)
    for key in _LENGTH_KEYS:
        length = getattr(text, key, None)
        if isinstance(length, int) and length > 0:
            return length - _positions_before_first(network)
    return None


def _positions_before_first(network: Any) -> int:
    """Return how many rows of a position table no token uses: RoBERTa counts from its padding."""
    embeddings = getattr(network.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1
