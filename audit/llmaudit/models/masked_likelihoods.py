"""Pseudo-log-likelihoods: texts with one token masked, each run once whoever wants it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from llmaudit.models.likelihoods import settle
from llmaudit.models.masked_encoding import ChosenText
from llmaudit.models.masked_network import MaskedNetwork
from llmaudit.models.serving import record_exception
from llmaudit.records import LikelihoodRequest, RequestError


@dataclass(eq=False)
class PseudoRow:
    """One request: its text, the positions to mask, and what has been found for them so far."""

    request: LikelihoodRequest
    text: ChosenText
    found: list[float] = field(default_factory=list)
    failed: int = 0
    logprob: float | None = None
    error: RequestError | None = None

    @property
    def complete(self) -> bool:
        """Whether every position has been computed or has failed."""
        return len(self.found) + self.failed == len(self.text.positions)

    def add(self, outcome: float | RequestError) -> None:
        """Take up what came of one position; after the last one the row has its sum."""
        if isinstance(outcome, RequestError):
            self.error = self.error or outcome
            self.failed += 1
        else:
            self.found.append(outcome)
        if self.complete and self.error is None:
            settle(self, math.fsum(self.found))


@dataclass(eq=False, slots=True)
class MaskedText:
    """A text with one position masked, who wants the probability of which token, and the outcome.

    ``outcomes`` holds log-probabilities in the order of ``wanted``, or the one error of them all.
    """

    ids: tuple[int, ...]
    position: int
    wanted: list[tuple[PseudoRow, int]] = field(default_factory=list)
    outcomes: Sequence[float] | RequestError = ()


def mask_rows(rows: Sequence[PseudoRow], mask_id: int) -> list[MaskedText]:
    """Return every different text with one token masked that the rows need."""
    texts: dict[tuple[tuple[int, ...], int], MaskedText] = {}
    for row in rows:
        ids = row.text.ids
        for at in row.text.positions:
            masked = (*ids[:at], mask_id, *ids[at + 1 :])
            text = texts.setdefault((masked, at), MaskedText(masked, at))
            text.wanted.append((row, ids[at]))
    return list(texts.values())


def score_texts(network: MaskedNetwork, texts: Sequence[MaskedText]) -> list[MaskedText]:
    """Fill in the outcomes of a batch: ln p(token at the masked position) for each wanted one."""
    import torch

    logits = network.logits_at([text.ids for text in texts], [text.position for text in texts])
    wanted = [(at, token) for at, text in enumerate(texts) for _, token in text.wanted]
    place = torch.tensor(wanted, device=logits.device)
    chosen = logits[place[:, 0], place[:, 1]].double()
    logprobs = (chosen - logits.logsumexp(dim=1).double()[place[:, 0]]).tolist()
    end = 0
    for text in texts:
        start, end = end, end + len(text.wanted)
        text.outcomes = logprobs[start:end]
    return list(texts)


def fail_text(text: MaskedText, error: Exception) -> MaskedText:
    """Write the failure of a text that could not be computed even alone into the text."""
    text.outcomes = record_exception(error)
    return text


def hand_out(text: MaskedText) -> Iterator[PseudoRow]:
    """Give a computed text's outcomes to those who want them; yield the rows now complete."""
    for at, (row, _) in enumerate(text.wanted):
        row.add(text.outcomes if isinstance(text.outcomes, RequestError) else text.outcomes[at])
        if row.complete:
            yield row
