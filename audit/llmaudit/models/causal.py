"""Any causal language model of transformers: sampling, and log-probabilities of continuations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.batching import LOGIT_BUDGET, token_budget_batches
from llmaudit.models.encoding import PromptEncoder
from llmaudit.models.forward import CausalNetwork
from llmaudit.models.generation import generate_batch
from llmaudit.models.groups import BatchLimits, group_rows
from llmaudit.models.likelihoods import LikelihoodRow, likelihood_batch
from llmaudit.models.serving import (
    admit,
    check_length,
    generation_of,
    likelihood_of,
    once_per_prompt,
    pick_choice,
    reject,
    sample_row,
    serve_plan,
)
from llmaudit.models.stepping import SampleRow
from llmaudit.models.trees import tree_batches, tree_likelihoods
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
    "Causal: the sum of ln p(token | all tokens to its left) over the tokens of the continuation. "
    "A text that stands alone is preceded by the tokenizer's beginning-of-text token "
    "(its end-of-text token where it has no other)."
)

#: Nodes of trees in one batch on a CPU: more are no faster there and need more memory.
CPU_TREE_TOKENS = 2048

_LikelihoodPlan = tuple[
    Iterable[list[LikelihoodRow]],
    Callable[[CausalNetwork, Sequence[LikelihoodRow]], list[LikelihoodRow]],
]


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

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """What the tokenizer reads as a mark wherever it stands in a text."""
        return self._encoder.special_tokens

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample every request that is not done, one length-sorted batch at a time."""
        read = once_per_prompt(self._encoder.prompt_ids)
        rows, rejected = admit(requests, partial(sample_row, read, self.facts.context_length))
        for request, error in rejected:
            if request.id not in done:
                yield failed_generation(request, error)
        groups: dict[Any, list[SampleRow]] = {}
        for row in rows:
            length = len(row.prompt_ids) if self._keeps_lengths_apart(row.room) else 0
            groups.setdefault((row.request.decoding, length), []).append(row)
        for group in groups.values():
            plan = token_budget_batches(
                group,
                length=lambda row: row.room,
                budget=self._batch_tokens,
                order=lambda row: (row.request.prompt.id, row.request.sample_index),
            )
            for row in serve_plan(plan, partial(generate_batch, self._network), done):
                yield generation_of(row, self._encoder.decode)

    def _keeps_lengths_apart(self, tokens: int) -> bool:
        """Say whether a text that grows to so many tokens needs a batch of equally long ones.

        A recurrent state would take up padding, and positions that change with the length of the
        longest row would change for all.
        """
        network = self._network
        stretched = network.stretch is not None and tokens > network.stretch
        return stretched or (network.caches and not network.attention_only)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Score every request that is not done, in batches that share prefixes."""
        read = once_per_prompt(self._encoder.choice_ids)
        rows, rejected = admit(
            requests, lambda request: self._likelihood_row(request, read(request.prompt))
        )
        for request, error in rejected:
            if request.id not in done:
                yield failed_likelihood(request, error)
        for plan, compute in self._likelihood_plans(rows):
            for row in serve_plan(plan, partial(compute, self._network), done):
                yield likelihood_of(row, len(row.continuation_ids))

    def _likelihood_plans(self, rows: Sequence[LikelihoodRow]) -> Iterator[_LikelihoodPlan]:
        """Put texts into trees where the network allows it; cut the others into plain batches."""
        network = self._network
        trees: list[LikelihoodRow] = []
        plain: list[LikelihoodRow] = []
        stretched: list[LikelihoodRow] = []
        for row in rows:
            whole = network.window is None or len(row.input_ids) <= network.window
            if network.stretch is not None and len(row.input_ids) > network.stretch:
                stretched.append(row)
            else:
                (trees if whole and network.takes_trees else plain).append(row)
        if trees:
            on_cpu = network.device.type == "cpu"
            tokens = min(self._batch_tokens, CPU_TREE_TOKENS) if on_cpu else self._batch_tokens
            yield tree_batches(trees, tokens), tree_likelihoods
        limits = BatchLimits(self._batch_tokens, LOGIT_BUDGET // network.vocabulary)
        for group in filter(None, (plain, stretched)):
            yield group_rows(group, limits), likelihood_batch

    def _likelihood_row(
        self,
        request: LikelihoodRequest,
        choices: dict[str, tuple[tuple[int, ...], tuple[int, ...]]],
    ) -> LikelihoodRow:
        """Look up one choice among the tokens of its prompt's choices."""
        row = LikelihoodRow(request, *pick_choice(choices, request.choice))
        if not row.continuation_ids:
            message = f"choice {request.choice!r} has no tokens of its own"
            raise reject(ErrorKind.UNSUPPORTED, message)
        check_length(len(row.input_ids), self.facts.context_length)
        return row
