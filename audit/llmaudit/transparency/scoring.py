"""The notes on scorers: what each one is, how wrong it is known to be, and its own disparity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmaudit.findings import Measurement, Run
from llmaudit.records import ScorerFacts
from llmaudit.transparency.folders import hide_folders


def scorer_pairs(run: Run) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every note on the run's scorers, each beside its own disparity."""
    for facts in run.scorers:
        yield from _describe(facts)
        without = run.counts.unscored_by_scorer.get(facts.name, {})
        if without:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in without.items())
            yield f"{facts.name}: answers without a score", reasons
        asked = facts.card.get("model")
        if isinstance(asked, Mapping) and asked.get("digest") == run.model.digest:
            said = "the audited model itself: models are known to prefer what they wrote"
            yield f"{facts.name}: who judges", said
        own = [measured for measured in run.scorer_own if measured.scorer == facts.name]
        for measured in own:
            axis = measured.axis or "all groups"
            yield f"{facts.name}: own disparity, {axis}", own_disparity(measured)
        if not own:
            yield f"{facts.name}: own disparity", "not measured in this run"


def _describe(facts: ScorerFacts) -> Iterator[tuple[str, str]]:
    low, high = facts.range
    threshold = "none" if facts.threshold is None else f"{facts.threshold:g}"
    yield facts.name, facts.description
    yield (
        f"{facts.name}: identity",
        f"version {facts.version}, digest {facts.digest}, licence {facts.licence}",
    )
    yield (
        f"{facts.name}: reading",
        f"{facts.construct}, from {low:g} to {high:g}, higher is {facts.higher_is}, "
        f"threshold {threshold}, languages {', '.join(facts.languages) or 'unknown'}",
    )
    for file in facts.files:
        name = hide_folders(file.name)
        yield f"{facts.name}: file {name}", f"{file.size:,} bytes, SHA-256 {file.sha256}"
    yield f"{facts.name}: measured error", "on its card" if facts.card else "unknown"


def flatten(value: Any, name: str = "measured") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested plain data as (spoken path, text); short lists stay one leaf."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            spoken = str(key).replace("_", " ")
            yield from flatten(inner, spoken if name == "measured" else f"{name}, {spoken}")
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for index, inner in enumerate(value, start=1):
            yield from flatten(inner, f"{name} {index}")
    elif isinstance(value, list | tuple):
        yield name, ", ".join(_leaf(item) for item in value) or "none"
    else:
        yield name, _leaf(value)


def _leaf(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.4g}"
    return hide_folders(str(value))


def own_disparity(measured: Measurement) -> str:
    """Return a scorer's largest own difference between groups, in words."""
    if measured.observed is None:
        return f"undefined: {measured.reason or 'no reason given'}"
    values = [float(value) for value in measured.observed.value]
    part, value = max(zip(measured.parts, values, strict=True), key=lambda pair: abs(pair[1]))
    return (
        f"at most {abs(value):.3g} ({part}, {value:+.3g}) on {measured.probe_set}, "
        f"{measured.n:,} texts, {measured.observed.clusters} carrier sentences"
    )
