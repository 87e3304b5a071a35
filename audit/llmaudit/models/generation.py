"""Sampling a batch: one prefill per prompt, shared by its samples; finished rows leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmaudit.models.forward import CausalNetwork
from llmaudit.models.prefixes import prefill_prefix, shared_prefix
from llmaudit.models.sampling import RequestNoise, sample_tokens
from llmaudit.records import ErrorKind, GenerationRequest, RequestError

if TYPE_CHECKING:
    import torch
    from transformers.cache_utils import DynamicCache

#: Rows leave the cache when at least this share of them is finished; each departure copies it.
_COMPACT_SHARE = 0.25


@dataclass(eq=False)
class SampleRow:
    """One request on its way: the tokens of its prompt, and those sampled so far."""

    request: GenerationRequest
    prompt_ids: tuple[int, ...]
    tokens: list[int] = field(default_factory=list)
    finish: str | None = None
    error: RequestError | None = None


def generate_batch(network: CausalNetwork, rows: Sequence[SampleRow]) -> list[SampleRow]:
    """Sample every row to its end, in place, and return the rows.

    All rows share one decoding. A row whose logits are not finite ends with a recorded error;
    the others go on.
    """
    import torch

    for row in rows:
        row.tokens, row.finish, row.error = [], None, None
    with torch.inference_mode():
        _Decoder(network, rows).run()
    return list(rows)


class _Decoder:
    """The state of one batch: which rows are alive, their cache, mask and noise."""

    def __init__(self, network: CausalNetwork, rows: Sequence[SampleRow]) -> None:
        import torch

        self.network = network
        self.decoding = rows[0].request.decoding
        self.alive = list(rows)
        self.noise = [RequestNoise(row.request) for row in rows]
        self.prompts = list(dict.fromkeys(row.prompt_ids for row in rows))
        place = {prompt: index for index, prompt in enumerate(self.prompts)}
        self.copies = torch.tensor([place[row.prompt_ids] for row in rows], device=network.device)
        lengths = torch.tensor([len(row.prompt_ids) for row in rows], device=network.device)
        self.lengths = lengths

    def run(self) -> None:
        """Prefill once per prompt, then take one token per row and step until all are done."""
        cache, logits = self._prefill()
        for step in range(self.decoding.max_new_tokens):
            chosen = sample_tokens(logits, self.noise, step, self.decoding)
            self._record(chosen, logits)
            if all(row.finish or row.error for row in self.alive):
                return
            if step + 1 == self.decoding.max_new_tokens:
                break
            chosen = self._drop_finished(cache, chosen)
            logits = self._step(cache, chosen, step)
        for row in self.alive:
            if row.finish is None and row.error is None:
                row.finish = "length"

    def _prefill(self) -> tuple[DynamicCache, torch.Tensor]:
        """Read every prompt once, what all share only once, and repeat it for its samples.

        Rows are padded on the left, so that every layer sees true distances between tokens,
        those of a window or a slope over distance too. The cache of the shared prefix is moved
        right by each row's padding; the tokens that this pushes out are read again.
        """
        import torch

        from llmaudit.models.cache import make_room

        shared = self._shared()
        longest = max(len(prompt) for prompt in self.prompts)
        lengths = torch.tensor([len(prompt) for prompt in self.prompts], device=self.network.device)
        columns = torch.arange(longest, device=self.network.device)
        offsets = columns - (longest - lengths).unsqueeze(1)
        self.mask = (offsets >= 0).long()
        cache = prefill_prefix(self.network, self.prompts[0][:shared], longest - lengths)
        input_ids = self.network.pad(
            [prompt[shared - longest :] for prompt in self.prompts], left=True
        )
        rows = torch.arange(len(self.prompts), device=self.network.device)
        logits = self.network.logits_at(
            input_ids,
            rows,
            torch.full_like(rows, input_ids.shape[1] - 1),
            mask=self._needed_mask(),
            positions=offsets.clamp(min=0)[:, shared:],
            cache=cache,
        )
        make_room(cache, self.copies, self.decoding.max_new_tokens)
        self.mask = self.mask[self.copies]
        return cache, logits[self.copies]

    def _shared(self) -> int:
        """Return how much of the prompts to read once: no more than a sliding window holds."""
        if not self.network.attention_only:
            return 0
        shared, window = shared_prefix(self.prompts), self.network.window
        return shared if window is None else min(shared, window - 1)

    def _needed_mask(self) -> torch.Tensor | None:
        """Return the mask, or None where nothing is padded: attention is faster without one."""
        return None if bool(self.mask.all()) else self.mask

    def _record(self, chosen: torch.Tensor, logits: torch.Tensor) -> None:
        """Append each row's token, or end the row: a stop token, or logits that are not finite."""
        import torch

        finite = torch.isfinite(logits.amax(dim=-1)).tolist()
        for row, token, sound in zip(self.alive, chosen.tolist(), finite, strict=True):
            if row.finish or row.error:
                continue
            if not sound:
                message = f"logits were not finite at generated token {len(row.tokens) + 1}"
                row.error = RequestError(ErrorKind.NAN_LOGITS, message)
            elif token in self.network.stop_ids:
                row.finish = "stop"
            else:
                row.tokens.append(token)

    def _drop_finished(self, cache: DynamicCache, chosen: torch.Tensor) -> torch.Tensor:
        """Take finished rows out once enough of them have gathered; return the tokens left."""
        import torch

        from llmaudit.models.cache import select_rows

        going = [i for i, row in enumerate(self.alive) if not (row.finish or row.error)]
        if len(self.alive) - len(going) < _COMPACT_SHARE * len(self.alive):
            return chosen
        keep = torch.tensor(going, device=self.network.device)
        select_rows(cache, keep)
        self.alive = [self.alive[i] for i in going]
        self.noise = [self.noise[i] for i in going]
        self.mask, self.lengths = self.mask[keep], self.lengths[keep]
        return chosen[keep]

    def _step(self, cache: DynamicCache, chosen: torch.Tensor, step: int) -> torch.Tensor:
        import torch

        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        rows = torch.arange(len(self.alive), device=self.network.device)
        return self.network.logits_at(
            chosen.unsqueeze(1),
            rows,
            torch.zeros_like(rows),
            mask=self._needed_mask(),
            positions=(self.lengths + step).unsqueeze(1),
            cache=cache,
        )
