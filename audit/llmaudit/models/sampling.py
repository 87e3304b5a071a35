"""Sampling whose noise belongs to the request, not to the batch it happened to run in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from llmaudit.records import Decoding, GenerationRequest


#: Rows whose variates are held at once: what is worked on stays in the processor's cache.
_ROWS_AT_ONCE = 16
#: How many tokens are looked at first when a nucleus is sought.
_LIKELIEST = 1024


class RequestNoise:
    """The noise of one request: for every step, one exponential variate per token.

    The counter-based Philox generator is keyed by (seed, prompt id, sample index) and its counter
    starts at the step, so the noise of a step depends on nothing else: not on batch order, batch
    size or what ran before.
    """

    def __init__(self, request: GenerationRequest) -> None:
        name = f"{request.seed}\x1f{request.prompt.id}\x1f{request.sample_index}"
        digest = hashlib.sha256(name.encode()).digest()
        self._key = int.from_bytes(digest[:16], "little")

    def fill(self, row: NDArray[np.float64], step: int) -> None:
        """Write the standard exponential variates of one step, one per token of the vocabulary.

        In double precision: single-precision variates are exactly 0 once in a million and a half,
        and a token with a variate of 0 wins its race however unlikely it is.
        """
        import numpy as np

        generator = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 0, step]))
        generator.standard_exponential(out=row)


def sample_tokens(
    logits: torch.Tensor, noise: list[RequestNoise], step: int, decoding: Decoding
) -> torch.Tensor:
    """Choose one token per row by an exponential race (the Gumbel-max trick).

    The token with the largest ``logit / temperature - ln(e)``, e standard exponential, is a draw
    from the softmax. Rounding moves the winner only where two tokens all but tie; in a draw by
    the cumulative distribution the rounding of every token adds up (``docs/decisions.md``).

    Parameters
    ----------
    logits : Tensor of float, shape (rows, vocabulary)
    noise : list of RequestNoise, length rows
    step : int
        Tokens generated so far.
    decoding : Decoding
        Temperature 0 is greedy and uses no noise; ``top_p`` < 1 keeps the smallest set of tokens
        that holds that much probability (Holtzman et al. 2020, arXiv 1904.09751).

    Returns
    -------
    Tensor of int64, shape (rows,)
    """
    import torch

    if decoding.temperature == 0:
        return logits.argmax(dim=-1)
    parts = range(0, len(logits), _ROWS_AT_ONCE)
    chosen = [
        _race(logits[start:][:_ROWS_AT_ONCE], noise[start:][:_ROWS_AT_ONCE], step, decoding)
        for start in parts
    ]
    return torch.cat(chosen)


def _race(
    logits: torch.Tensor, noise: list[RequestNoise], step: int, decoding: Decoding
) -> torch.Tensor:
    """Choose a token for each of a few rows."""
    scaled = logits.float() / decoding.temperature
    drawn = _draw(noise, step, logits)
    if decoding.top_p < 1:
        return _race_in_nucleus(scaled, drawn, decoding.top_p, min(_LIKELIEST, scaled.shape[-1]))
    return (scaled - drawn.log_()).argmax(dim=-1)


def _draw(noise: list[RequestNoise], step: int, logits: torch.Tensor) -> torch.Tensor:
    """Return every row's variates of one step, shaped like ``logits``."""
    import numpy as np
    import torch

    drawn = np.empty(logits.shape)
    for row, its in zip(drawn, noise, strict=True):
        its.fill(row, step)
    return torch.from_numpy(drawn).float().to(logits.device)


def _race_in_nucleus(
    scaled: torch.Tensor, drawn: torch.Tensor, top_p: float, count: int
) -> torch.Tensor:
    """Run the race among the smallest set of tokens that holds ``top_p`` of the probability.

    Only the likeliest ``count`` tokens are looked at first: finding those is ten times cheaper than
    sorting a vocabulary, and most nuclei lie within. Rows whose nucleus is wider are sorted whole.
    """
    top, index = scaled.topk(count, dim=-1)
    probabilities = (top - scaled.logsumexp(dim=-1, keepdim=True)).exp()
    held = probabilities.cumsum(dim=-1)
    outside = held - probabilities >= top_p
    race = (top - drawn.gather(-1, index).log()).masked_fill(outside, float("-inf"))
    winner = index.gather(-1, race.argmax(dim=-1, keepdim=True)).squeeze(-1)
    wide = held[:, -1] < top_p
    if count < scaled.shape[-1] and bool(wide.any()):
        winner[wide] = _race_in_nucleus(scaled[wide], drawn[wide], top_p, scaled.shape[-1])
    return winner
