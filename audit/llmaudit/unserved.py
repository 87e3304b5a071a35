"""Probe sets that a model cannot serve at all, and why: what it cannot do is not an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    ModelFacts,
    ProbeSetFacts,
    RequestError,
    Task,
)

Result: TypeAlias = Generation | Likelihood
"""What a request came to."""

_LACKING = {Task.GENERATE: "generates no text", Task.CHOICES: "gives no likelihoods"}


def unserved_sets(
    model: ModelFacts,
    probe_sets: Iterable[ProbeSetFacts],
    results: Mapping[str, Sequence[Result]],
) -> dict[str, str]:
    """Return the probe sets of a finished run that its model cannot serve, with a sentence each.

    Parameters
    ----------
    model : ModelFacts
    probe_sets : iterable of ProbeSetFacts
        Sets of carriers are for scorers and are left out.
    results : mapping of probe set to sequence of Generation or Likelihood
        Of a set that has none, the model lacks the capability that the set needs.
    """
    found = {}
    for facts in probe_sets:
        if facts.task is Task.CARRIER:
            continue
        errors = [one.error for one in results.get(facts.id, ())]
        unsupported = [one for one in errors if _is_unsupported(one)]
        if len(unsupported) == len(errors):
            found[facts.id] = _say_why(model, facts, [one.message for one in unsupported if one])
    return found


def _is_unsupported(error: RequestError | None) -> bool:
    return error is not None and error.kind is ErrorKind.UNSUPPORTED


def _say_why(model: ModelFacts, facts: ProbeSetFacts, messages: Sequence[str]) -> str:
    """Return the model's own reason; of several, the most frequent one."""
    if facts.task is Task.CHOICES and model.no_likelihood:
        return model.no_likelihood
    if not messages:
        return f"{model.name} {_LACKING[facts.task]}, which probe set {facts.id} needs."
    counted = Counter(messages)
    message = min(counted, key=lambda one: (-counted[one], one)).rstrip(".")
    more = f" (and {len(counted) - 1} more reasons of this kind)" if len(counted) > 1 else ""
    return f"{model.name} cannot serve probe set {facts.id}: {message}{more}."
