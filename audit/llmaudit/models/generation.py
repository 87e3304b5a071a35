"""Sampling a batch: one prefill per prompt, shared by its samples; finished rows leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmaudit.models.forward import CausalNetwork
from llmaudit.models.prefixes import prefill_prefix, shared_prefix
from llmaudit.models.stepping import Sampler, SampleRow, sample_rows

if TYPE_CHECKING:
    import torch


def generate_batch(network: CausalNetwork, rows: Sequence[SampleRow]) -> list[SampleRow]:
    """Sample every row to its end, in place, and return the rows.

    All rows share one decoding. A row whose logits are not finite ends with a recorded error;
    the others go on.
    """
    kept = network.caches and not _outgrows(network, rows)
    kind = _CausalSampler if kept else _RereadingSampler
    return sample_rows(rows, lambda: kind(network, rows))


def _outgrows(network: CausalNetwork, rows: Sequence[SampleRow]) -> bool:
    """Say whether what was read of a text may have to be read otherwise as the text grows."""
    longest = max(len(row.prompt_ids) for row in rows)
    new, stretch = rows[0].request.decoding.max_new_tokens, network.stretch
    return stretch is not None and longest <= stretch < longest + new


class _CausalSampler(Sampler):
    """The state of one batch: its prompts, the cache and the mask."""

    def __init__(self, network: CausalNetwork, rows: Sequence[SampleRow]) -> None:
        import torch

        super().__init__(rows, network.stop_ids)
        self.network = network
        self.prompts = list(dict.fromkeys(row.prompt_ids for row in rows))
        place = {prompt: index for index, prompt in enumerate(self.prompts)}
        self.copies = torch.tensor([place[row.prompt_ids] for row in rows], device=network.device)
        lengths = torch.tensor([len(row.prompt_ids) for row in rows], device=network.device)
        self.lengths = lengths

    def prefill(self) -> torch.Tensor:
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
        self.cache = cache
        return logits[self.copies]

    def _shared(self) -> int:
        """Return how much of the prompts to read once: no more than a sliding window holds."""
        stretch = self.network.stretch
        stretched = stretch is not None and max(map(len, self.prompts)) > stretch
        if stretched or not self.network.attention_only:
            return 0
        shared, window = shared_prefix(self.prompts), self.network.window
        return shared if window is None else min(shared, window - 1)

    def _needed_mask(self) -> torch.Tensor | None:
        """Return the mask, or None where nothing is padded: attention is faster without one."""
        return None if bool(self.mask.all()) else self.mask

    def keep(self, rows: torch.Tensor) -> None:
        """Take all but these rows out of the cache."""
        from llmaudit.models.cache import select_rows

        select_rows(self.cache, rows)
        self.mask, self.lengths = self.mask[rows], self.lengths[rows]

    def step(self, chosen: torch.Tensor, step: int) -> torch.Tensor:
        """Read one token per row and return the logits of the next."""
        import torch

        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        rows = torch.arange(len(self.alive), device=self.network.device)
        return self.network.logits_at(
            chosen.unsqueeze(1),
            rows,
            torch.zeros_like(rows),
            mask=self._needed_mask(),
            positions=(self.lengths + step).unsqueeze(1),
            cache=self.cache,
        )


class _RereadingSampler(Sampler):
    """The state of a batch that no cache can be kept of: its texts, read again at every step."""

    def __init__(self, network: CausalNetwork, rows: Sequence[SampleRow]) -> None:
        super().__init__(rows, network.stop_ids)
        self.network = network
        self.texts = [list(row.prompt_ids) for row in rows]

    def prefill(self) -> torch.Tensor:
        """Read every text; padding is on the right, where no token before it can see it."""
        import torch

        rows = torch.arange(len(self.texts), device=self.network.device)
        ends = torch.tensor([len(text) - 1 for text in self.texts], device=self.network.device)
        return self.network.logits_at(self.network.pad(self.texts, left=False), rows, ends)

    def keep(self, rows: torch.Tensor) -> None:
        """Forget all but these texts."""
        self.texts = [self.texts[row] for row in rows.tolist()]

    def step(self, chosen: torch.Tensor, step: int) -> torch.Tensor:
        """Add one token to every text and read it again."""
        for text, token in zip(self.texts, chosen.tolist(), strict=True):
            text.append(token)
        return self.prefill()
