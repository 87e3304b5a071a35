"""Prefixes that sequences of a batch share: found, and run through the network only once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers.cache_utils import DynamicCache

    from llmaudit.models.forward import CausalNetwork

#: A shorter prefix costs more in an extra pass than it saves.
_WORTHWHILE = 8


def shared_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all sequences share and none of them ends with.

    Every sequence keeps at least one token after the prefix, so that each has a position to read.
    A prefix that is not worth a pass of its own counts as 0.
    """
    if len(sequences) < 2:
        return 0
    common = len(os.path.commonprefix([tuple(sequence) for sequence in sequences]))
    shortest = min(len(sequence) for sequence in sequences)
    length = min(common, shortest - 1)
    return length if length >= _WORTHWHILE else 0


def prefill_prefix(network: CausalNetwork, prefix: Sequence[int], rows: int) -> DynamicCache:
    """Run ``prefix`` once and return its cache repeated for ``rows`` sequences (none: empty)."""
    import torch
    from transformers.cache_utils import DynamicCache

    from llmaudit.models.cache import select_rows

    cache = DynamicCache(config=network.network.config)
    if prefix:
        first = torch.zeros(1, dtype=torch.long, device=network.device)
        network.logits_at(network.pad([prefix], left=True), first, first, cache=cache)
        select_rows(cache, first.expand(rows))
    return cache
