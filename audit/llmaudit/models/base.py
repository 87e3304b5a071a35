"""What every model under audit offers, and the small rules that all kinds of model share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, runtime_checkable

from llmaudit.records import (
    Capability,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    RequestError,
)


@runtime_checkable
class Model(Protocol):
    """A model under audit.

    Results stream back in any order, one for every request, each with its request's id. What
    concerns one request only is never raised: it is the ``error`` of that request's result, and
    a request that the model cannot serve comes back as ``ErrorKind.UNSUPPORTED``.

    ``done`` names requests that need no result any more. They are passed all the same, so that
    a resumed run can batch the rest as the first run would have, and get the same numbers.

    Attributes
    ----------
    facts : ModelFacts
        What is known of the model; ``facts.digest`` enters every request's id.
    capabilities : frozenset of Capability
        What the model can do.
    """

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the model can do."""

    def format_prompt(self, prompt: Prompt) -> str:
        """Return the exact text that enters the tokenizer for ``prompt``."""

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Sample one output per request that is not ``done``; results come in any order."""

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Give the log-probability of one choice per request that is not ``done``."""


def is_chat(prompt: Prompt, *, chat_model: bool) -> bool:
    """Say whether ``prompt`` is put as a chat: the model must be one and the prompt have turns.

    Choices that stand alone have no turns, so they are plain text for every model.
    """
    return chat_model and bool(prompt.messages)


def join_choice(context: str, choice: str, *, chat: bool) -> str:
    """Return ``context`` followed by ``choice``; ``context`` is always a prefix of the result.

    Parameters
    ----------
    context : str
        The formatted prompt; may be empty.
    choice : str
        The choice's text, written without a leading space.
    chat : bool
        True where ``context`` ends with the opening of the assistant's turn: the choice follows
        at once. Otherwise one space parts the two, unless the context is empty or already ends
        in white space.

    Returns
    -------
    str
        The text whose part after ``len(context)`` is what the likelihood is about.

    Examples
    --------
    >>> join_choice("The nurse is", "kind.", chat=False)
    'The nurse is kind.'
    >>> join_choice("", "The nurse is kind.", chat=False)
    'The nurse is kind.'
    """
    if chat or not context or context[-1].isspace():
        return context + choice
    return f"{context} {choice}"


def failed_generation(request: GenerationRequest, error: RequestError) -> Generation:
    """Return the record of a generation that came to ``error``."""
    return Generation(
        request_id=request.id,
        prompt_id=request.prompt.id,
        sample_index=request.sample_index,
        text=None,
        error=error,
    )


def failed_likelihood(request: LikelihoodRequest, error: RequestError) -> Likelihood:
    """Return the record of a likelihood that came to ``error``."""
    return Likelihood(
        request_id=request.id,
        prompt_id=request.prompt.id,
        choice=request.choice,
        logprob=None,
        error=error,
    )
