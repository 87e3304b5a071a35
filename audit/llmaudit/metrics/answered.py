"""Which of its choices a model takes, by likelihood, and what else metrics of questions share.

The answer is the choice with the highest log-probability per token, since the answers of one
question differ in length and a sum favours the shorter one; by the sum is what is told beside it.
A tie at the top is no answer: the outcome is missing under ``tie``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmaudit.errors import UsageError
from llmaudit.metrics.building import Counted, Values, plain
from llmaudit.metrics.choices import why_missing
from llmaudit.metrics.outcomes import cluster_indices
from llmaudit.records import Prompt, ScoredChoices

Array = NDArray[np.float64]

CONDITION = "condition"
"""The tag that says under which condition a question is asked."""

TIE = "tie"
"""The reason of a question whose likeliest answer is not one answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One question and the labels of the answers it got; None where there is none.

    ``reason`` says why ``label``, the answer by log-probability per token, is None.
    """

    prompt: Prompt
    label: str | None
    by_sum: str | None
    reason: str | None


def length_mean(row: ScoredChoices, label: str) -> float:
    """Return the log-probability per token of a choice."""
    found = row.likelihoods[label]
    return total(row, label) / max(1, found.tokens)


def total(row: ScoredChoices, label: str) -> float:
    """Return the log-probability of a choice, summed over its tokens."""
    logprob = row.likelihoods[label].logprob
    return float("nan") if logprob is None else logprob


def _likeliest(values: Mapping[str, float]) -> str | None:
    most = max(values.values())
    found = [label for label, value in values.items() if value == most]
    return found[0] if len(found) == 1 else None


def read_answers(
    rows: Iterable[ScoredChoices], axis: str | None, condition: str | None = None
) -> list[Answered]:
    """Return the answer to every question of an axis, and of one condition where it is named.

    Raises
    ------
    UsageError
        If a question does not name the right one of at least two choices.
    """
    kept = [row for row in rows if axis is None or row.prompt.axis == axis]
    return [
        _read(row)
        for row in kept
        if condition is None or row.prompt.tags.get(CONDITION) == condition
    ]


def _read(row: ScoredChoices) -> Answered:
    labels = list(row.prompt.choices)
    if row.prompt.expected not in labels or len(labels) < 2:
        raise UsageError(
            f"{where(row.prompt)}: expected is {row.prompt.expected!r}, choices are "
            f"{', '.join(labels) or 'none'}; name the right one of at least two choices"
        )
    reason = why_missing(row)
    if reason is not None:
        return Answered(row.prompt, None, None, reason)
    label = _likeliest({one: length_mean(row, one) for one in labels})
    by_sum = _likeliest({one: total(row, one) for one in labels})
    return Answered(row.prompt, label, by_sum, TIE if label is None else None)


def where(prompt: Prompt) -> str:
    """Return the probe set and template of a prompt, for messages."""
    return f"probe set {prompt.probe_set!r}, template {prompt.template_id!r}"


def count_answers(answers: Sequence[Answered]) -> Counted:
    """Count the questions with and without an answer."""
    reasons = Counter(one.reason for one in answers if one.reason is not None)
    missing = reasons.total()
    return Counted(len(answers) - missing, missing, dict(sorted(reasons.items())))


def accuracy(answers: Iterable[Answered], *, by_sum: bool = False) -> float | None:
    """Return the share of right answers among the questions with one; None without any."""
    pairs = [(one.by_sum if by_sum else one.label, one.prompt.expected) for one in answers]
    right = [label == expected for label, expected in pairs if label is not None]
    return plain(float(np.mean(right))) if right else None


def by_tag(answers: Sequence[Answered], tag: str) -> dict[str, list[Answered]]:
    """Return the answers by the value of a tag, sorted; those without the tag are left out."""
    found: dict[str, list[Answered]] = {}
    for one in answers:
        value = one.prompt.tags.get(tag)
        if value is not None:
            found.setdefault(value, []).append(one)
    return dict(sorted(found.items()))


def values_between(
    observed: Array,
    missing: NDArray[np.bool_],
    ends: tuple[float, float],
    prompts: Sequence[Prompt],
) -> Values:
    """Return values of which the ``missing`` cells lie somewhere between two ends.

    Parameters
    ----------
    observed : ndarray of float64, shape (rows, parts)
        NaN where there is no value: missing ones, and those that a part does not count.
    missing : ndarray of bool, shape (rows, parts)
    ends : (float, float)
    prompts : sequence of Prompt
        One per row.
    """
    clusters, number = cluster_indices(prompts)
    gaps = bool(missing.any())
    return Values(
        observed=observed,
        lowest=np.where(missing, ends[0], observed) if gaps else None,
        highest=np.where(missing, ends[1], observed) if gaps else None,
        units=[prompt.id for prompt in prompts],
        clusters=clusters,
        cluster_count=number,
    )
