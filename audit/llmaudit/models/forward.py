"""One forward pass of a transformers causal model, with only the needed rows at the output head."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError

if TYPE_CHECKING:
    import torch


class CausalNetwork:
    """A loaded causal network and what must be known to call it.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        In evaluation mode.
    stop_ids : frozenset of int
        Tokens that end a generation.

    Attributes
    ----------
    vocabulary : int
        Numbers per position that the output head gives.
    attention_only : bool
        True where a layer remembers keys and values only. Then rows may be padded on the left and
        share a prefix; a recurrent state would take up the padding, and few go on from a state
        with more than one token.
    window : int or None
        The fewest tokens that a layer of the network looks back on; None without such a layer.

    Raises
    ------
    ModelError
        If the network has no output head of its own, or no cache to go on from.
    """

    def __init__(self, network: Any, *, stop_ids: frozenset[int]) -> None:
        from llmaudit.models.cache import describe_layers

        accepted = inspect.signature(network.forward).parameters
        head = network.get_output_embeddings()
        if head is None or "past_key_values" not in accepted:
            raise ModelError(
                f"{type(network).__name__} cannot be audited by this version: it has "
                f"{'no output head' if head is None else 'no key-value cache'} of the usual form."
            )
        self.network = network
        self.stop_ids = stop_ids
        self.device = next(network.parameters()).device
        self.vocabulary = int(head.weight.shape[0])
        self.attention_only, self.window = describe_layers(network.config)
        self._takes_positions = "position_ids" in accepted

    @contextmanager
    def _head_sees(self, rows: torch.Tensor, columns: torch.Tensor) -> Iterator[list[None]]:
        """Let only hidden states [rows, columns] reach the output head, as one row of positions.

        A vocabulary is far wider than a hidden state, so the head is a large part of the work
        and its output nearly all of the memory. Whatever the architecture does after its head
        (scaling, soft caps) still happens, because its own forward runs on. The list that is
        given grows by one when the head is reached.
        """
        reached: list[None] = []

        def gather(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            reached.append(None)
            return (inputs[0][rows, columns].unsqueeze(0), *inputs[1:])

        handle = self.network.get_output_embeddings().register_forward_pre_hook(gather)
        try:
            yield reached
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
        with self._head_sees(rows, columns) as reached:
            output = self.network(
                input_ids=input_ids,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=cache is not None,
                **extra,
            )
        logits: torch.Tensor = output.logits
        return logits[0] if reached else logits[rows, columns]

    def pad(self, sequences: Sequence[Sequence[int]], *, left: bool) -> torch.Tensor:
        """Return token ids as one tensor, shape (len(sequences), longest), padded on one side.

        A row is padded with its own first token: what a masked position holds has no weight, but
        no weight times NaN is NaN, so a foreign token with a broken embedding would spoil the row.
        """
        import torch

        width = max(len(sequence) for sequence in sequences)
        padded = []
        for sequence in sequences:
            filling = [sequence[0]] * (width - len(sequence))
            padded.append([*filling, *sequence] if left else [*sequence, *filling])
        return torch.tensor(padded, dtype=torch.long, device=self.device)
