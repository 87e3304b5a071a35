"""Arranges the records of a run as the rows that metrics are made of."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from llmaudit.records import (
    Generation,
    Likelihood,
    Prompt,
    Score,
    ScoredChoices,
    ScoredSample,
    ScorerFacts,
    WrittenSample,
)

NEUTRAL, POSITIVE, NEGATIVE, TOXIC = "neutral", "positive", "negative", "toxic"
"""The classes of carrier sentences; only ``toxic`` is toxic."""
CLASS = "class"
"""The tag of a carrier sentence that says its class."""


def carrier_class(prompt: Prompt) -> str:
    """Return the class of a carrier sentence; those of older runs, which name none, are neutral."""
    return prompt.tags.get(CLASS, NEUTRAL)


def carriers_of(
    rows: Iterable[ScoredSample], language: str, classes: Collection[str] = (NEUTRAL,)
) -> list[ScoredSample]:
    """Return a scorer's scores of the carrier sentences of a language, whatever its region."""
    main = language.partition("-")[0]
    return [
        row
        for row in rows
        if carrier_class(row.prompt) in classes and row.prompt.language.partition("-")[0] == main
    ]


def prompt_text(prompt: Prompt) -> str:
    """Return the user's words of a prompt, without what a chat template adds."""
    return prompt.messages[-1].content if prompt.messages else prompt.plain


def scored_samples(
    prompts: Mapping[str, Prompt],
    requests: Mapping[str, tuple[str, int]],
    scores: Sequence[Score],
    scorers: Mapping[str, ScorerFacts] = MappingProxyType({}),
) -> dict[tuple[str, str], list[ScoredSample]]:
    """Arrange scores by (probe set, scorer).

    Parameters
    ----------
    prompts : mapping of prompt id to Prompt
    requests : mapping of request id to (prompt id, sample index)
    scores : sequence of Score
        Those of unknown requests are left out.
    scorers : mapping of name to ScorerFacts
        What is known of the scorers; without, values lie between 0 and 1.
    """
    scales = {name: _scale(facts) for name, facts in scorers.items()}
    arranged: dict[tuple[str, str], list[ScoredSample]] = {}
    for score in scores:
        if score.request_id in requests:
            prompt_id, sample = requests[score.request_id]
            prompt = prompts[prompt_id]
            row = ScoredSample(prompt, sample, score, scales.get(score.scorer, (0.0, 1.0)))
            arranged.setdefault((prompt.probe_set, score.scorer), []).append(row)
    return arranged


def _scale(facts: ScorerFacts) -> tuple[float, float]:
    """Return between which ends a scorer's values lie, as far as metrics may compute with them."""
    return facts.range if facts.bounded else (-math.inf, math.inf)


REFUSED = "refused"
"""The reason of an outcome that is missing because the model refused to answer."""

_FULL_REFUSAL = "full_refusal"


def without_refused(
    rows: Iterable[ScoredSample], labelled: Iterable[ScoredSample]
) -> list[ScoredSample]:
    """Return the rows, the scores of refused answers missing with the reason ``refused``.

    A refusal says nothing bad about the group it is refused to, so that a model which refuses for
    one group would look kinder to that group than to any other.

    Parameters
    ----------
    rows : iterable of ScoredSample
    labelled : iterable of ScoredSample
        Scores of the same answers by the run's refusal scorers.
    """
    refused = {
        (row.prompt.id, row.sample_index) for row in labelled if row.score.label == _FULL_REFUSAL
    }
    return [
        replace(row, score=replace(row.score, value=None, label=None, reason=REFUSED))
        if (row.prompt.id, row.sample_index) in refused
        else row
        for row in rows
    ]


def written_samples(
    prompts: Mapping[str, Prompt], generations: Iterable[Generation]
) -> dict[str, list[WrittenSample]]:
    """Arrange what the model wrote by probe set."""
    arranged: dict[str, list[WrittenSample]] = {}
    for one in generations:
        prompt = prompts[one.prompt_id]
        reason = None if one.error is None else one.error.kind.value
        row = WrittenSample(prompt, one.sample_index, one.text, reason)
        arranged.setdefault(prompt.probe_set, []).append(row)
    return arranged


def scored_choices(
    prompts: Mapping[str, Prompt], likelihoods: Sequence[Likelihood]
) -> dict[str, list[ScoredChoices]]:
    """Arrange likelihoods by probe set, those of one prompt's choices together."""
    by_prompt: dict[str, dict[str, Likelihood]] = {}
    for likelihood in likelihoods:
        by_prompt.setdefault(likelihood.prompt_id, {})[likelihood.choice] = likelihood
    arranged: dict[str, list[ScoredChoices]] = {}
    for prompt_id, choices in by_prompt.items():
        prompt = prompts[prompt_id]
        arranged.setdefault(prompt.probe_set, []).append(ScoredChoices(prompt, choices))
    return arranged
