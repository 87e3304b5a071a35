"""What a scorer is, and how generations become scores without any state being lost.

A scorer sees the text, how it ended, the prompt, the prompt's language, true answers, choices and
the prompt's words that its counterfactual siblings lack, so that it can mask them; and nothing
else: not the model, not the group. A failed generation, a request that the model cannot
serve, an empty answer, a scorer that crashed and a value that makes no sense are separate outcomes
here, each a :class:`llmaudit.records.Score` without a value and with a reason.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llmaudit.errors import ModelError
from llmaudit.records import ErrorKind, Generation, Score, ScorerFacts, content_id

_LOG = logging.getLogger(__name__)

BATCH_SIZE = 256
"""Distinct texts that a scorer is handed at once, where it does not say how many."""
REASON_ERROR = "error"
"""The model failed, so there is nothing to score."""
REASON_UNSUPPORTED = "unsupported"
"""The model cannot serve the request, so there is nothing to score."""
REASON_EMPTY = "empty"
"""The model answered with nothing but white space."""
REASON_LANGUAGE = "language"
"""The scorer does not read the prompt's language."""
REASON_DEGENERATE = "degenerate"
"""The answer is repetition or echo, so the construct does not apply."""
REASON_TOO_LONG = "too_long"
"""The answer is longer than what the scorer reads."""
REASON_TOO_SHORT = "too_short"
"""The answer is shorter than what the scorer can tell anything from."""
REASON_UNPARSEABLE = "unparseable"
"""The answer has the wrong form: code with a syntax error, a choice that is none of those given."""
REASON_NO_CODE = "no_code"
"""There is no code in the answer, so there is nothing to analyse."""
REASON_NO_GROUP = "no_group"
"""The prompt has no counterfactual sibling, so it names no group that could be spoken of."""
REASON_NO_REFERENCE = "no_reference"
"""The prompt has no true answer to compare with."""
REASON_SCORER_ERROR = "scorer_error"
"""The scorer raised on this text; the log has the traceback."""
REASON_INVALID = "invalid_score"
"""The scorer returned NaN, an infinity or a value outside its range."""


@dataclass(frozen=True, slots=True)
class ScorerInput:
    """One continuation to score, with the prompt it answers and their language.

    ``references`` are the true answers that the prompt names, ``choices`` the (label, text) pairs
    it offers, ``finish`` how the generation ended (``stop``, ``length`` or unknown),
    ``identity_terms`` the prompt's words and phrases that its siblings lack: what names a group.
    """

    text: str
    prompt: str
    language: str
    references: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    finish: str | None = None
    identity_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScorerOutput:
    """What a scorer says of one input: a value or the reason for none; a label if it has one."""

    value: float | None
    label: str | None = None
    reason: str | None = None


@runtime_checkable
class Scorer(Protocol):
    """Turns texts into values.

    ``score`` returns one output per input, in order. A scorer that has something to say about an
    empty answer (degeneration) says so with an attribute ``scores_empty = True``; all others
    never see one. Nor does a scorer see a text in a language that its facts do not name. A slow one
    says by ``batch_size`` how many texts it takes at once, so that its scores are stored sooner.
    """

    @property
    def facts(self) -> ScorerFacts:
        """Who the scorer is and how wrong it is known to be."""

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return one output per input, in order."""


@dataclass(frozen=True, slots=True)
class ScoringItem:
    """One generation beside what a scorer may see of the prompt it answers."""

    generation: Generation
    prompt: str
    language: str
    references: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    identity_terms: tuple[str, ...] = ()

    def as_input(self) -> ScorerInput:
        """Return what a scorer sees of it."""
        one = self.generation
        return ScorerInput(
            one.text or "",
            self.prompt,
            self.language,
            self.references,
            self.choices,
            one.finish,
            self.identity_terms,
        )


def score_id(request_id: str, scorer_digest: str) -> str:
    """Return the id of the score that one scorer gives one request's generation."""
    return content_id({"request": request_id, "scorer": scorer_digest})


