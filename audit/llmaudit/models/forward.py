"""One forward pass of a transformers causal model, with only the needed rows at the output head."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class CausalNetwork:
    """A loaded causal network and what must be known to call it.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        In evaluation mode.
    pad_id : int
        Any token id: padded positions are masked out or come after every position that is read.
    stop_ids : frozenset of int
        Tokens that end a generation.
    """

    def __init__(self, network: Any, *, pad_id: int, stop_ids: frozenset[int]) -> None:
        self.network = network
        self.pad_id = pad_id
        self.stop_ids = stop_ids
        self.device = next(network.parameters()).device
        self.vocabulary = int(network.get_output_embeddings().weight.shape[0])
        accepted = inspect.signature(network.forward).parameters
        self._takes_positions = "position_ids" in accepted

    @contextmanager
    def _head_sees(self, rows: torch.Tensor, columns: torch.Tensor) -> Iterator[None]:
        """Let only hidden states [rows, columns] reach the output head, as one row of positions.

        A vocabulary is far wider than a hidden state, so the head is a large part of the work
        and its output nearly all of the memory. Whatever the architecture does after its head
        (scaling, soft caps) still happens, because its own forward runs on.
        """

        def gather(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            return (inputs[0][rows, columns].unsqueeze(0), *inputs[1:])

        handle = self.network.get_output_embeddings().register_forward_pre_hook(gather)
        try:
            yield
        finally:
            handle.remove()

    def logits_at(
        self,
        input_ids: torch.Tensor,
        rows: torch.Tensor,
        columns: torch.Tensor,
        *,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        cache: Any = None,
    ) -> torch.Tensor:
        """Run the network and return the logits at the given positions only.

        Parameters
        ----------
        input_ids : Tensor of int64, shape (batch, length)
        rows, columns : Tensor of int64, shape (n,)
            The positions to read.
        mask : Tensor of int64, shape (batch, cached + length), optional
            1 for real tokens. None when no real token can see a padded one.
        positions : Tensor of int64, shape (batch, length), optional
            Given to architectures that take them.
        cache : transformers Cache, optional
            Filled in place.

        Returns
        -------
        Tensor of float, shape (n, vocabulary)
        """
        extra: dict[str, Any] = {}
        if positions is not None and self._takes_positions:
            extra["position_ids"] = positions
        with self._head_sees(rows, columns):
            output = self.network(
                input_ids=input_ids,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=cache is not None,
                **extra,
            )
        logits: torch.Tensor = output.logits[0]
        return logits

    def pad(self, sequences: Sequence[Sequence[int]], *, left: bool) -> torch.Tensor:
        """Return token ids as one tensor, shape (len(sequences), longest), padded on one side."""
        import torch

        width = max(len(sequence) for sequence in sequences)
        padded = [
            [self.pad_id] * (width - len(sequence)) + list(sequence)
            if left
            else list(sequence) + [self.pad_id] * (width - len(sequence))
            for sequence in sequences
        ]
        return torch.tensor(padded, dtype=torch.long, device=self.device)
