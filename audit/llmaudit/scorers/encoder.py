"""A small BERT encoder without padding: a text scores the same alone and in company.

The tokens of all texts lie behind one another in one matrix; only attention looks at texts of equal
length together. Products are made by oneDNN from weights in its own order, in bfloat16 where the
processor has instructions for it, and by PyTorch's plain float32 product where oneDNN is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the weights do not tell: layers, heads, and the norms' smallest variance."""

    layers: int
    heads: int
    eps: float


class Product:
    """A matrix and a bias, ready to multiply rows by.

    Parameters
    ----------
    weight, bias : Tensor of float32
        Of a linear layer.
    narrow : bool
        Multiply in bfloat16.
    packed : bool
        Multiply by oneDNN from weights in its own order.
    """

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, *, narrow: bool, packed: bool
    ) -> None:
        import torch

        kind = torch.bfloat16 if narrow else torch.float32
        self._packed, self._bias = packed, bias.to(kind)
        self._weight = weight.to(kind)
        if packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, None)

    def __call__(self, rows: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        """Return ``rows`` times the transposed matrix plus the bias, through GELU if asked."""
        import torch

        if self._packed:
            name, algorithm = ("gelu", "none") if gelu else ("none", "")
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                rows, self._weight, self._bias, name, [], algorithm
            )
            return product
        product = torch.nn.functional.linear(rows, self._weight, self._bias)
        return torch.nn.functional.gelu(product) if gelu else product


class Multiplier(Protocol):
    """Multiplies rows by a matrix and adds a bias: :class:`Product`, or one that is trained."""

    def __call__(self, rows: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        """Return the product, through GELU if asked."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: query, key and value as one product, and what follows them."""

    attention: Multiplier
    output: Multiplier
    norm: Pair
    widen: Multiplier
    shrink: Multiplier
    last_norm: Pair


class Encoder:
    """A BERT encoder that turns token ids into one vector per text.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        At least the embeddings and their norm, by the names of ``transformers.BertModel``.
    layers : sequence of Layer
    shape : Shape
    narrow : bool
        Whether the layers work in bfloat16.
    """

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        layers: Sequence[Layer],
        shape: Shape,
        *,
        narrow: bool,
    ) -> None:
        self._layers, self._shape, self._narrow = layers, shape, narrow
        self._words = tensors["embeddings.word_embeddings.weight"]
        self._places = (
            tensors["embeddings.position_embeddings.weight"]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._first_norm = pair(tensors, "embeddings.LayerNorm")

    def pooled(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the first, the mean and the largest of every text's last states, side by side.

        Parameters
        ----------
        rows : sequence of sequences of int
            Token ids with their special tokens; fastest where texts of one length are neighbours.

        Returns
        -------
        Tensor of float32, shape (texts, 3 * width)
        """
        import torch

        groups = list(_groups(rows))
        states = self._embed(rows)
        for layer in self._layers:
            states = self._apply(layer, states, groups)
        parts = [
            pool_states(states[start : start + count * length].reshape(count, length, -1))
            for start, count, length in groups
        ]
        return torch.cat(parts)

    def _embed(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        import torch

        ids = torch.tensor([one for row in rows for one in row])
        places = torch.tensor([place for row in rows for place in range(len(row))])
        states = self._norm(self._words[ids] + self._places[places], self._first_norm)
        return states.bfloat16() if self._narrow else states

    def _apply(
        self, layer: Layer, states: torch.Tensor, groups: Sequence[tuple[int, int, int]]
    ) -> torch.Tensor:
        import torch

        mixed, seen = layer.attention(states), []
        width = states.shape[1] // self._shape.heads
        for start, count, length in groups:
            end = start + count * length
            split = mixed[start:end].view(count, length, 3, self._shape.heads, width)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            weights = (query @ key.transpose(2, 3) * width**-0.5).softmax(-1)
            seen.append((weights @ value).transpose(1, 2).reshape(count * length, -1))
        states = self._norm(states + layer.output(torch.cat(seen)), layer.norm)
        inner = layer.shrink(layer.widen(states, gelu=True))
        return self._norm(states + inner, layer.last_norm)

    def _norm(self, states: torch.Tensor, norm: Pair) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        weight, bias = (one.to(states.dtype) for one in norm)
        return layer_norm(states, (states.shape[-1],), weight, bias, self._shape.eps)


def fixed_encoder(
    tensors: Mapping[str, torch.Tensor],
    shape: Shape,
    *,
    narrow: bool | None = None,
    packed: bool | None = None,
) -> Encoder:
    """Return an encoder that is not trained any more.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        All weights by the names of ``transformers.BertModel``, in float32.
    shape : Shape
    narrow, packed : bool, optional
        How to multiply (see :class:`Product`); what suits this machine by default.

    Raises
    ------
    KeyError
        If a tensor is missing.
    """
    packs = can_pack() if packed is None else packed
    halves = packs and multiplies_narrow() if narrow is None else narrow

    def product(names: Sequence[str]) -> Product:
        import torch

        weights, biases = zip(*(pair(tensors, name) for name in names), strict=True)
        return Product(torch.cat(weights), torch.cat(biases), narrow=halves, packed=packs)

    layers = build_layers(shape.layers, product, lambda name: pair(tensors, name))
    return Encoder(tensors, layers, shape, narrow=halves)


def build_layers(
    count: int, product: Callable[[Sequence[str]], Multiplier], norm: Callable[[str], Pair]
) -> list[Layer]:
    """Return the layers, given what makes a product of named matrices and a norm of a name."""
    attention = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))
    return [
        Layer(
            product([at + name for name in attention]),
            product([f"{at}attention.output.dense"]),
            norm(f"{at}attention.output.LayerNorm"),
            product([f"{at}intermediate.dense"]),
            product([f"{at}output.dense"]),
            norm(f"{at}output.LayerNorm"),
        )
        for at in (f"encoder.layer.{i}." for i in range(count))
    ]


def pool_states(states: torch.Tensor) -> torch.Tensor:
    """Return the first, the mean and the largest state of each text, in float32.

    Parameters
    ----------
    states : Tensor, shape (texts, tokens, width)

    Returns
    -------
    Tensor of float32, shape (texts, 3 * width)
    """
    import torch

    states = states.float()
    return torch.cat((states[:, 0], states.mean(1), states.amax(1)), dim=1)


def can_pack() -> bool:
    """Say whether oneDNN is here and multiplies right: its operators are no public interface."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    weight = torch.linspace(-1, 1, 40 * 24).reshape(40, 24)
    rows, bias = torch.linspace(-2, 2, 7 * 24).reshape(7, 24), torch.linspace(0, 1, 40)
    ways = [Product(weight, bias, narrow=False, packed=False)]
    with torch.inference_mode():
        try:
            ways.append(Product(weight, bias, narrow=False, packed=True))
            plain, other = (way(rows, gelu=True) for way in ways)
        except (AttributeError, RuntimeError):
            return False
    return torch.allclose(plain, other, rtol=1e-4, atol=1e-5)


def multiplies_narrow() -> bool:
    """Say whether this processor has instructions for products of bfloat16."""
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def pair(tensors: Mapping[str, torch.Tensor], name: str) -> Pair:
    """Return the weight and the bias of a module."""
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"]


def _groups(rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (first token, texts, tokens per text) for neighbours of equal length."""
    start = 0
    for length, found in groupby(rows, key=len):
        count = len(list(found))
        yield start, count, length
        start += count * length
