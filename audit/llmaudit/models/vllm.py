"""vLLM as the engine of a causal model: the rows of this program through vLLM's offline engine.

The text of a prompt, its tokens, the tokens that end an answer and the definition of a likelihood
are those of the transformers engine. Only who multiplies the matrices is another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.causal import LIKELIHOOD_DEFINITION as CAUSAL_DEFINITION
from llmaudit.models.encoding import PromptEncoder
from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.serving import (
    admit,
    check_length,
    generation_of,
    likelihood_of,
    once_per_prompt,
    pick_choice,
    reject,
    sample_row,
)
from llmaudit.models.stepping import SampleRow
from llmaudit.models.vllm_queue import Asked, run_rows
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

LIKELIHOOD_DEFINITION = f"{CAUSAL_DEFINITION} Computed by vLLM."

#: What a likelihood needs beside its own tokens: vLLM never gives less than one new token.
_TOKEN_BEYOND = 1


class VLLMModel:
    """A causal model under audit that vLLM computes.

    Parameters
    ----------
    llm : vllm.LLM
        Made without a tokenizer.
    tokenizer : transformers.PreTrainedTokenizerBase
    facts : ModelFacts
        ``facts.chat_template`` is non-empty exactly when the model is prompted as a chat, and
        ``facts.context_length`` is what ``llm`` takes.
    stop_ids : frozenset of int
        Tokens that end a generation.
    """

    capabilities = frozenset({Capability.GENERATE, Capability.LIKELIHOOD})

    def __init__(
        self, llm: Any, tokenizer: Any, facts: ModelFacts, *, stop_ids: frozenset[int]
    ) -> None:
        self.facts = facts
        self._engine = llm.llm_engine
        self._encoder = PromptEncoder(tokenizer, chat_model=bool(facts.chat_template))
        self._stop_ids = stop_ids

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the text that enters the tokenizer: the filled chat template, or plain text."""
        return self._encoder.format_prompt(prompt)

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample every request that is not done; each result comes as soon as it is finished."""
        read = once_per_prompt(self._encoder.prompt_ids)
        asked = (request for request in requests if request.id not in done)
        rows, rejected = admit(asked, partial(sample_row, read, self.facts.context_length))
        yield from (failed_generation(*one) for one in rejected)
        for row, output in run_rows(self._engine, rows, self._ask_sample):
            if output is not None:
                self._read_sample(row, output)
            yield generation_of(row, self._encoder.decode)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Score every request that is not done; each result comes as soon as it is finished."""
        read = once_per_prompt(self._encoder.choice_ids)
        asked = (request for request in requests if request.id not in done)
        rows, rejected = admit(
            asked, lambda request: self._choice_row(request, read(request.prompt))
        )
        yield from (failed_likelihood(*one) for one in rejected)
        for row, output in run_rows(self._engine, rows, _ask_choice):
            if output is not None:
                _read_choice(row, output)
            yield likelihood_of(row, len(row.continuation_ids))

    def _choice_row(
        self,
        request: LikelihoodRequest,
        choices: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
    ) -> LikelihoodRow:
        row = LikelihoodRow(request, *pick_choice(choices, request.choice))
        if not row.continuation_ids:
            message = f"choice {row.request.choice!r} has no tokens of its own"
            raise reject(ErrorKind.UNSUPPORTED, message)
        tokens = len(row.context_ids) + len(row.continuation_ids) + _TOKEN_BEYOND
        check_length(tokens, self.facts.context_length)
        return row

    def _ask_sample(self, row: SampleRow) -> Asked:
        """Return what to ask vLLM for one sample.

        The log-probability of each sampled token is asked for only because it says whether the
        logits were finite: vLLM itself samples from logits of NaN without a word.
        """
        decoding = row.request.decoding
        return row.prompt_ids, {
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "seed": request_seed(row.request),
            "stop_token_ids": sorted(self._stop_ids),
            "logprobs": 0,
        }

    def _read_sample(self, row: SampleRow, output: Any) -> None:
        """Take tokens and finish over from what vLLM returned."""
        sample = output.outputs[0]
        tokens = [int(token) for token in sample.token_ids]
        for number, (token, known) in enumerate(zip(tokens, sample.logprobs, strict=True), start=1):
            if not math.isfinite(known[token].logprob):
                message = f"logits were not finite at generated token {number}"
                row.error = RequestError(ErrorKind.NAN_LOGITS, message)
                return
        if sample.finish_reason not in ("stop", "length"):
            message = f"vLLM ended the answer with {sample.finish_reason!r}"
            row.error = RequestError(ErrorKind.EXCEPTION, message)
            return
        if sample.finish_reason == "stop" and tokens and tokens[-1] in self._stop_ids:
            tokens.pop()
        row.tokens, row.finish = tokens, sample.finish_reason


def request_seed(request: GenerationRequest) -> int:
    """Return the seed of one request's noise: 63 bits of (run seed, prompt id, sample index)."""
    name = f"{request.seed}\x1f{request.prompt.id}\x1f{request.sample_index}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1


def _ask_choice(row: LikelihoodRow) -> Asked:
    """Return what to ask vLLM for one likelihood: the log-probability of each token of the text."""
    parameters = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
    return row.context_ids + row.continuation_ids, parameters


def _read_choice(row: LikelihoodRow, output: Any) -> None:
    """Sum the log-probabilities of the continuation; one that is not there is an error."""
    first, total = len(row.context_ids), 0.0
    for place, token in enumerate(row.continuation_ids, start=first):
        known = output.prompt_logprobs[place] if output.prompt_logprobs else None
        if known is None or token not in known:
            message = f"vLLM gave no log-probability for token {place + 1} of the text"
            row.error = RequestError(ErrorKind.EXCEPTION, message)
            return
        total += known[token].logprob
    if math.isfinite(total):
        row.logprob = total
    else:
        message = f"the log-probability of choice {row.request.choice!r} is {total}"
        row.error = RequestError(ErrorKind.NAN_LOGITS, message)
