"""Builds a Detoxify network from a checkpoint and its base, by the library, once all parts fit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ScorerError
from llmaudit.scorers.detoxify_checkpoint import Checkpoint
from llmaudit.scorers.detoxify_variants import VARIANTS, Variant
from llmaudit.scorers.encoder import Product

if TYPE_CHECKING:
    import torch

_KINDS = {"Bert": "bert", "Roberta": "roberta", "XLMRoberta": "xlm-roberta", "Albert": "albert"}
_LEFT_OUT = re.compile(
    r".*embeddings\.(position_ids|token_type_ids)|(roberta|bert)\.pooler\.dense\.(weight|bias)"
)
"""What old checkpoints hold and today's networks do not."""


def check_variant(content: Checkpoint, variant: Variant, path: Path, folder: Path) -> None:
    """Refuse a checkpoint of another variant, and a base of another kind.

    Raises
    ------
    ScorerError
        With what it is and what was expected.
    """
    kind, asked = variant.base.kind, content.architecture
    expected = {
        "model_name": f"{kind}ForSequenceClassification",
        "tokenizer_name": f"{kind}Tokenizer",
    }
    for key, value in expected.items():
        if asked[key] != value:
            raise ScorerError(
                f"{path} asks for {key} {asked[key][:80]!r}; this variant of detoxify uses {value}"
            )
    known = {one.base.name for one in VARIANTS.values()}
    if asked["model_type"] in known - {variant.base.name}:
        raise ScorerError(
            f"{path} was made from {asked['model_type']}; this variant of detoxify from "
            f"{variant.base.name}"
        )
    missing = [label for label in variant.labels if label not in content.classes]
    if "toxicity" in missing:
        raise ScorerError(f"{path} has no toxicity class, only {', '.join(content.classes)}")
    if "sexual_explicit" in content.classes and "sexual_explicit" not in variant.labels:
        raise ScorerError(
            f"{path} has the classes of detoxify's unbiased variants, and {variant.file} has not: "
            f"ask for the scorer of the variant that it is"
        )
    found = _read_config(folder).get("model_type")
    if found != _KINDS[kind]:
        raise ScorerError(
            f"{folder / 'config.json'} describes a model of type {found!r:.80}; {path} was made "
            f"from {variant.base.name}, of type {_KINDS[kind]!r}"
        )


def _read_config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ScorerError(f"{path} cannot be read ({error}): fetch it again") from error
    return found if isinstance(found, dict) else {}


def build_network(content: Checkpoint, path: Path, folder: Path) -> tuple[Any, Any, int]:
    """Return network, tokenizer and the most word pieces they read at once.

    The detoxify library builds them, from the checked parts.

    Raises
    ------
    ScorerError
        If the parts do not fit each other.
    """
    from detoxify.detoxify import get_model_and_tokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        state = _fitting_state(content, folder)
        arguments = {**content.architecture, "model_type": str(folder)}
        model, tokenizer = get_model_and_tokenizer(**arguments, state_dict=state)
    except (OSError, TypeError, ValueError, RuntimeError, KeyError) as error:
        raise ScorerError(f"{path} does not fit the network of {folder}: {error}") from error
    return model.float().eval(), tokenizer, _longest(model, tokenizer)


def _fitting_state(content: Checkpoint, folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors that the network has; ValueError unless it gets each in its shape.

    The library would set a tensor that is missing to random numbers.
    """
    import torch
    import transformers

    network = getattr(transformers, content.architecture["model_name"])
    outputs = content.architecture["num_classes"]
    config = network.config_class.from_pretrained(str(folder), num_labels=outputs)
    with torch.device("meta"):
        expected = {name: one.shape for name, one in network(config).state_dict().items()}
    found = {
        name: one
        for name, one in content.state.items()
        if name in expected or not _LEFT_OUT.fullmatch(name)
    }
    wrong = [
        *(f"{name} is missing" for name in expected if name not in found),
        *(f"{name[:100]!r} is unknown" for name in found if name not in expected),
        *(
            f"{name} has the shape {tuple(one.shape)}, not {tuple(expected[name])}"
            for name, one in found.items()
            if name in expected and one.shape != expected[name]
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError("; ".join(wrong[:3]) + more)
    return found


def _longest(model: Any, tokenizer: Any) -> int:
    """Return how many word pieces one window holds, special ones included."""
    positions = int(model.config.max_position_embeddings)
    reserved = 2 if "roberta" in model.config.model_type else 0
    return int(min(tokenizer.model_max_length, positions - reserved))


class _Widened:
    """A product in bfloat16 that takes and gives float32."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self._product(rows.bfloat16()).float()


def pack_network(model: Any, *, narrow: bool) -> None:
    """Let every matrix product be made from weights in oneDNN's own order; drop the others."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module.bias is not None:
            product = Product(module.weight.data, module.bias.data, narrow=narrow, packed=True)
            module.forward = _Widened(product) if narrow else product  # type: ignore[assignment]
            module.weight.data = torch.empty(0)
