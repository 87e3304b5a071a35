"""What is wrong with a policy file, all of it at once, each fault with its line.

A key that is missing or misspelt must not hide an unknown metric three lines below it, so every
entry is looked at by itself, with what of it is sound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.policies import (
    LICENCE,
    Check,
    Coverage,
    FilePart,
    Policy,
    ScorerDemand,
    Waiver,
    coverage_id,
)
from llmaudit.probesets import ProbeSet
from llmaudit.probesets.metricneeds import check_metric_needs
from llmaudit.probesets.schema import METRICS as METRICS_BY_TASK
from llmaudit.scorers import knows_scorer, list_scorers, scorer_facts_without_loading
from llmaudit.verdicts.waivers import say_expired
from llmaudit.yamlfile import Document, validate
from llmaudit.yamlproblems import name_nearest

_PartT = TypeVar("_PartT", bound=FilePart)
_Fault = tuple[str, str, str]
"""A key, the problem, and its remedy."""


class ProbeSets(Protocol):
    """The probe sets that a policy may name."""

    def names(self) -> set[str]:
        """Return their ids."""

    def get(self, name: str) -> ProbeSet | None:
        """Return one of them, if there is one of that id."""


def find_policy_faults(document: Document, known: ProbeSets | None, on: date) -> list[FileProblem]:
    """Return every fault of a policy file.

    Parameters
    ----------
    document : Document
    known : ProbeSets or None
        What the policy may name; None where probe sets may be any.
    on : date
        The day on which its waivers must be in force.
    """
    if not isinstance(document.data, dict):
        return _structural(document)
    found = [
        *_check_faults(document, known),
        *_demand_faults(document),
        *_waiver_faults(document, on),
    ]
    repeated = list(_repetitions(document))
    # Where the place of a repetition is known, the same said of the whole file adds nothing.
    structural = [one for one in _structural(document) if one.key or not repeated]
    return list(dict.fromkeys([*structural, *found, *repeated]))


def _structural(document: Document) -> list[FileProblem]:
    """Return how a file breaks the format of policies."""
    try:
        validate(document, Policy)
    except InvalidFileError as error:
        return list(error.problems)
    return []


def _parts(document: Document, key: str, model: type[_PartT]) -> Iterator[tuple[int, _PartT]]:
    """Yield the place and content of each entry of a list, faulty keys left out of it."""
    listed = document.data.get(key)
    for place, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict):
            yield place, _read_part(entry, model)


def _read_part(entry: dict[str, Any], model: type[_PartT]) -> _PartT:
    """Return an entry; what is missing in it or wrong is empty text, or its default."""
    try:
        return model.model_validate_json(json.dumps(entry), strict=True)
    except ValidationError as error:
        wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in entry and key not in wrong:
            values[name] = entry[key]
        elif info.is_required():
            values[name] = ""
    return model.model_construct(**values)


def _check_faults(document: Document, known: ProbeSets | None) -> Iterator[FileProblem]:
    for place, check in _parts(document, "checks", Check):
        for key, problem, remedy in (*_metric_faults(check), *_set_faults(check, known)):
            yield document.problem(("checks", place, key), problem, remedy)


def _metric_faults(check: Check) -> Iterator[_Fault]:
    """Yield faults of a check's metric and scorer."""
    from llmaudit.metrics import METRICS

    spec = METRICS.get(check.metric)
    if spec is None and check.metric:
        yield "metric", f"unknown metric {check.metric!r}", name_nearest(check.metric, METRICS)
    if check.scorer is None:
        return
    if not knows_scorer(check.scorer):
        yield "scorer", *_unknown_scorer(check.scorer)
    elif spec is not None:
        facts = scorer_facts_without_loading(check.scorer)
        if spec.needs != "scores":
            yield "scorer", f"{check.metric} uses no scorer", "remove the key"
        elif facts is not None and not spec.serves(facts.construct):
            problem = f"scorer {check.scorer!r} measures {facts.construct}"
            yield "scorer", problem, f"{check.metric} needs a scorer for {spec.construct}"


def _unknown_scorer(name: str) -> tuple[str, str]:
    return f"unknown scorer {name!r}", name_nearest(name, list_scorers())


def _set_faults(check: Check, known: ProbeSets | None) -> Iterator[_Fault]:
    """Yield faults of a check's probe set, axis and contrast."""
    if known is None:
        return
    if not check.probe_set:
        yield from _axis_faults(check, known)
        return
    probe_set = known.get(check.probe_set)
    if probe_set is None:
        remedy = name_nearest(check.probe_set, known.names())
        yield "probe_set", f"unknown probe set {check.probe_set!r}", remedy
        return
    definition = probe_set.definition
    suitable = METRICS_BY_TASK[definition.task]
    if check.metric not in suitable and any(
        check.metric in one for one in METRICS_BY_TASK.values()
    ):
        problem = f"{check.metric} cannot read {definition.id}, a set of {definition.task.value}"
        yield "metric", problem, f"use one of {', '.join(sorted(suitable))}"
    elif needed := next(check_metric_needs(definition, [check.metric]), None):
        yield "metric", f"{definition.id} does not suit: {needed[1]}", needed[2]
    if check.axis is None:
        if check.metric.endswith("_disparity"):
            yield "axis", "a disparity needs an axis", f"add one of {', '.join(definition.axes)}"
    elif check.axis not in definition.axes:
        problem = f"{definition.id} has no axis {check.axis!r}"
        yield "axis", problem, name_nearest(check.axis, definition.axes)
    else:
        yield from _contrast_faults(check, [probe_set])


