"""Any causal language model of transformers: sampling, and log-probabilities of continuations."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from llmaudit.models.base import failed_generation, failed_likelihood, is_chat, join_choice
from llmaudit.models.batching import run_isolating_failures, token_budget_batches
from llmaudit.models.forward import CausalNetwork
from llmaudit.models.generation import SampleRow, generate_batch
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
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens
        self._chat_model = bool(facts.chat_template)

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the text that enters the tokenizer: the filled chat template, or plain text."""
        if not is_chat(prompt, chat_model=self._chat_model):
            return prompt.plain
        turns = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return text

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample every request that is not done, one length-sorted batch at a time."""
        rows: list[SampleRow] = []
        for request in requests:
            try:
                rows.append(SampleRow(request, self._prompt_ids(request)))
            except _Rejected as rejected:
                if request.id not in done:
                    yield failed_generation(request, rejected.error)
        by_decoding: dict[Any, list[SampleRow]] = {}
        for row in rows:
            by_decoding.setdefault(row.request.decoding, []).append(row)
        for decoding, group in by_decoding.items():
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
        """Score every request that is not done, one length-sorted batch at a time."""
        rows: list[LikelihoodRow] = []
        for request in requests:
            try:
                rows.append(self._likelihood_row(request))
            except _Rejected as rejected:
                if request.id not in done:
                    yield failed_likelihood(request, rejected.error)
        plan = token_budget_batches(
            rows,
            length=lambda row: len(row.input_ids),
            budget=min(self._batch_tokens, LOGIT_BUDGET // self._network.vocabulary),
            order=lambda row: (row.input_ids, row.request.id),
        )
        for row in self._run(plan, likelihood_batch, done):
            yield _likelihood(row)

    def _run(
        self,
        plan: Iterator[list[Any]],
        compute: Callable[[CausalNetwork, Sequence[Any]], list[Any]],
        done: AbstractSet[str],
    ) -> Iterator[Any]:
        """Compute the batches that hold anything not done, whole, and yield what is not done."""
        for batch in plan:
            if all(row.request.id in done for row in batch):
                continue
            rows = run_isolating_failures(
                batch, lambda part: compute(self._network, part), _failed_row
            )
            yield from (row for row in rows if row.request.id not in done)

    def _prompt_ids(self, request: GenerationRequest) -> tuple[int, ...]:
        """Tokenise one prompt; raise `_Rejected` with the error to record where it cannot be."""
        ids = _recording(lambda: self._encode(request.prompt, self.format_prompt(request.prompt)))
        self._check_length(len(ids) + request.decoding.max_new_tokens)
        return ids

    def _likelihood_row(self, request: LikelihoodRequest) -> LikelihoodRow:
        """Tokenise a context with and without one choice; the difference is the continuation."""
        prompt = request.prompt

        def split() -> tuple[tuple[int, ...], tuple[int, ...]]:
            chat = is_chat(prompt, chat_model=self._chat_model)
            context = self.format_prompt(prompt)
            whole = join_choice(context, prompt.choices[request.choice], chat=chat)
            if not context:
                ids = self._encode(prompt, whole)
                start = self._start_ids()
                return start, ids[len(start) :] if ids[: len(start)] == start else ids
            context_ids = self._encode(prompt, context)
            return context_ids, self._encode(prompt, whole)[len(context_ids) :]

        context_ids, continuation_ids = _recording(split)
        self._check_length(len(context_ids) + len(continuation_ids))
        if not continuation_ids:
            message = f"choice {request.choice!r} has no tokens of its own"
            raise _Rejected(RequestError(ErrorKind.UNSUPPORTED, message))
        return LikelihoodRow(request, context_ids, continuation_ids)

    def _encode(self, prompt: Prompt, text: str) -> tuple[int, ...]:
        """Tokenise; a chat template has written its special tokens itself."""
        chat = is_chat(prompt, chat_model=self._chat_model)
        ids = self._tokenizer(text, add_special_tokens=not chat)["input_ids"]
        return tuple(ids) or self._start_ids()

    def _start_ids(self) -> tuple[int, ...]:
        """What precedes a text that stands alone."""
        start = self._tokenizer.bos_token_id
        start = self._tokenizer.eos_token_id if start is None else start
        if start is None:
            message = "the tokenizer has neither a beginning-of-text nor an end-of-text token"
            raise _Rejected(RequestError(ErrorKind.UNSUPPORTED, message))
        return (int(start),)

    def _check_length(self, tokens: int) -> None:
        limit = self.facts.context_length
        if limit is not None and tokens > limit:
            message = f"{tokens} tokens do not fit the model's context of {limit}"
            raise _Rejected(RequestError(ErrorKind.TOO_LONG, message))

    def _generation(self, row: SampleRow) -> Generation:
        if row.error is not None:
            return failed_generation(row.request, row.error)
        return Generation(
            request_id=row.request.id,
            prompt_id=row.request.prompt.id,
            sample_index=row.request.sample_index,
            text=self._tokenizer.decode(row.tokens, skip_special_tokens=True),
            finish=row.finish,
            prompt_tokens=len(row.prompt_ids),
            new_tokens=len(row.tokens),
        )


class _Rejected(Exception):  # noqa: N818 - carries a record, and never leaves this module
    """A request that cannot be put to the network, with the error to record for it."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(error.message)
        self.error = error


def _recorded(error: Exception) -> RequestError:
    """Make the record of an exception that concerned one request."""
    text = "".join(traceback.format_exception(error))
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    kind = ErrorKind.OUT_OF_MEMORY if memory else ErrorKind.EXCEPTION
    return RequestError(kind, f"{type(error).__name__}: {error}", text)


def _recording(action: Callable[[], Any]) -> Any:
    """Do ``action``; turn what it raises into a rejection with its record."""
    try:
        return action()
    except _Rejected:
        raise
    except Exception as error:
        raise _Rejected(_recorded(error)) from error


def _failed_row(row: Any, error: Exception) -> Any:
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
