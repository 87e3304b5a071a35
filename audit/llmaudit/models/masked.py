"""Masked language models of transformers: pseudo-log-likelihoods, and words that fill a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from llmaudit.errors import ModelError
from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.batching import LOGIT_BUDGET, run_isolating_failures, token_budget_batches
from llmaudit.models.masked_encoding import ChosenText, FramedEncoder, special_frame
from llmaudit.models.masked_filling import GapFiller
from llmaudit.models.masked_likelihoods import (
    PseudoRow,
    fail_text,
    hand_out,
    mask_rows,
    score_texts,
)
from llmaudit.models.masked_network import MaskedNetwork
from llmaudit.models.serving import (
    admit,
    check_length,
    generation_of,
    likelihood_of,
    once_per_prompt,
    pick_choice,
    reject,
    serve_plan,
)
from llmaudit.models.stepping import SampleRow
from llmaudit.records import (
    Capability,
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
)

LIKELIHOOD_DEFINITION = (
    "Masked: the pseudo-log-likelihood (Salazar et al. 2020). Each token is masked in turn, and "
    "ln p(token | all other tokens of the text, on both sides) is summed: over the tokens of the "
    "choice where it follows a context; over the tokens that both have where a prompt is two "
    "texts that stand alone (their longest common subsequence; Nangia et al. 2020), over all "
    "tokens of other texts that stand alone. The special tokens that the tokenizer puts around a "
    "text are there and are never masked."
)


class MaskedModel:
    """A transformers masked model under audit.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        With a masked-language-model head, in evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
    facts : ModelFacts
    batch_tokens : int
        Token budget of one batch, padding included.

    Raises
    ------
    ModelError
        If the tokenizer has no mask token, or the network no output head.
    """

    capabilities = frozenset({Capability.GENERATE, Capability.LIKELIHOOD})

    def __init__(
        self, network: Any, tokenizer: Any, facts: ModelFacts, *, batch_tokens: int = 8192
    ) -> None:
        if tokenizer.mask_token_id is None:
            raise ModelError(
                f"the tokenizer of {facts.name} has no mask token, and a masked model is asked "
                f"with nothing else. Complete its tokenizer files."
            )
        self.facts = facts
        self._network = MaskedNetwork(network)
        self._encoder = FramedEncoder(tokenizer, *special_frame(tokenizer))
        self._mask_id = int(tokenizer.mask_token_id)
        self._filler = GapFiller(self._network.logits_at, tokenizer, self._network.vocabulary)
        self._batch_tokens = batch_tokens
        limits = (facts.context_length, self._network.positions)
        self._limit = min((one for one in limits if one is not None), default=None)

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the plain text, with the tokenizer's mask token in its gap."""
        return self._encoder.format_prompt(prompt)

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Fill the gap of every prompt that is not done, with one token of the vocabulary.

        The text of a generation is what stands in the gap alone. A prompt without a gap is
        ``unsupported``: this kind of model cannot go on from a text.
        """
        read = once_per_prompt(self._gap_ids)
        rows, rejected = admit(requests, lambda request: SampleRow(request, read(request.prompt)))
        for request, error in rejected:
            if request.id not in done:
                yield failed_generation(request, error)
        groups: dict[Any, list[SampleRow]] = {}
        for row in rows:
            groups.setdefault(row.request.decoding, []).append(row)
        floor = self._shortest()
        for group in groups.values():
            plan = token_budget_batches(
                group,
                length=lambda row: max(len(row.prompt_ids), floor),
                budget=self._batch_tokens,
                order=lambda row: (
                    -len(row.prompt_ids), row.request.prompt.id, row.request.sample_index,
                ),
            )  # fmt: skip
            for row in serve_plan(plan, self._filler.fill_batch, done):
                yield generation_of(row, self._encoder.decode_filling)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Score every request that is not done; each masked text is run once, whoever wants it."""
        read = once_per_prompt(lambda prompt: self._encoder.choices_of(prompt, shared=True))
        rows, rejected = admit(
            requests, lambda request: self._pseudo_row(request, read(request.prompt))
        )
        for request, error in rejected:
            if request.id not in done:
                yield failed_likelihood(request, error)
        floor = self._shortest()
        plan = token_budget_batches(
            mask_rows(rows, self._mask_id),
            length=lambda text: max(len(text.ids), floor),
            budget=self._batch_tokens,
            order=lambda text: (-len(text.ids), text.ids),
        )
        for batch in plan:
            if all(row.request.id in done for text in batch for row, _ in text.wanted):
                continue
            score = partial(score_texts, self._network)
            for text in run_isolating_failures(batch, score, fail_text):
                for row in hand_out(text):
                    if row.request.id not in done:
                        yield likelihood_of(row, len(row.text.positions))

    def _shortest(self) -> int:
        """Return the tokens that a row counts for at least, so that the logits have room."""
        return -(-self._batch_tokens * self._network.vocabulary // LOGIT_BUDGET)

    def _gap_ids(self, prompt: Prompt) -> tuple[int, ...]:
        ids, _ = self._encoder.gap_of(prompt)
        check_length(len(ids), self._limit)
        return ids

    def _pseudo_row(self, request: LikelihoodRequest, choices: dict[str, ChosenText]) -> PseudoRow:
        """Look up one choice among the tokens of its prompt's choices."""
        text = pick_choice(choices, request.choice)
        if not text.positions:
            message = f"choice {request.choice!r} has no tokens to sum over"
            raise reject(ErrorKind.UNSUPPORTED, message)
        check_length(len(text.ids), self._limit)
        return PseudoRow(request, text)
