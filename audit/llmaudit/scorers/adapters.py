"""The toxicity scorer's own weights, and how they change the base they were trained on.

What the project ships is only the difference to all-MiniLM-L6-v2: for every matrix W a pair (a, b)
with W' = W + scale · b · a, every layer's biases and norms, and a two-layer head. Large tensors are
shipped as bytes with one factor per row. Merging happens once, at load, so the scorer costs what
the base costs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmaudit.errors import ScorerError
from llmaudit.scorers.encoder import Encoder, Shape, fixed_encoder

if TYPE_CHECKING:
    import torch

MATRICES = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""The matrices of a layer that carry a difference."""
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
FACTOR = ".factor"
"""Ending of the name of a tensor's row factors; the tensor itself is then of bytes."""


def matrix_names(layers: int) -> list[str]:
    """Return the module names, within the encoder, of every matrix with a difference."""
    return [f"encoder.layer.{i}.{name}" for i in range(layers) for name in MATRICES]


def norm_names(layers: int) -> list[str]:
    """Return the module names of every norm that is replaced."""
    return [f"encoder.layer.{i}.{name}" for i in range(layers) for name in NORMS]


def read_base(folder: Path) -> tuple[dict[str, torch.Tensor], Shape]:
    """Return the base's tensors and shape from ``model.safetensors`` and ``config.json``.

    Raises
    ------
    ScorerError
        If the settings are not those of a BERT encoder.
    """
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = Shape(
            int(config["num_hidden_layers"]),
            int(config["num_attention_heads"]),
            float(config["layer_norm_eps"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScorerError(
            f"{folder / 'config.json'} does not describe a BERT encoder ({error!r}): fetch the "
            "base model again"
        ) from error
    tensors = load_file(str(folder / "model.safetensors"))
    return {key.removeprefix("bert."): value.float() for key, value in tensors.items()}, shape


def expand(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors in float32, those of bytes multiplied by their rows' factors."""
    found = {}
    for name, tensor in tensors.items():
        if not name.endswith(FACTOR):
            factors = tensors.get(name + FACTOR)
            found[name] = tensor.float() if factors is None else tensor.float() * factors.float()
    return found


def compress(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a matrix as bytes and one factor per row, the opposite of :func:`expand`."""
    import torch

    factors = (tensor.abs().amax(1, keepdim=True) / 127).clamp(min=1e-7).half()
    return (tensor / factors.float()).round().clamp(-127, 127).to(torch.int8), factors


def build_encoder(folder: Path, own: Mapping[str, torch.Tensor], scale: float) -> Encoder:
    """Return the base in ``folder`` with the differences in ``own`` merged in.

    Raises
    ------
    ScorerError
        If a tensor is missing, or the differences are for another base.
    """
    tensors, shape = read_base(folder)
    try:
        merge(tensors, own, shape.layers, scale)
        return fixed_encoder(tensors, shape)
    except KeyError as error:
        raise ScorerError(
            f"{folder} or the scorer's own weights lack the tensor {error}"
        ) from error
    except RuntimeError as error:
        raise ScorerError(
            f"the scorer's weights do not fit the base model in {folder}: {error}"
        ) from error


def merge(
    tensors: dict[str, torch.Tensor], own: Mapping[str, torch.Tensor], layers: int, scale: float
) -> None:
    """Add scale · b · a to every matrix and put in the biases and norms of ``own``, in place."""
    import torch

    for name in matrix_names(layers):
        weight = tensors[f"{name}.weight"]
        tensors[f"{name}.weight"] = torch.addmm(
            weight, own[f"{name}.b"], own[f"{name}.a"], alpha=scale
        )
    replaced = [f"{name}.bias" for name in matrix_names(layers)]
    replaced += [f"{name}.{part}" for name in norm_names(layers) for part in ("weight", "bias")]
    for name in replaced:
        if own[name].shape != tensors[name].shape:
            raise RuntimeError(f"{name} has {own[name].shape[0]} values")
        tensors[name] = own[name]


def head_logits(pooled: torch.Tensor, own: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the uncalibrated logits of the head, shape (texts, labels)."""
    from torch.nn.functional import gelu, linear

    hidden = gelu(linear(pooled, own["head.0.weight"], own["head.0.bias"]))
    return linear(hidden, own["head.1.weight"], own["head.1.bias"])
