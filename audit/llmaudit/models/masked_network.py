"""One forward pass of a transformers masked model, with only the masked positions at its head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ModelError
from llmaudit.models.forward import head_sees, pad_rows

if TYPE_CHECKING:
    import torch


class MaskedNetwork:
    """A loaded masked network and what must be known to call it.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        In evaluation mode.

    Attributes
    ----------
    vocabulary : int
        Numbers per position that the output head gives.
    positions : int or None
        The most tokens it can read; None where its positions are not learned ones.

    Raises
    ------
    ModelError
        If the network has no output head of its own.
    """

    def __init__(self, network: Any) -> None:
        head = network.get_output_embeddings()
        if head is None:
            raise ModelError(
                f"{type(network).__name__} cannot be audited by this version: it has no output "
                f"head of the usual form."
            )
        self.network = network
        self.device = next(network.parameters()).device
        self.vocabulary = int(head.weight.shape[0])
        self.positions = _count_positions(network)

    def logits_at(self, sequences: Sequence[Sequence[int]], columns: Sequence[int]) -> torch.Tensor:
        """Run the network and return the logits of one position of each sequence, in float32.

        Sequences are padded on the right, behind a mask. There padding moves no position, also
        not where positions are counted over the tokens, as RoBERTa does.

        Parameters
        ----------
        sequences : sequence of token ids
        columns : sequence of int
            The position to read, one for each sequence.

        Returns
        -------
        Tensor of float32, shape (len(sequences), vocabulary)
        """
        import torch

        input_ids = pad_rows(sequences, self.device, left=False)
        lengths = torch.tensor([len(sequence) for sequence in sequences], device=self.device)
        mask = torch.arange(input_ids.shape[1], device=self.device) < lengths.unsqueeze(1)
        rows = torch.arange(len(sequences), device=self.device)
        at = torch.tensor(columns, device=self.device)
        with torch.inference_mode(), head_sees(self.network, rows, at) as reached:
            whole = None if bool(mask.all()) else mask.long()
            logits = self.network(input_ids=input_ids, attention_mask=whole).logits
        found: torch.Tensor = logits[0] if reached else logits[rows, at]
        return found.float()


def _count_positions(network: Any) -> int | None:
    """Return how many tokens a table of learned positions has room for.

    Where the table has a row for padding, positions are counted from the one after it.
    """
    import torch

    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            padding = module.padding_idx
            return module.num_embeddings - (0 if padding is None else padding + 1)
    return None