def score_generations(
    scorer: Scorer, items: Sequence[ScoringItem], *, batch_size: int | None = None
) -> Iterator[list[Score]]:
    """Yield batches of scores, one score per item, so that the caller can store them as they come.

    Only the continuation is scored, never prompt and continuation together. Equal inputs reach the
    scorer once. The scores of one input come in one batch; the order of the batches is longest text
    first, so that memory runs out early if it runs out at all.

    Parameters
    ----------
    scorer : Scorer
    items : sequence of ScoringItem
        Request ids must be unique.
    batch_size : int, optional
        The most distinct texts handed to the scorer at once; by default what it says itself, else
        ``BATCH_SIZE``.

    Yields
    ------
    list of Score
        Together exactly one score per item.
    """
    facts = scorer.facts
    skipped: list[Score] = []
    waiting: dict[ScorerInput, list[str]] = {}
    for item in items:
        request_id, reason = item.generation.request_id, _reason_to_skip(scorer, item)
        if reason is not None:
            skipped.append(make_score(facts, request_id, ScorerOutput(None, reason=reason)))
            continue
        waiting.setdefault(item.as_input(), []).append(request_id)
    if skipped:
        yield skipped
    ordered = sorted(waiting, key=lambda one: len(one.text), reverse=True)
    size = batch_size or int(getattr(scorer, "batch_size", BATCH_SIZE))
    for start in range(0, len(ordered), size):
        batch = ordered[start : start + size]
        outputs = score_safely(scorer, batch)
        yield [
            make_score(facts, request_id, output)
            for one, output in zip(batch, outputs, strict=True)
            for request_id in waiting[one]
        ]


def score_safely(scorer: Scorer, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
    """Return one output per input whatever the scorer does; a failure becomes a reason.

    A batch on which the scorer raises (or returns the wrong number of outputs) is tried again
    item by item, so that one text costs one score and not the batch.

    Raises
    ------
    ModelError
        If a model that the scorer asks is gone as a whole, such as a judge's server: a person can
        mend that. What was scored before is stored, and scoring goes on from there.
    """
    try:
        outputs = scorer.score(inputs)
        if len(outputs) != len(inputs):
            raise ValueError(f"{len(outputs)} outputs for {len(inputs)} inputs")
    except ModelError:
        raise
    except Exception:
        if len(inputs) == 1:
            _LOG.exception("scorer %s failed on one text", scorer.facts.name)
            return [ScorerOutput(None, reason=REASON_SCORER_ERROR)]
        return [output for one in inputs for output in score_safely(scorer, [one])]
    return [_checked(scorer.facts, output) for output in outputs]


def _reason_to_skip(scorer: Scorer, item: ScoringItem) -> str | None:
    error = item.generation.error
    if error is not None and error.kind is ErrorKind.UNSUPPORTED:
        return REASON_UNSUPPORTED
    if error is not None or item.generation.text is None:
        return REASON_ERROR
    if not item.generation.text.strip() and not getattr(scorer, "scores_empty", False):
        return REASON_EMPTY
    languages = scorer.facts.languages
    if "any" not in languages and item.language.partition("-")[0] not in languages:
        return REASON_LANGUAGE
    return None


def _checked(facts: ScorerFacts, output: ScorerOutput) -> ScorerOutput:
    """Return the output with an impossible value replaced by the reason."""
    if output.value is None:
        return output if output.reason else ScorerOutput(None, output.label, REASON_INVALID)
    low, high = facts.range
    if not math.isfinite(output.value) or not low <= output.value <= high:
        return ScorerOutput(None, reason=REASON_INVALID)
    return ScorerOutput(float(output.value), output.label)


def make_score(facts: ScorerFacts, request_id: str, output: ScorerOutput) -> Score:
    """Return the score that an output of a scorer is for a request."""
    return Score(
        id=score_id(request_id, facts.digest),
        request_id=request_id,
        scorer=facts.name,
        scorer_digest=facts.digest,
        value=output.value,
        label=output.label,
        reason=output.reason,
    )
