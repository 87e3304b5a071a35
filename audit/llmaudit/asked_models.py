"""A model of the model layer as scorers ask it: greedily, and with every failure in the answers.

Scorers and models may not import each other: what a scorer knows of its model is
:class:`llmaudit.scorers.asked.AskedModel`, and what stands here has that form.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from llmaudit.errors import ModelError
from llmaudit.models.base import Model, failed_generation, failed_likelihood
from llmaudit.records import (
    Capability,
    Decoding,
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    Message,
    ModelFacts,
    Prompt,
    RequestError,
    Task,
    content_id,
)

_LOG = logging.getLogger(__name__)
RequestT = TypeVar("RequestT", GenerationRequest, LikelihoodRequest)
ResultT = TypeVar("ResultT", Generation, Likelihood)


class AskedByScorer:
    """A model as scorers ask it; implements `llmaudit.scorers.asked.AskedModel`.

    A model that breaks on a batch is asked again text by text, so that one text costs one score. An
    `ModelError`, as of a server that is gone, ends the scoring, which can be resumed.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._model.facts

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """What the model's tokenizer reads as marks; nothing where the model does not say."""
        return tuple(getattr(self._model, "special_tokens", ()))

    @property
    def weighs(self) -> bool:
        """Whether the model gives likelihoods."""
        return Capability.LIKELIHOOD in self._model.capabilities

    def answer(
        self, asked: Sequence[tuple[Message, ...]], *, max_new_tokens: int, label: str
    ) -> list[Generation]:
        """Return the greedy answer to every conversation, in order."""
        decoding = Decoding(max_new_tokens, 0.0)
        requests = [
            GenerationRequest(content_id([prompt.id, max_new_tokens]), prompt, decoding, 0, 0)
            for prompt in (_prompt(turns, {}, label) for turns in asked)
        ]
        found = _ask_all(requests, self._model.generate, failed_generation)
        return [found[request.id] for request in requests]

    def weigh(
        self, asked: Sequence[tuple[Message, ...]], choices: Mapping[str, str], *, label: str
    ) -> list[Mapping[str, Likelihood]]:
        """Return the likelihood of every choice after every conversation, in order."""
        requests = [
            [
                LikelihoodRequest(content_id([prompt.id, choice]), prompt, choice)
                for choice in choices
            ]
            for prompt in (_prompt(turns, choices, label) for turns in asked)
        ]
        every = [request for row in requests for request in row]
        found = _ask_all(every, self._model.likelihood, failed_likelihood)
        return [{request.choice: found[request.id] for request in row} for row in requests]


def free_memory() -> None:
    """Give back what nothing refers to any more, the GPU's too."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _prompt(turns: tuple[Message, ...], choices: Mapping[str, str], label: str) -> Prompt:
    """Return a conversation as a prompt; a base model is given its text and goes on from it."""
    lines = (f"{turn.role}: {turn.content}" for turn in turns)
    plain = turns[0].content if len(turns) == 1 else "\n".join(lines)
    said = [[turn.role, turn.content] for turn in turns]
    return Prompt(
        id=content_id([said, dict(choices)]),
        probe_set=label,
        probe_set_digest="",
        template_id="",
        pair_id="",
        axis=None,
        group=None,
        language="",
        task=Task.CHOICES if choices else Task.GENERATE,
        messages=turns,
        plain=plain,
        choices=choices,
    )


def _ask_all(
    requests: Sequence[RequestT],
    ask: Callable[[Sequence[RequestT]], Iterable[ResultT]],
    fail: Callable[[RequestT, RequestError], ResultT],
) -> dict[str, ResultT]:
    """Return one result per request, by id; equal requests are asked once."""
    waiting = {request.id: request for request in requests}
    found: dict[str, ResultT] = {}
    _take(list(waiting.values()), ask, found)
    for key, request in waiting.items():
        if key in found:
            continue
        broke = _take([request], ask, found) if len(waiting) > 1 else None
        if key not in found:
            message = broke or "the scorer's model gave no result"
            found[key] = fail(request, RequestError(ErrorKind.EXCEPTION, message))
    return found


def _take(
    requests: Sequence[RequestT],
    ask: Callable[[Sequence[RequestT]], Iterable[ResultT]],
    found: dict[str, ResultT],
) -> str | None:
    """Keep every result that comes; return how the model broke, if it did."""
    try:
        for one in ask(requests):
            found[one.request_id] = one
    except ModelError:
        raise
    except Exception:
        _LOG.exception("a scorer's model broke")
        return traceback.format_exc(limit=1)
    return None
