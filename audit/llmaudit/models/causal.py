"""Any causal language model of transformers: sampling, and log-probabilities of continuations."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.batching import run_isolating_failures, token_budget_batches
from llmaudit.models.encoding import PromptEncoder
from llmaudit.models.forward import CausalNetwork
from llmaudit.models.generation import SampleRow, generate_batch
from llmaudit.models.groups import BatchLimits, group_rows
from llmaudit.models.likelihoods import LikelihoodRow, likelihood_batch
from llmaudit.records import (
    Capability,
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    RequestError,
)

LIKELIHOOD_DEFINITION = (
    "Causal: the sum of ln p(token | all tokens to its left) over the tokens of the continuation. "
    "A text that stands alone is preceded by the tokenizer's beginning-of-text token "
    "(its end-of-text token where it has no other)."
)

#: Logits held at once, in numbers: likelihood batches stay below this many positions x vocabulary.
LOGIT_BUDGET = 2**27

Row = TypeVar("Row", SampleRow, LikelihoodRow)
Tokens = TypeVar("Tokens")


class CausalModel:
    """A transformers causal model under audit.

    Parameters
    ----------
    network : CausalNetwork
    tokenizer : transformers.PreTrainedTokenizerBase
    facts : ModelFacts
        ``facts.chat_template`` is non-empty exactly when the model is prompted as a chat.
    batch_tokens : int
        Token budget of one batch, padding and new tokens included.
    """

    capabilities = frozenset({Capability.GENERATE, Capability.LIKELIHOOD})

    def __init__(
        self, network: CausalNetwork, tokenizer: Any, facts: ModelFacts, *, batch_tokens: int = 8192
    ) -> None:
        self.facts = facts
        self._network = network
        self._encoder = PromptEncoder(tokenizer, chat_model=bool(facts.chat_template))
        self._batch_tokens = batch_tokens

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the text that enters the tokenizer: the filled chat template, or plain text."""
        return self._encoder.format_prompt(prompt)

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample every request that is not done, one length-sorted batch at a time."""
        read = _once_per_prompt(self._encoder.prompt_ids)
        groups: dict[Any, list[SampleRow]] = {}
        for request in requests:
            try:
                row = SampleRow(request, read(request.prompt))
                self._check_length(len(row.prompt_ids) + request.decoding.max_new_tokens)
            except _Rejected as rejected:
                if request.id not in done:
                    yield failed_generation(request, rejected.error)
                continue
            # A recurrent state would take up padding, so there rows of a batch are equally long.
            length = 0 if self._network.attention_only else len(row.prompt_ids)
            groups.setdefault((request.decoding, length), []).append(row)
        for (decoding, _), group in groups.items():
            new = decoding.max_new_tokens
            plan = token_budget_batches(
                group,
                length=lambda row, new=new: len(row.prompt_ids) + new,  # type: ignore[misc]
                budget=self._batch_tokens,
                order=lambda row: (row.request.prompt.id, row.request.sample_index),
            )
            for row in self._run(plan, generate_batch, done):
                yield self._generation(row)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Score every request that is not done, in batches that share prefixes."""
        read = _once_per_prompt(self._encoder.choice_ids)
        rows: list[LikelihoodRow] = []
        for request in requests:
            try:
                rows.append(self._likelihood_row(request, read(request.prompt)))
            except _Rejected as rejected:
                if request.id not in done:
                    yield failed_likelihood(request, rejected.error)
        limits = BatchLimits(self._batch_tokens, LOGIT_BUDGET // self._network.vocabulary)
        for row in self._run(group_rows(rows, limits), likelihood_batch, done):
            yield _likelihood(row)

    def _run(
        self,
        plan: Iterable[list[Row]],
        compute: Callable[[CausalNetwork, Sequence[Row]], list[Row]],
        done: AbstractSet[str],
    ) -> Iterator[Row]:
        """Compute the batches that hold anything not done, whole, and yield what is not done."""
        for batch in plan:
            if all(row.request.id in done for row in batch):
                continue
            rows = run_isolating_failures(
                batch, lambda part: compute(self._network, part), _failed_row
            )
            yield from (row for row in rows if row.request.id not in done)

    def _likelihood_row(
        self,
        request: LikelihoodRequest,
        choices: dict[str, tuple[tuple[int, ...], tuple[int, ...]]],
    ) -> LikelihoodRow:
        """Look up one choice among the tokens of its prompt's choices."""
        if request.choice not in choices:
            message = f"the prompt has no choice {request.choice!r}"
            raise _Rejected(RequestError(ErrorKind.UNSUPPORTED, message))
        row = LikelihoodRow(request, *choices[request.choice])
        if not row.continuation_ids:
            message = f"choice {request.choice!r} has no tokens of its own"
            raise _Rejected(RequestError(ErrorKind.UNSUPPORTED, message))
        self._check_length(len(row.input_ids))
        return row

    def _check_length(self, tokens: int) -> None:
        limit = self.facts.context_length
        if limit is not None and tokens > limit:
            message = f"{tokens} tokens do not fit the model's context of {limit}"
            raise _Rejected(RequestError(ErrorKind.TOO_LONG, message))

    def _generation(self, row: SampleRow) -> Generation:
        if row.error is not None:
            return failed_generation(row.request, row.error)
        try:
            text = self._encoder.decode(row.tokens)
        except Exception as error:
            return failed_generation(row.request, _recorded(error))
        return Generation(
            request_id=row.request.id,
            prompt_id=row.request.prompt.id,
            sample_index=row.request.sample_index,
            text=text,
            finish=row.finish,
            prompt_tokens=len(row.prompt_ids),
            new_tokens=len(row.tokens),
        )


class _Rejected(Exception):  # noqa: N818 - carries a record, and never leaves this module
    """A request that cannot be put to the network, with the error to record for it."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(error.message)
        self.error = error


def _once_per_prompt(read: Callable[[Prompt], Tokens]) -> Callable[[Prompt], Tokens]:
    """Return ``read``, done once per prompt; what it raises becomes a rejection with its record."""
    known: dict[str, Tokens | RequestError] = {}

    def look_up(prompt: Prompt) -> Tokens:
        if prompt.id not in known:
            try:
                known[prompt.id] = read(prompt)
            except Exception as error:
                known[prompt.id] = _recorded(error)
        found = known[prompt.id]
        if isinstance(found, RequestError):
            raise _Rejected(found)
        return found

    return look_up


def _recorded(error: Exception) -> RequestError:
    """Make the record of an exception that concerned one request."""
    text = "".join(traceback.format_exception(error))
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    kind = ErrorKind.OUT_OF_MEMORY if memory else ErrorKind.EXCEPTION
    return RequestError(kind, f"{type(error).__name__}: {error}", text)


def _failed_row(row: Row, error: Exception) -> Row:
    """Write the failure of a row that could not be computed even alone into the row."""
    row.error = _recorded(error)
    return row


def _likelihood(row: LikelihoodRow) -> Likelihood:
    if row.error is not None:
        return failed_likelihood(row.request, row.error)
    return Likelihood(
        request_id=row.request.id,
        prompt_id=row.request.prompt.id,
        choice=row.request.choice,
        logprob=row.logprob,
        tokens=len(row.continuation_ids),
    )
