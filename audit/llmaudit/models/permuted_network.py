"""One forward pass of XLNet: tokens read in any order, predictions at the positions asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError
from llmaudit.models.forward import head_sees, pad_rows

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class RankedText:
    """A text and the order in which its tokens are predicted.

    ``ranks`` has one number per token: 0 for tokens that are given, which all tokens see; from 1
    on, each is predicted from the tokens of lower rank. What is known of tokens of the same or
    higher rank is only that there are positions.
    """

    ids: tuple[int, ...]
    ranks: tuple[int, ...]


class PermutedNetwork:
    """A loaded XLNet and what must be known to call it.

    Parameters
    ----------
    network : transformers.XLNetLMHeadModel
        In evaluation mode. Its ``mem_len`` and ``reuse_len`` are switched off, which would cut
        what it remembers of a text.
    stop_ids : frozenset of int
        Tokens that end a generation.

    Raises
    ------
    ModelError
        If it was configured for one direction, or for a batch whose halves run in opposite ones.
    """

    def __init__(self, network: Any, *, stop_ids: frozenset[int]) -> None:
        body: Any = getattr(network, "transformer", None)
        if getattr(body, "attn_type", None) != "bi" or body.bi_data:
            raise ModelError(
                f"{type(network).__name__} cannot be audited by this version: it is no XLNet with "
                f"attn_type 'bi' and bi_data false, as every published one is."
            )
        body.mem_len = body.reuse_len = None
        head = network.get_output_embeddings().weight
        # transformers loads the weights of the attention in float32 whatever it is asked for.
        self.network = network.to(head.dtype)
        self.stop_ids = stop_ids
        self.device, self.dtype = head.device, head.dtype
        self.vocabulary = int(head.shape[0])
        # Distances are encoded in float32 and multiplied with weights of another type.
        body.dropout.register_forward_hook(lambda _module, _inputs, out: out.to(self.dtype))

    def logits_at(
        self, texts: Sequence[RankedText], read: Sequence[tuple[int, int]]
    ) -> torch.Tensor:
        """Run the network and return the predictions at (text, position) pairs, in float32.

        Padding is on the right and outranks every token, so nothing sees it.

        Returns
        -------
        Tensor of float32, shape (len(read), vocabulary)
        """
        import torch

        input_ids = pad_rows([text.ids for text in texts], self.device, left=False)
        width = input_ids.shape[1]
        ranks = torch.tensor(
            [[*text.ranks, *[width + 1] * (width - len(text.ids))] for text in texts],
            device=self.device,
        )
        hidden = (ranks.unsqueeze(1) > 0) & (ranks.unsqueeze(1) >= ranks.unsqueeze(2))
        rows, slots, positions = _targets(read, len(texts))
        mapping = torch.zeros(len(texts), max(slots) + 1, width, dtype=self.dtype)
        mapping[rows, slots, positions] = 1
        found, _ = self._run(input_ids, hidden, mapping, (rows, slots))
        return found

    def begin(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Read prompts of equal length; return the logits of what follows and the memory.

        Returns
        -------
        logits : Tensor of float32, shape (len(prompts), vocabulary)
        memory : list of Tensor, each of shape (length, len(prompts), width)
            What every layer reads of the tokens so far.
        """
        import torch

        ids = torch.tensor([[*prompt, prompt[0]] for prompt in prompts], device=self.device)
        return self._next(ids, None)

    def go_on(
        self, chosen: torch.Tensor, memory: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Read one more token per row; return the logits of the next and the longer memory."""
        return self._next(chosen.unsqueeze(1).repeat(1, 2), memory)

    def _next(
        self, input_ids: torch.Tensor, memory: list[torch.Tensor] | None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Predict the last token of each row, which stands for one to come and which none sees."""
        import torch

        rows, width = input_ids.shape
        hidden = torch.zeros(rows, width, width, dtype=torch.bool, device=self.device)
        hidden[:, :, -1] = True
        mapping = torch.zeros(rows, 1, width, dtype=self.dtype)
        mapping[:, 0, -1] = 1
        read = (list(range(rows)), [0] * rows)
        logits, longer = self._run(input_ids, hidden, mapping, read, memory=memory, remember=True)
        return logits, [states[:-1] for states in longer]

    def _run(
        self,
        input_ids: torch.Tensor,
        hidden: torch.Tensor,
        mapping: torch.Tensor,
        read: tuple[list[int], list[int]],
        *,
        memory: list[torch.Tensor] | None = None,
        remember: bool = False,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        import torch

        rows, slots = (torch.tensor(one, device=self.device) for one in read)
        with torch.inference_mode(), head_sees(self.network, rows, slots):
            output = self.network(
                input_ids=input_ids,
                perm_mask=hidden.to(self.dtype),
                target_mapping=mapping.to(self.device),
                mems=memory,
                use_mems=remember,
            )
        return output.logits[0].float(), list(output.mems or ())


def _targets(read: Sequence[tuple[int, int]], texts: int) -> tuple[list[int], list[int], list[int]]:
    """Return text, slot and position of every prediction; slots are numbered within a text."""
    taken = [0] * texts
    rows, slots, positions = [], [], []
    for text, position in read:
        rows.append(text)
        slots.append(taken[text])
        positions.append(position)
        taken[text] += 1
    return rows, slots, positions
