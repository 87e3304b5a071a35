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
        """Read every prompt once, what all share only once, and repeat it for its samples."""
        import torch

        from llmaudit.models.cache import make_room

        shared = shared_prefix(self.prompts)
        cache = prefill_prefix(self.network, self.prompts[0][:shared], len(self.prompts))
        input_ids = self.network.pad([prompt[shared:] for prompt in self.prompts], left=True)
        self.mask = self._prompt_mask(shared, input_ids.shape[1])
        positions = (self.mask.cumsum(dim=1) - 1).clamp_(min=0)
        rows = torch.arange(len(self.prompts), device=self.network.device)
        logits = self.network.logits_at(
            input_ids,
            rows,
            torch.full_like(rows, input_ids.shape[1] - 1),
            mask=self._needed_mask(),
            positions=positions[:, shared:],
            cache=cache,
        )
        make_room(cache, self.copies, self.decoding.max_new_tokens)
        self.mask = self.mask[self.copies]
        return cache, logits[self.copies]

    def _prompt_mask(self, shared: int, width: int) -> torch.Tensor:
        """Return 1 for the shared prefix and each prompt's own tokens, 0 for what pads between."""
        import torch

        device = self.network.device
        own = torch.tensor([len(prompt) - shared for prompt in self.prompts], device=device)
        columns = torch.arange(shared + width, device=device)
        padded = (columns >= shared) & (columns < shared + width - own.unsqueeze(1))
        return (~padded).long()

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
