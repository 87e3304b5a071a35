"""What is computed of a batch of XLNet's rows: sums over continuations, fillings, new text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmaudit.models.likelihoods import LikelihoodRow, settle
from llmaudit.models.permuted_network import PermutedNetwork, RankedText
from llmaudit.models.stepping import Sampler, SampleRow, sample_rows

if TYPE_CHECKING:
    import torch


def likelihood_batch(
    network: PermutedNetwork, rows: Sequence[LikelihoodRow]
) -> list[LikelihoodRow]:
    """Fill in ``logprob`` = sum of ln p(token | context, continuation to its left).

    The query stream predicts every token of a continuation in one pass, each from the tokens of
    lower rank. Of the last token only its place is needed, so choices of one token share a text.
    """
    import torch

    places: dict[RankedText, int] = {}
    read: dict[tuple[int, int], int] = {}
    wanted: list[tuple[int, int]] = []
    for row in rows:
        text = _rank(row)
        at = places.setdefault(text, len(places))
        for offset, token in enumerate(row.continuation_ids):
            position = (at, len(row.context_ids) + offset)
            wanted.append((read.setdefault(position, len(read)), token))
    logits = network.logits_at(list(places), list(read))
    place = torch.tensor(wanted, device=logits.device)
    chosen = logits[place[:, 0], place[:, 1]].double()
    logprobs = (chosen - logits.logsumexp(dim=1).double()[place[:, 0]]).tolist()
    end = 0
    for row in rows:
        start, end = end, end + len(row.continuation_ids)
        settle(row, sum(logprobs[start:end]))
    return list(rows)


def _rank(row: LikelihoodRow) -> RankedText:
    """Return what the network reads of a row: its last token is only ever predicted."""
    given, predicted = len(row.context_ids), len(row.continuation_ids)
    ranks = (*[0] * given, *range(1, predicted + 1))
    return RankedText((*row.input_ids, row.context_ids[0]), ranks)


def gap_logits(
    network: PermutedNetwork, prompts: Sequence[tuple[int, ...]], gaps: Sequence[int]
) -> torch.Tensor:
    """Return the logits of the one position of each prompt that all its other tokens predict."""
    texts = [
        RankedText(ids, tuple(int(at == gap) for at in range(len(ids))))
        for ids, gap in zip(prompts, gaps, strict=True)
    ]
    return network.logits_at(texts, list(enumerate(gaps)))


def continue_batch(network: PermutedNetwork, rows: Sequence[SampleRow]) -> list[SampleRow]:
    """Sample every row to its end, in place; all have prompts of one length and one decoding."""
    return sample_rows(rows, lambda: _PermutedSampler(network, rows))


class _PermutedSampler(Sampler):
    """The state of one batch: what every layer remembers of the text so far."""

    def __init__(self, network: PermutedNetwork, rows: Sequence[SampleRow]) -> None:
        super().__init__(rows, network.stop_ids)
        self._network = network
        self._prompts = [row.prompt_ids for row in rows]

    def prefill(self) -> torch.Tensor:
        """Read every prompt once and repeat what is remembered of it for its samples."""
        import torch

        prompts = list(dict.fromkeys(self._prompts))
        place = {prompt: at for at, prompt in enumerate(prompts)}
        logits, memory = self._network.begin(prompts)
        copies = torch.tensor([place[prompt] for prompt in self._prompts], device=logits.device)
        self._memory = [states.index_select(1, copies) for states in memory]
        return logits[copies]

    def step(self, chosen: torch.Tensor, step: int) -> torch.Tensor:
        """Read one token per row; return the logits of the next."""
        logits, self._memory = self._network.go_on(chosen, self._memory)
        return logits

    def keep(self, rows: torch.Tensor) -> None:
        """Forget all but these rows."""
        self._memory = [states.index_select(1, rows) for states in self._memory]