def _axis_faults(check: Check, known: ProbeSets) -> Iterator[_Fault]:
    """Yield faults of a check that concerns every probe set with its axis."""
    loaded = [one for name in known.names() if (one := known.get(name)) is not None]
    axes = {axis for one in loaded for axis in one.definition.axes}
    if check.axis is None:
        return
    if check.axis not in axes:
        remedy = name_nearest(check.axis, axes)
        yield "axis", f"no probe set has the axis {check.axis!r}", remedy
        return
    if check.metric and not check.metric.endswith("_disparity"):
        problem = f"{check.metric} compares no groups, so an axis does not find its probe sets"
        yield "metric", problem, "add a probe_set"
    yield from _contrast_faults(check, [one for one in loaded if check.axis in one.definition.axes])


def _contrast_faults(check: Check, sets: Iterable[ProbeSet]) -> Iterator[_Fault]:
    groups = {group.id for one in sets for group in one.lexicons[str(check.axis)].groups}
    if check.contrast not in {"others", *groups}:
        problem = f"unknown group {check.contrast!r}"
        yield "contrast", problem, name_nearest(check.contrast, ["others", *groups])


def _demand_faults(document: Document) -> Iterator[FileProblem]:
    """Yield faults of the scorers and constructs that a policy demands."""
    for place, demanded in _parts(document, "scorers", ScorerDemand):
        key = ("scorers", place)
        constructs = _scorer_constructs()
        if demanded.name is not None and not knows_scorer(demanded.name):
            yield document.problem((*key, "name"), *_unknown_scorer(demanded.name))
        wanted = demanded.construct_name
        if wanted is not None and wanted not in constructs:
            remedy = name_nearest(wanted, constructs)
            yield document.problem((*key, "construct"), f"no scorer is for {wanted!r}", remedy)


def _scorer_constructs() -> set[str]:
    """Return what the scorers that can be described without loading measure."""
    found = (scorer_facts_without_loading(name) for name in list_scorers())
    return {facts.construct for facts in found if facts is not None}


def _waiver_faults(document: Document, on: date) -> Iterator[FileProblem]:
    """Yield waivers of what the policy does not ask for, and those that are over."""
    checks = {check.id: check for _, check in _parts(document, "checks", Check)}
    names = _waivable(document, checks)
    for place, waiver in _parts(document, "waivers", Waiver):
        key = ("waivers", place)
        first, colon, _ = waiver.check.partition(":")
        spread = colon and first in checks and not checks[first].probe_set
        if waiver.check and waiver.check not in names and not spread:
            problem = f"the policy has no check {waiver.check!r} to waive"
            yield document.problem((*key, "check"), problem, name_nearest(waiver.check, names))
        if _is_over(waiver, on):
            problem, _, remedy = say_expired(waiver, on).partition("; ")
            yield document.problem((*key, "expires"), problem, remedy)


def _is_over(waiver: Waiver, on: date) -> bool:
    """Say whether a waiver's date is past; one that is no date is a fault already."""
    try:
        return date.fromisoformat(str(waiver.expires)) < on
    except ValueError:
        return False


def _waivable(document: Document, checks: Iterable[str]) -> set[str]:
    """Return every id that a finding under the policy can have."""
    covered = (one.construct_name for _, one in _parts(document, "coverage", Coverage))
    scorers = (one.id for _, one in _parts(document, "scorers", ScorerDemand))
    licence = [LICENCE] if document.data.get("licence") else []
    return {*checks, *map(coverage_id, covered), *scorers, *licence} - {""}


def _repetitions(document: Document) -> Iterator[FileProblem]:
    """Yield each entry that says again what an entry above it has said."""
    named: dict[str, tuple[str, list[tuple[int, str]]]] = {
        "checks": ("id", [(n, one.id) for n, one in _parts(document, "checks", Check)]),
        "coverage": (
            "construct",
            [(n, one.construct_name) for n, one in _parts(document, "coverage", Coverage)],
        ),
        "scorers": ("", [(n, one.id) for n, one in _parts(document, "scorers", ScorerDemand)]),
        "waivers": ("check", [(n, one.check) for n, one in _parts(document, "waivers", Waiver)]),
    }
    for part, (key, entries) in named.items():
        first: dict[str, int] = {}
        for place, name in entries:
            where = (part, place, key) if key else (part, place)
            if name and first.setdefault(name, place) != place:
                line = document.line((part, first[name]))
                problem = f"{name!r} is already on line {line}"
                yield document.problem(where, problem, "keep one, or name it differently")
