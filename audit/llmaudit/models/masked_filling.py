"""Filling a gap with one token of the vocabulary, for every kind of network that can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from llmaudit.models.sampling import RequestNoise, sample_tokens
from llmaudit.models.stepping import SampleRow
from llmaudit.records import ErrorKind, RequestError

if TYPE_CHECKING:
    import torch

Read = Callable[[list[tuple[int, ...]], list[int]], "torch.Tensor"]


class GapFiller:
    """Draws the tokens of gaps.

    Parameters
    ----------
    read : callable
        Takes prompts as tokens and the position of each one's gap, returns float32 logits of
        shape (prompts, vocabulary).
    tokenizer : transformers.PreTrainedTokenizerBase
        Its special tokens are never drawn: they are no text.
    vocabulary : int
        Numbers per position that the network gives.
    """

    def __init__(self, read: Read, tokenizer: Any, vocabulary: int) -> None:
        self._read = read
        self._mask_id = tokenizer.mask_token_id
        self._special_ids = sorted({one for one in tokenizer.all_special_ids if one < vocabulary})

    def fill_batch(self, rows: Sequence[SampleRow]) -> list[SampleRow]:
        """Draw the token of every row's gap, in place; a prompt is read once for all its samples.

        All rows share one decoding. A row whose logits are not finite gets a recorded error.
        """
        import torch

        prompts = list(dict.fromkeys(row.prompt_ids for row in rows))
        place = {prompt: at for at, prompt in enumerate(prompts)}
        logits = self._read(prompts, [prompt.index(self._mask_id) for prompt in prompts])
        sound = torch.isfinite(logits).all(dim=1).tolist()
        special = torch.tensor(self._special_ids, dtype=torch.long, device=logits.device)
        logits = logits.index_fill(1, special, float("-inf"))
        copies = torch.tensor([place[row.prompt_ids] for row in rows], device=logits.device)
        noise = [RequestNoise(row.request) for row in rows]
        chosen = sample_tokens(logits[copies], noise, 0, rows[0].request.decoding).tolist()
        for row, token in zip(rows, chosen, strict=True):
            if sound[place[row.prompt_ids]]:
                row.tokens, row.finish = [token], "stop"
            else:
                message = "logits were not finite at the gap of the prompt"
                row.error = RequestError(ErrorKind.NAN_LOGITS, message)
        return list(rows)
