"""Sampling whose noise belongs to the request, not to the batch it happened to run in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from llmaudit.records import Decoding, GenerationRequest


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

    def at(self, step: int, vocabulary: int) -> NDArray[np.float32]:
        """Return the standard exponential variates of one step, shape (vocabulary,), float32."""
        import numpy as np

        generator = np.random.Philox(key=self._key, counter=[0, 0, 0, step])
        return np.random.Generator(generator).standard_exponential(vocabulary, dtype=np.float32)


def sample_tokens(
    logits: torch.Tensor, noise: list[RequestNoise], step: int, decoding: Decoding
) -> torch.Tensor:
    """Choose one token per row by an exponential race (the Gumbel-max trick).

    The token with the largest ``logit / temperature - ln(e)``, e standard exponential, is a draw
    from the softmax. Rounding moves the winner only where two tokens all but tie, a thousand
    times more rarely than it moves a draw by the cumulative distribution, where the rounding of
    every token adds up (measured in ``docs/decisions.md``).

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
    import numpy as np
    import torch

    if decoding.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits.float() / decoding.temperature
    if decoding.top_p < 1:
        scaled = _keep_nucleus(scaled, decoding.top_p)
    drawn = np.stack([row.at(step, logits.shape[-1]) for row in noise])
    return (scaled - torch.from_numpy(drawn).to(logits.device).log()).argmax(dim=-1)


def _keep_nucleus(scaled: torch.Tensor, top_p: float) -> torch.Tensor:
    """Rule out every token outside the nucleus; the most likely token always stays."""
    ordered, index = scaled.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    return scaled.scatter(-1, index, ordered.masked_fill(before >= top_p, float("-inf")))
