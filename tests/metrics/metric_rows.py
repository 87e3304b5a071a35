"""Rows for the metric tests, made from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llmaudit.findings import Measurement
from llmaudit.metrics import measure
from llmaudit.records import (
    ErrorKind,
    Likelihood,
    Prompt,
    RequestError,
    Score,
    ScoredChoices,
    ScoredSample,
    Task,
    content_id,
)

Value = float | str | tuple[float, str]
"""A score, a score with its label, or the reason why there is none."""


def make_prompt(
    template: str,
    group: str | None = None,
    *,
    axis: str | None = None,
    slot: str = "",
    choices: Mapping[str, str] | None = None,
    favourable: str | None = None,
) -> Prompt:
    """Return a prompt of ``template``; siblings share template, slot and axis."""
    axis = axis or (None if group is None else "gender")
    return Prompt(
        id=content_id([template, slot, axis, group]),
        probe_set="set",
        probe_set_digest="0" * 16,
        template_id=template,
        pair_id=content_id([template, slot, axis]),
        axis=axis,
        group=group,
        language="en",
        task=Task.CHOICES if choices else Task.GENERATE,
        messages=(),
        plain="text",
        choices=choices or {},
        tags={} if favourable is None else {"favourable": favourable},
    )


def make_samples(
    prompt: Prompt, values: Sequence[Value], scorer: str = "toxicity"
) -> list[ScoredSample]:
    """Return one row per value; a string stands for the reason of a missing score."""
    rows = []
    for index, given in enumerate(values):
        label = given[1] if isinstance(given, tuple) else None
        value = given[0] if isinstance(given, tuple) else given
        missing = isinstance(value, str)
        score = Score(
            id=f"{prompt.id}-{index}",
            request_id=f"r-{prompt.id}-{index}",
            scorer=scorer,
            scorer_digest="d",
            value=None if isinstance(value, str) else value,
            label=label,
            reason=value if isinstance(value, str) and missing else None,
        )
        rows.append(ScoredSample(prompt, index, score))
    return rows


def make_choices(
    prompt: Prompt, logprobs: Mapping[str, float | None], tokens: Mapping[str, int] | None = None
) -> ScoredChoices:
    """Return a row of likelihoods; None is an error."""
    likelihoods = {
        label: Likelihood(
            request_id=f"{prompt.id}-{label}",
            prompt_id=prompt.id,
            choice=label,
            logprob=logprob,
            tokens=(tokens or {}).get(label, 1),
            error=RequestError(ErrorKind.NAN_LOGITS, "NaN") if logprob is None else None,
        )
        for label, logprob in logprobs.items()
    }
    return ScoredChoices(prompt, likelihoods)


def run_metric(metric: str, rows: Any, **options: Any) -> Measurement:
    """Measure with few resamples and a fixed seed."""
    given: dict[str, Any] = {"probe_set": "set", "resamples": 200, **options}
    return measure(metric, rows, rng=np.random.default_rng(0), **given)


def observed(measurement: Measurement) -> list[float]:
    """Return the observed values of all parts."""
    assert measurement.observed is not None
    return [float(value) for value in measurement.observed.value]


def extremes(measurement: Measurement) -> tuple[list[float], list[float]]:
    """Return the values at the lowest and at the highest of what is missing."""
    assert measurement.lowest is not None
    assert measurement.highest is not None
    return (
        [float(value) for value in measurement.lowest.value],
        [float(value) for value in measurement.highest.value],
    )
