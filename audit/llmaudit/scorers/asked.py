"""A model that a scorer asks: what scorers know of it, and how its failures become reasons.

Scorers do not import the model layer. What implements :class:`AskedModel` is handed to them when
they are loaded; see :mod:`llmaudit.scorer_models`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    Message,
    ModelFacts,
    RequestError,
    ScorerFacts,
    WeightFile,
    content_id,
)
from llmaudit.scorers.base import ScorerOutput
from llmaudit.scorers.cards import NOT_MEASURED, begin_card

REASON_VERDICT = "unparseable_verdict"
"""The scorer's model answered in none of the allowed forms."""
REASON_MODEL_EMPTY = "scorer_model_empty"
"""The scorer's model answered with nothing but white space."""
REASON_MODEL_FAILED = "scorer_model_failed"
"""The scorer's model broke, or its server did."""
REASON_MODEL_UNSUPPORTED = "scorer_model_unsupported"
"""The scorer's model cannot serve the request."""
REASON_MODEL_TOO_LONG = "scorer_model_too_long"
"""Prompt and answer together are longer than what the scorer's model reads."""

BATCH_SIZE = 32
"""Texts put to a scorer's model at once: it is slow, and what it has said is stored in between."""
TRAINED_ON = "unknown here: what the model's own page names"
A_MODEL = "a model"
"""What such a scorer cannot work without, as its facts name it."""
UNMEASURED = "nobody has measured how wrong it is; `llmaudit scorers measure` does"
"""What a card says of the error of a scorer that the user has put together."""

_REASONS: Mapping[ErrorKind, str] = {
    ErrorKind.UNSUPPORTED: REASON_MODEL_UNSUPPORTED,
    ErrorKind.TOO_LONG: REASON_MODEL_TOO_LONG,
}
#: What chat formats write around turns, whether or not this model's tokenizer is known.
_CONTROL = re.compile(
    r"<(?=[|｜/]|s>|\|?(?:start|end|begin|im|eot|bos|eos|pad|unk)\w*\|?>)"
    r"|\[(?=/?INST\]|/?SYSTEM|gMASK|/?AVAILABLE)|<(?=<SYS>>|</SYS>>)"
)


class AskedModel(Protocol):
    """A loaded model, as far as scorers ask it: greedily, one conversation at a time."""

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """What its tokenizer reads as marks rather than as text, as far as is known."""

    @property
    def weighs(self) -> bool:
        """Whether it gives likelihoods."""

    def answer(
        self, asked: Sequence[tuple[Message, ...]], *, max_new_tokens: int, label: str
    ) -> list[Generation]:
        """Return the greedy answer to every conversation, in order; failures are in them."""

    def weigh(
        self, asked: Sequence[tuple[Message, ...]], choices: Mapping[str, str], *, label: str
    ) -> list[Mapping[str, Likelihood]]:
        """Return the likelihood of every choice, by its label, after every conversation."""


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """A checkpoint on this machine, found and checked by the model layer.

    Attributes
    ----------
    folder : Path
    origin : str
        Hub id, or the folder's own name.
    revision : str
        Commit of the hub, or ``unknown``.
    weights : tuple of WeightFile
        Safetensors only.
    device : str
        Where to compute: a device of torch.
    """

    folder: Path
    origin: str
    revision: str
    weights: tuple[WeightFile, ...]
    device: str = "cpu"


def reason_of(error: RequestError) -> str:
    """Return why there is no score where the scorer's model failed."""
    return _REASONS.get(error.kind, REASON_MODEL_FAILED)


def failed_output(answer: Generation) -> ScorerOutput | None:
    """Return the output for an answer that holds no verdict at all; None for one to be read."""
    if answer.error is not None or answer.text is None:
        reason = reason_of(answer.error) if answer.error else REASON_MODEL_FAILED
        return ScorerOutput(None, reason=reason)
    return None if answer.text.strip() else ScorerOutput(None, reason=REASON_MODEL_EMPTY)


def disarm(text: str, special_tokens: Sequence[str] = ()) -> str:
    """Return the text with every mark of a chat format broken by a space after its first sign.

    A judged answer must not end its own turn and open another: what a tokenizer would read as a
    mark is told apart only by being written otherwise.

    Parameters
    ----------
    text : str
    special_tokens : sequence of str
        Marks of the tokenizer that will read the text, besides the usual ones.

    Examples
    --------
    >>> disarm("Yes.<|im_end|>")
    'Yes.< |im_end|>'
    """
    for token in sorted({one for one in special_tokens if one.strip()}, key=len, reverse=True):
        if len(token) > 1:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return _CONTROL.sub(lambda found: f"{found.group()} ", text)


def own_card(
    facts: ScorerFacts, method: str, *, evaluation: Mapping[str, Any], caveats: Sequence[str]
) -> dict[str, Any]:
    """Return the card of a scorer that the user has put together, in the form that all have.

    Parameters
    ----------
    facts : ScorerFacts
        The card is made of what they say.
    method : str
    evaluation : mapping of set to figures
        Empty where nothing was measured, which the card then says.
    caveats : sequence of str
    """
    card = begin_card(facts) | {
        "method": method,
        "training_data": [{"id": TRAINED_ON, "licence": "unknown"}],
        "evaluation": dict(evaluation),
        "caveats": list(caveats),
    }
    return card if evaluation else card | {NOT_MEASURED: UNMEASURED}


def with_model(
    facts: ScorerFacts, model: AskedModel, identity: Mapping[str, Any], **told: Any
) -> ScorerFacts:
    """Return the facts of a scorer whose model is loaded: with its digest, and the model's.

    Parameters
    ----------
    facts : ScorerFacts
        What was known before.
    model : AskedModel
    identity : mapping of str to JSON values
        What its scores depend on besides the model.
    **told
        What its card says besides what ``facts`` say.
    """
    identity = {
        **identity,
        "model": model.facts.digest,
        "special_tokens": sorted(model.special_tokens),
    }
    return replace(
        facts,
        digest=content_id(identity),
        version=f"{facts.version}, model {model.facts.digest}",
        files=model.facts.weights,
        card={**facts.card, **told, "model": model_card(model.facts)},
    )


def model_card(facts: ModelFacts) -> dict[str, Any]:
    """Return what a scorer's card says of the model that it asks."""
    return {
        "name": facts.name,
        "source": facts.source,
        "revision": facts.revision,
        "digest": facts.digest,
        "kind": facts.kind,
        "licence": facts.licence,
        "chat_format": facts.chat_format,
        "dtype": facts.dtype,
        "device": facts.device,
        "weight_format": facts.weight_format,
        "notes": list(facts.notes),
    }
