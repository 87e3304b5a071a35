"""The encoder of the embedded toxicity scorer as it is trained: low-rank differences, in bfloat16.

The base's matrices are frozen and each gets a trainable difference ``scale · b · a``. Before every
step base and difference are merged, rounded to bfloat16 and put into oneDNN's order, once as they
are (for the forward pass) and once transposed (for the backward pass): on a processor with bfloat16
instructions that is several times as fast as float32. Only gradients of ``a``, ``b``, the biases,
the layer norms and the head are computed. Used by ``train_toxicity.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import linear

from llmaudit.scorers.adapters import head_logits
from llmaudit.scorers.encoder import Encoder, Shape, build_layers, pair


class _Trained(torch.autograd.Function):
    """Rows times merged matrices, with gradients for the rows and every a, b and bias."""

    @staticmethod
    def forward(ctx: Any, rows: Any, joint: JointMatrix, *own: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, *own)
        ctx.joint = joint
        bias = torch.cat(own[2::3]).to(rows.dtype)
        return _multiply(rows, joint.ahead, bias)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        rows, *own = ctx.saved_tensors
        joint, grad = ctx.joint, grads[0].contiguous()
        found: list[torch.Tensor] = []
        parts = grad.split([bias.shape[0] for bias in own[2::3]], dim=1)
        for part, a, b in zip(parts, own[0::3], own[1::3], strict=True):
            low, low_grad = linear(rows, a.to(rows.dtype)), part @ b.to(rows.dtype)
            found.append(joint.scale * (low_grad.T @ rows).float())
            found.append(joint.scale * (part.T @ low).float())
            found.append(part.float().sum(0))
        return _multiply(grad, joint.back, None), None, *found


def _multiply(rows: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return product


class JointMatrix:
    """Frozen matrices with the same input, each with its trainable difference and bias."""

    def __init__(
        self, named: Mapping[str, tuple[torch.Tensor, torch.Tensor]], rank: int, scale: float
    ) -> None:
        self.scale = scale
        self._frozen = [weight for weight, _ in named.values()]
        self.own: dict[str, torch.Tensor] = {}
        for name, (weight, bias) in named.items():
            start = torch.randn(rank, weight.shape[1]) / math.sqrt(rank)
            self.own[f"{name}.a"] = torch.nn.Parameter(start)
            self.own[f"{name}.b"] = torch.nn.Parameter(torch.zeros(weight.shape[0], rank))
            self.own[f"{name}.bias"] = torch.nn.Parameter(bias.clone())
        self.ahead = self.back = torch.empty(0)
        self.pack()

    def pack(self) -> None:
        """Merge bases and differences and put them into oneDNN's order, both ways."""
        own = list(self.own.values())
        pairs = zip(self._frozen, own[0::3], own[1::3], strict=True)
        with torch.no_grad():
            merged = [torch.addmm(weight, b, a, alpha=self.scale) for weight, a, b in pairs]
            narrow = torch.cat(merged).bfloat16()
            self.ahead = torch.ops.mkldnn._reorder_linear_weight(narrow, None)
            self.back = torch.ops.mkldnn._reorder_linear_weight(narrow.T.contiguous(), None)

    def __call__(self, rows: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        """Return the product, through GELU if asked."""
        product: torch.Tensor = _Trained.apply(rows, self, *self.own.values())  # type: ignore[no-untyped-call]
        return torch.nn.functional.gelu(product) if gelu else product


class Network:
    """Encoder and head in training.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The base's weights, as ``read_base`` returns them.
    shape : Shape
    rank : int
        Rank of every difference.
    scale : float
        Factor of the product b · a.
    hidden, labels : int
        Width of the head's hidden layer and its number of outputs.
    """

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        shape: Shape,
        *,
        rank: int,
        scale: float,
        hidden: int,
        labels: int,
    ) -> None:
        self._matrices: list[JointMatrix] = []
        self._norms: dict[str, torch.Tensor] = {}

        def product(names: Sequence[str]) -> JointMatrix:
            joint = JointMatrix({name: pair(tensors, name) for name in names}, rank, scale)
            self._matrices.append(joint)
            return joint

        def norm(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            weight, bias = (torch.nn.Parameter(one.clone()) for one in pair(tensors, name))
            self._norms |= {f"{name}.weight": weight, f"{name}.bias": bias}
            return weight, bias

        layers = build_layers(shape.layers, product, norm)
        self._encoder = Encoder(tensors, layers, shape, narrow=True)
        width = tensors["embeddings.LayerNorm.weight"].shape[0]
        self._head = new_head(3 * width, hidden, labels)

    def parameters(self) -> dict[str, torch.Tensor]:
        """Return everything that is trained, by the names under which it is shipped."""
        found = self._head | self._norms
        for joint in self._matrices:
            found |= joint.own
        return found

    def pack(self) -> None:
        """Renew the packed matrices after a step of the optimiser."""
        for joint in self._matrices:
            joint.pack()

    def logits(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the head's outputs for token ids with their special tokens, (texts, labels)."""
        return head_logits(self._encoder.pooled(rows), self._head)


def new_head(width: int, hidden: int, labels: int) -> dict[str, torch.Tensor]:
    """Return a freshly initialised head on the pooled states."""
    shapes = {"head.0": (hidden, width), "head.1": (labels, hidden)}
    head: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        head[f"{name}.weight"] = torch.nn.Parameter(torch.randn(shape) / math.sqrt(shape[1]))
        head[f"{name}.bias"] = torch.nn.Parameter(torch.zeros(shape[0]))
    return head
