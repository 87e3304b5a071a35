"""Log-probabilities of continuations: sequences run once, only needed positions reach the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from llmaudit.models.forward import CausalNetwork
from llmaudit.models.prefixes import prefill_prefix, shared_prefix
from llmaudit.records import ErrorKind, LikelihoodRequest, RequestError

if TYPE_CHECKING:
    import torch


class ScoredRow(Protocol):
    """A request for a likelihood, and the sum once it is known."""

    error: RequestError | None
    logprob: float | None

    @property
    def request(self) -> LikelihoodRequest:
        """The request."""


@dataclass(eq=False)
class LikelihoodRow:
    """One request: its context and continuation as tokens, and the sum once it is known.

    ``tree`` is the number of the tree that it was planted in, where there are trees.
    """

    request: LikelihoodRequest
    context_ids: tuple[int, ...]
    continuation_ids: tuple[int, ...]
    tree: int = 0
    logprob: float | None = None
    error: RequestError | None = None

    @property
    def input_ids(self) -> tuple[int, ...]:
        """The tokens the network reads: the last one is only ever predicted."""
        return self.context_ids + self.continuation_ids[:-1]


def likelihood_batch(network: CausalNetwork, rows: Sequence[LikelihoodRow]) -> list[LikelihoodRow]:
    """Fill in ``logprob`` = sum of log p(token | everything to its left) over each continuation.

    Rows with the same input (answer choices of one token under one prompt) share one sequence.
    Padding is on the right, where causal attention cannot see it, so no mask is needed and a
    row's numbers are those it would have alone.
    """
    import torch

    sequences = list(dict.fromkeys(row.input_ids for row in rows))
    place = {sequence: index for index, sequence in enumerate(sequences)}
    read: list[tuple[int, int]] = []
    targets: list[int] = []
    spans: list[range] = []
    for row in rows:
        sequence, first = place[row.input_ids], len(row.context_ids) - 1
        spans.append(range(len(targets), len(targets) + len(row.continuation_ids)))
        read += [(sequence, first + offset) for offset in range(len(row.continuation_ids))]
        targets += row.continuation_ids
    with torch.inference_mode():
        logits = _logits(network, sequences, read).float()
        target = torch.tensor(targets, device=network.device).unsqueeze(1)
        chosen = logits.gather(1, target).squeeze(1)
        logprobs = (chosen.double() - logits.logsumexp(dim=1).double()).tolist()
    for row, span in zip(rows, spans, strict=True):
        settle(row, sum(logprobs[index] for index in span))
    return list(rows)


def _logits(
    network: CausalNetwork, sequences: Sequence[tuple[int, ...]], read: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """Return the logits at (sequence, position) pairs; what all sequences share is run once."""
    import torch

    positions = torch.tensor(read, device=network.device)
    rows, columns = positions[:, 0], positions[:, 1]
    stretched = network.stretch is not None and max(map(len, sequences)) > network.stretch
    sharing = network.attention_only and not stretched
    shared = min(shared_prefix(sequences), int(columns.min())) if sharing else 0
    if not shared:
        return network.logits_at(network.pad(sequences, left=False), rows, columns)
    cache = prefill_prefix(network, sequences[0][:shared], rows.new_zeros(len(sequences)))
    input_ids = network.pad([sequence[shared:] for sequence in sequences], left=False)
    steps = torch.arange(shared, shared + input_ids.shape[1], device=network.device)
    return network.logits_at(
        input_ids,
        rows,
        columns - shared,
        positions=steps.expand(len(sequences), -1),
        cache=cache,
    )


def settle(row: ScoredRow, total: float) -> None:
    """Store a finite sum; anything else is a recorded error."""
    import math

    if math.isfinite(total):
        row.logprob = total
    else:
        message = f"the log-probability of choice {row.request.choice!r} is {total}"
        row.error = RequestError(ErrorKind.NAN_LOGITS, message)
