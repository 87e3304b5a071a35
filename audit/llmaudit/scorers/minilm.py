"""A small BERT encoder with low-rank adapters merged in, and the head that reads it.

The base is all-MiniLM-L6-v2. What the project ships is only the difference: for every adapted
matrix W a pair (a, b) with W' = W + scale · b · a, and a two-layer head on the mean and the maximum
of the last token states. Merging happens once, at load, so the scorer costs what the base costs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ScorerError

if TYPE_CHECKING:
    import torch

ADAPTED = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""The matrices of a layer that carry an adapter."""


def adapter_names(layers: int) -> list[str]:
    """Return the module names, within the encoder, of every adapted matrix."""
    return [f"encoder.layer.{i}.{name}" for i in range(layers) for name in ADAPTED]


def spell_out(text: str) -> str:
    r"""Return the text in compatibility form (NFKC) with pictographs replaced by their names.

    The base's vocabulary has almost no emoji; their Unicode names are words it knows.

    Examples
    --------
    >>> spell_out("you \N{PILE OF POO}")
    'you  pile of poo '
    """
    if text.isascii():
        return text
    out = []
    for char in unicodedata.normalize("NFKC", text):
        if ord(char) > 0x2100 and unicodedata.category(char) == "So":
            name = unicodedata.name(char, "symbol").lower()
            out.append(f" {name.removesuffix(' face').replace('face with ', '')} ")
        else:
            out.append(char)
    return "".join(out)


def load_encoder(folder: Path) -> Any:
    """Return the base encoder from ``config.json`` and ``model.safetensors`` in ``folder``.

    Raises
    ------
    ScorerError
        If a tensor of the encoder is missing from the file.
    """
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    config = BertConfig.from_json_file(str(folder / "config.json"))
    encoder = BertModel(config, add_pooling_layer=False)
    tensors = {
        key.removeprefix("bert."): value
        for key, value in load_file(str(folder / "model.safetensors")).items()
    }
    missing = encoder.load_state_dict(tensors, strict=False).missing_keys
    if missing:
        raise ScorerError(
            f"{folder / 'model.safetensors'} lacks {len(missing)} tensors of the encoder "
            f"({missing[0]}, ...): fetch the base model again"
        )
    encoder.train(False)
    return encoder


def merge_adapters(encoder: Any, tensors: Mapping[str, torch.Tensor], scale: float) -> None:
    """Add scale · b · a to every matrix of ``encoder`` that has a pair in ``tensors``, in place."""
    import torch

    with torch.no_grad():
        for name in adapter_names(encoder.config.num_hidden_layers):
            if f"{name}.a" in tensors:
                a, b = tensors[f"{name}.a"].float(), tensors[f"{name}.b"].float()
                encoder.get_submodule(name).weight += scale * (b @ a)


def pool_states(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean and the maximum over the unmasked tokens, side by side.

    Parameters
    ----------
    states : Tensor of float, shape (batch, tokens, width)
    mask : Tensor of int, shape (batch, tokens)

    Returns
    -------
    Tensor of float32, shape (batch, 2 * width)
    """
    import torch

    states, kept = states.float(), mask.unsqueeze(-1).bool()
    mean = states.masked_fill(~kept, 0.0).sum(1) / kept.sum(1)
    largest = states.masked_fill(~kept, -1e4).amax(1)
    return torch.cat((mean, largest), dim=1)


def head_logits(pooled: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the uncalibrated logits of the head, shape (batch, labels)."""
    from torch.nn.functional import gelu, linear

    hidden = gelu(linear(pooled, tensors["head.0.weight"].float(), tensors["head.0.bias"].float()))
    return linear(hidden, tensors["head.1.weight"].float(), tensors["head.1.bias"].float())
