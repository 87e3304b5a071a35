"""Sampling token by token: which rows of a batch go on, whatever the network remembers them by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmaudit.models.sampling import RequestNoise, sample_tokens
from llmaudit.records import ErrorKind, GenerationRequest, RequestError

if TYPE_CHECKING:
    import torch

#: Rows leave the batch when at least this share of them is finished; each departure copies it.
_COMPACT_SHARE = 0.25


@dataclass(eq=False)
class SampleRow:
    """One request on its way: the tokens of its prompt, and those sampled so far."""

    request: GenerationRequest
    prompt_ids: tuple[int, ...]
    tokens: list[int] = field(default_factory=list)
    finish: str | None = None
    error: RequestError | None = None

    @property
    def room(self) -> int:
        """The tokens that the row may come to: its prompt's and all that may be sampled."""
        return len(self.prompt_ids) + self.request.decoding.max_new_tokens


def sample_rows(rows: Sequence[SampleRow], begin: Callable[[], Sampler]) -> list[SampleRow]:
    """Sample every row to its end, in place and from the beginning, and return the rows."""
    import torch

    for row in rows:
        row.tokens, row.finish, row.error = [], None, None
    with torch.inference_mode():
        begin().run()
    return list(rows)


class Sampler(ABC):
    """One batch on its way: which rows are alive, and their noise. All share one decoding."""

    def __init__(self, rows: Sequence[SampleRow], stop_ids: frozenset[int]) -> None:
        self.decoding = rows[0].request.decoding
        self.alive = list(rows)
        self.noise = [RequestNoise(row.request) for row in rows]
        self._stop_ids = stop_ids

    @abstractmethod
    def prefill(self) -> torch.Tensor:
        """Read the prompts; return the logits of each row's first token."""

    @abstractmethod
    def step(self, chosen: torch.Tensor, step: int) -> torch.Tensor:
        """Read one token per row that is alive; return the logits of the next."""

    @abstractmethod
    def keep(self, rows: torch.Tensor) -> None:
        """Forget all but these rows."""

    def run(self) -> None:
        """Prefill, then take one token per row and step until all are done."""
        logits = self.prefill()
        for step in range(self.decoding.max_new_tokens):
            chosen = sample_tokens(logits, self.noise, step, self.decoding)
            self._record(chosen, logits)
            if all(row.finish or row.error for row in self.alive):
                return
            if step + 1 == self.decoding.max_new_tokens:
                break
            logits = self.step(self._drop_finished(chosen), step)
        for row in self.alive:
            if row.finish is None and row.error is None:
                row.finish = "length"

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
            elif token in self._stop_ids:
                row.finish = "stop"
            else:
                row.tokens.append(token)

    def _drop_finished(self, chosen: torch.Tensor) -> torch.Tensor:
        """Take finished rows out once enough of them have gathered; return the tokens left."""
        import torch

        going = [i for i, row in enumerate(self.alive) if not (row.finish or row.error)]
        if len(self.alive) - len(going) < _COMPACT_SHARE * len(self.alive):
            return chosen
        rows = torch.tensor(going, device=chosen.device)
        self.keep(rows)
        self.alive = [self.alive[i] for i in going]
        self.noise = [self.noise[i] for i in going]
        return chosen[rows]
