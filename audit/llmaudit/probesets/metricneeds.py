"""What the metrics of choices need to find in a probe set: labels, right answers and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmaudit.probesets.schema import Case, ProbeSetFile, Template
from llmaudit.records import Task
from llmaudit.yamlproblems import Fault, KeyPath, quote

NEED_FAVOURABLE = frozenset({"choice_log_odds_disparity", "stereotype_preference"})
"""The metrics that need to know which choice is the good or the stereotyping one."""

_UNKNOWN = "unknown"
_CONDITIONS: Mapping[str, frozenset[str]] = {
    "bias_disambiguated": frozenset({"ambiguous", "disambiguated"}),
    "bias_ambiguous": frozenset({"ambiguous", "disambiguated"}),
    "coreference_gap": frozenset({"pro", "anti"}),
}
_EXPECTING = frozenset({"question_accuracy", *_CONDITIONS})
_TRIPLES = frozenset({"language_modelling_score", "stereotype_score", "icat"})
_LABELS = frozenset({"stereotype", "antistereotype", "unrelated"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """One template, or one of its cases, with what it says once both are read together."""

    path: KeyPath
    choices: frozenset[str]
    expected: str | None
    tags: Mapping[str, str]


def check_metric_needs(
    definition: ProbeSetFile, metrics: Iterable[str] | None = None
) -> Iterator[Fault]:
    """Yield what a metric would not find in one of the set's templates.

    Parameters
    ----------
    definition : ProbeSetFile
    metrics : iterable of str, optional
        By default those that the set declares.
    """
    declared = frozenset(definition.metrics if metrics is None else metrics)
    if definition.task is not Task.CHOICES or not declared & (_EXPECTING | _TRIPLES):
        return
    for asked in _everything_asked(definition):
        for key, found, remedy in _faults(asked, declared):
            yield (*asked.path, key), found, remedy


def _everything_asked(definition: ProbeSetFile) -> Iterator[_Asked]:
    for place, template in enumerate(definition.probes):
        path: KeyPath = ("templates", place)
        choices = frozenset(template.choices or definition.choices or {})
        if template.cases is None:
            yield _asked(path, choices, template, None)
        for number, case in enumerate(template.cases or ()):
            own = choices if case.choices is None else frozenset(case.choices)
            yield _asked((*path, "cases", number), own, template, case)


def _asked(path: KeyPath, choices: frozenset[str], template: Template, case: Case | None) -> _Asked:
    own = None if case is None else case.expected
    tags = {**template.tags, **({} if case is None else case.tags)}
    return _Asked(path, choices, own or template.expected, tags)


def _faults(asked: _Asked, declared: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    for metric in sorted(declared & _EXPECTING):
        if asked.expected is None:
            yield "expected", f"{metric} needs the right answer", "add expected"
    for metric in sorted(declared & _TRIPLES):
        if asked.choices != _LABELS:
            found = f"{metric} needs the choices {', '.join(sorted(_LABELS))}"
            yield "choices", found, "name exactly these, or remove the metric"
    for metric in sorted(declared & _CONDITIONS.keys()):
        known = " or ".join(sorted(_CONDITIONS[metric]))
        given = asked.tags.get("condition")
        if given not in _CONDITIONS[metric]:
            found = f"{metric} needs the tag condition, {known}"
            yield "tags", found, "add condition" if given is None else f"{quote(given)} is neither"
        elif metric != "coreference_gap":
            yield from _bias_faults(asked, metric, given)


def _bias_faults(asked: _Asked, metric: str, condition: str) -> Iterator[tuple[str, str, str]]:
    if _UNKNOWN not in asked.choices:
        yield "choices", f"{metric} needs a choice {_UNKNOWN}", "add it"
    if asked.tags.get("biased") not in asked.choices - {_UNKNOWN}:
        remedy = "name the label of the answer that the stereotype gives"
        yield "tags", f"{metric} needs the tag biased", remedy
    if asked.expected is not None and (asked.expected == _UNKNOWN) != (condition == "ambiguous"):
        found = f"expected is {quote(asked.expected)} in a question that is {condition}"
        yield "expected", found, f"{_UNKNOWN} is right where the text is ambiguous, and only there"
