"""XLNet: log-likelihoods and text through its permutation mask, and words that fill a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from llmaudit.errors import ModelError
from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.batching import LOGIT_BUDGET, token_budget_batches
from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.masked_encoding import ChosenText, FramedEncoder
from llmaudit.models.masked_filling import GapFiller
from llmaudit.models.permuted_network import PermutedNetwork
from llmaudit.models.permuted_passes import continue_batch, gap_logits, likelihood_batch
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
    GAP,
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
    "Permuted: the sum of ln p(token | context, and the tokens of the continuation to its left) "
    "over the tokens of the continuation, in the factorisation order that gives the whole context "
    "first and then goes from left to right (Yang et al. 2019): the tokens of the context see "
    "each other on both sides, as where the network was trained to predict a part of a text. "
    "Every text begins with the end-of-document token <eod> (the beginning-of-text token where "
    "there is none), which is context and all the context of a text that stands alone. No <sep> "
    "or <cls> follows, and no text is put before short prompts."
)

#: The token between documents in the data that XLNet was trained on.
_END_OF_DOCUMENT = "<eod>"


class PermutedModel:
    """An XLNet under audit.

    Parameters
    ----------
    network : transformers.XLNetLMHeadModel
        In evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
    facts : ModelFacts
    batch_tokens : int
        Token budget of one batch, padding and new tokens included.
    """

    capabilities = frozenset({Capability.GENERATE, Capability.LIKELIHOOD})

    def __init__(
        self, network: Any, tokenizer: Any, facts: ModelFacts, *, batch_tokens: int = 8192
    ) -> None:
        self.facts = facts
        self._network = PermutedNetwork(network, stop_ids=_stop_ids(network, tokenizer))
        self._encoder = FramedEncoder(tokenizer, _opening(tokenizer))
        self._filler = GapFiller(
            partial(gap_logits, self._network), tokenizer, self._network.vocabulary
        )
        self._batch_tokens = batch_tokens

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the plain text, with the tokenizer's mask token in its gap."""
        return self._encoder.format_prompt(prompt)

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample every request that is not done.

        A prompt with a gap gets one token for it, a prompt without one is continued. Prompts of
        a batch that is continued are equally long: what XLNet remembers of a text cannot be
        masked, so padding would be read.
        """
        read = once_per_prompt(self._prompt_ids)
        rows, rejected = admit(requests, partial(self._sample_row, read))
        for request, error in rejected:
            if request.id not in done:
                yield failed_generation(request, error)
        groups: dict[Any, list[SampleRow]] = {}
        for row in rows:
            gap = GAP in row.request.prompt.tags
            length = 0 if gap else len(row.prompt_ids)
            groups.setdefault((gap, length, row.request.decoding), []).append(row)
        floor = self._room(1)
        for (gap, *_), group in groups.items():
            plan = token_budget_batches(
                group,
                length=lambda row: max(_length(row), floor),
                budget=self._batch_tokens,
                order=lambda row: (row.prompt_ids, row.request.sample_index, row.request.id),
            )
            go_on = partial(continue_batch, self._network)
            for row in serve_plan(plan, self._filler.fill_batch if gap else go_on, done):
                decode = self._encoder.decode_filling if gap else self._encoder.decode
                yield generation_of(row, decode)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Score every request that is not done, all tokens of a continuation in one pass."""
        read = once_per_prompt(lambda prompt: self._encoder.choices_of(prompt, shared=False))
        rows, rejected = admit(
            requests, lambda request: self._likelihood_row(request, read(request.prompt))
        )
        for request, error in rejected:
            if request.id not in done:
                yield failed_likelihood(request, error)
        plan = token_budget_batches(
            rows,
            length=lambda row: max(
                len(row.context_ids) + len(row.continuation_ids),
                self._room(len(row.continuation_ids)),
            ),
            budget=self._batch_tokens,
            order=lambda row: (row.context_ids, row.continuation_ids, row.request.id),
        )
        for row in serve_plan(plan, partial(likelihood_batch, self._network), done):
            yield likelihood_of(row, len(row.continuation_ids))

    def _sample_row(
        self, read: Callable[[Prompt], tuple[int, ...]], request: GenerationRequest
    ) -> SampleRow:
        row = SampleRow(request, read(request.prompt))
        check_length(_length(row), self.facts.context_length)
        return row

    def _room(self, reads: int) -> int:
        """Return the tokens that a row counts for at least, so that its logits have room."""
        return -(-reads * self._batch_tokens * self._network.vocabulary // LOGIT_BUDGET)

    def _prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        if GAP in prompt.tags:
            return self._encoder.gap_of(prompt)[0]
        return self._encoder.prompt_ids(prompt)

    def _likelihood_row(
        self, request: LikelihoodRequest, choices: dict[str, ChosenText]
    ) -> LikelihoodRow:
        """Look up one choice among the tokens of its prompt's choices."""
        text = pick_choice(choices, request.choice)
        if not text.positions:
            message = f"choice {request.choice!r} has no tokens of its own"
            raise reject(ErrorKind.UNSUPPORTED, message)
        check_length(len(text.ids), self.facts.context_length)
        start = text.positions[0]
        return LikelihoodRow(request, text.ids[:start], text.ids[start:])


def _length(row: SampleRow) -> int:
    """Return the tokens of a row when it is finished."""
    gap = GAP in row.request.prompt.tags
    return len(row.prompt_ids) if gap else row.room


def _opening(tokenizer: Any) -> tuple[int, ...]:
    """Return the token that stands before every text.

    Raises
    ------
    ModelError
        If the tokenizer has none: the first token of a text would have nothing to be read from.
    """
    vocabulary = tokenizer.get_vocab()
    for token in (_END_OF_DOCUMENT, tokenizer.bos_token, tokenizer.eos_token):
        if token in vocabulary:
            return (int(vocabulary[token]),)
    raise ModelError(
        f"the tokenizer has none of {_END_OF_DOCUMENT}, a beginning-of-text and an end-of-text "
        f"token to begin a text with. Complete its files."
    )


def _stop_ids(network: Any, tokenizer: Any) -> frozenset[int]:
    """Return every token that ends a text: of a document, of a text, and what closes a segment."""
    vocabulary = tokenizer.get_vocab()
    listed = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    ids = [*(listed if isinstance(listed, list) else [listed]), vocabulary.get(_END_OF_DOCUMENT)]
    ids += [tokenizer.eos_token_id, tokenizer.sep_token_id, tokenizer.cls_token_id]
    return frozenset(int(one) for one in ids if one is not None)
