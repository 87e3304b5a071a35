"""Prefixes that sequences of a batch share: found, and run through the network only once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers.cache_utils import DynamicCache

    from llmaudit.models.forward import CausalNetwork

#: What one more pass through the network costs, in positions: an estimate, never measured.
PASS_COST = 20


def common_length(sequences: Collection[tuple[int, ...]]) -> int:
    """Return how many leading tokens all sequences share."""
    low, high = min(sequences), max(sequences)  # whatever these share, those between share too
    for index, (left, right) in enumerate(zip(low, high, strict=False)):
        if left != right:
            return index
    return len(low)


def worthwhile_prefix(common: int, shortest: int, rows: int) -> int:
    """Return how many of the leading tokens that ``rows`` sequences have in common to run once.

    Every sequence keeps at least one token after the prefix, so that each has a position to read.
    A prefix that saves no more than the pass of its own costs counts as 0.
    """
    length = min(common, shortest - 1)
    return length if length * (rows - 1) > PASS_COST else 0


def shared_prefix(sequences: Collection[tuple[int, ...]]) -> int:
    """Return how many leading tokens of the sequences are worth running once for all of them."""
    shortest = min(map(len, sequences))
    return worthwhile_prefix(common_length(sequences), shortest, len(sequences))


def prefill_prefix(
    network: CausalNetwork, prefix: Sequence[int], shifts: torch.Tensor
) -> DynamicCache:
    """Run ``prefix`` once and return its cache repeated for sequences, each moved by its shift.

    Parameters
    ----------
    network : CausalNetwork
    prefix : sequence of int
        May be empty; so is the cache then.
    shifts : Tensor of int64, shape (rows,)
        Columns of padding before each sequence; see :func:`llmaudit.models.cache.repeat_prefix`.
    """
    import torch
    from transformers.cache_utils import DynamicCache

    from llmaudit.models.cache import repeat_prefix

    cache = DynamicCache(config=network.network.config)
    if prefix:
        first = torch.zeros(1, dtype=torch.long, device=network.device)
        network.logits_at(network.pad([prefix], left=True), first, first, cache=cache)
        repeat_prefix(cache, shifts)
    return cache
