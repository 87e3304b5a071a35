"""A folder of weights -> a causal network, its tokenizer and its facts, each checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError
from llmaudit.fetching import sha256_file
from llmaudit.models.causal import LIKELIHOOD_DEFINITION
from llmaudit.models.sources import ModelSource
from llmaudit.records import ModelFacts, content_id

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
_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def read_config(source: ModelSource) -> dict[str, Any]:
    """Read config.json and refuse what would need foreign code or is no causal model.

    Raises
    ------
    ModelError
    """
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


def read_tokenizer(source: ModelSource) -> Any:
    """Load the tokenizer of a folder.

    Raises
    ------
    ModelError
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            source.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(f"the tokenizer of {source.origin} cannot be loaded: {error}") from error


def read_network(source: ModelSource, dtype: str, device: str) -> Any:
    """Load the network of a folder in evaluation mode.

    Raises
    ------
    ModelError
        If it cannot be loaded, or weights are missing, which would be filled with random numbers.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.folder,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
        network, loading = loaded
        network = network.to(device).eval()
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


def gather_facts(
    source: ModelSource, causal: CausalNetwork, tokenizer: Any, dtype: str, parameters: int
) -> ModelFacts:
    """Put together what is known of a loaded model.

    Raises
    ------
    ModelError
        If the tokenizer has several chat templates and none by default.
    """
    template = _chat_template(tokenizer, source.origin)
    identity = {
        "kind": "causal",
        "weights": [weight.sha256 for weight in source.weights],
        "settings": _setting_hashes(source.folder),
        "chat_template": template,
        "stop_ids": sorted(causal.stop_ids),
        "dtype": dtype,
        "device": causal.device.type,
    }
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
        device=str(causal.device),
        chat_format="the tokenizer's chat template" if template else "plain text",
        chat_template=template,
        context_length=_context_length(causal.network.config),
        likelihood_definition=LIKELIHOOD_DEFINITION,
        notes=source.notes,
        **_registry_facts(source),
    )


def _chat_template(tokenizer: Any, origin: str) -> str:
    """Return the template that chats are written with; empty for a base model."""
    if not tokenizer.chat_template:
        return ""
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:
        raise ModelError(
            f"{origin} has several chat templates and none by default: {error}"
        ) from error


def _setting_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file beside the weights that decides what is computed."""
    files = {file for pattern in _SETTINGS for file in folder.glob(pattern) if file.is_file()}
    return {file.name: sha256_file(file) for file in sorted(files)}


def _context_length(config: Any) -> int | None:
    """Return how many tokens the network reads at most; None where it does not say."""
    text = config.get_text_config(decoder=True)
    for key in _LENGTH_KEYS:
        if isinstance(length := getattr(text, key, None), int):
            return length
    return None


def _registry_facts(source: ModelSource) -> dict[str, Any]:
    """Return what the registry says of the model, in the words of its facts."""
    entry = source.entry
    if entry is None:
        return {}
    found: dict[str, Any] = {"family": entry.family}
    if entry.licence:
        found["licence"] = entry.licence.value
    if entry.languages:
        found["languages"] = entry.languages.value
    if entry.training_data:
        found["training_data"] = entry.training_data.value
        found["training_data_source"] = str(entry.training_data.source)
    return found
