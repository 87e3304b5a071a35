"""The parts of a report as plain values: what templates read. Every text in them is unescaped."""

from __future__ import annotations

from dataclasses import dataclass

from llmaudit.findings import Estimate
from llmaudit.records import Verdict

Fact = tuple[str, str]
"""A label and its text."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part (a group, or ``all``) of a check or measure, in words and numbers."""

    part: str
    value: str
    interval: str
    level: str
    n: int
    n_missing: int
    clusters: int
    method: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckView:
    """One finding. ``key`` is its anchor and the name of its figure."""

    key: str
    title: str
    verdict: Verdict
    symbol: str
    sentence: str
    reason: str
    more: str
    estimate: str
    interval: str
    part: str
    margin: str
    required: bool
    why: str
    rows: tuple[PartRow, ...]
    estimates: tuple[Estimate, ...]
    facts: tuple[Fact, ...]
    detail: tuple[Fact, ...]
    limits: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class MeasureView:
    """One measurement that no check of the policy holds against a margin."""

    key: str
    title: str
    reason: str
    rows: tuple[PartRow, ...]
    estimates: tuple[Estimate, ...]
    facts: tuple[Fact, ...]
    detail: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class GroupView:
    """All measurements of one axis side by side: ``rows`` are (group, one cell per column)."""

    key: str
    axis: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    series: tuple[tuple[str, tuple[Estimate, ...]], ...]


@dataclass(frozen=True, slots=True)
class ScoreView:
    """One scorer's value for an example; ``value`` is a dash where there is none."""

    scorer: str
    value: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExampleView:
    """One generation with what was sent.

    ``state`` is ``text``, ``empty``, ``error`` or ``unsupported``.
    """

    request_id: str
    template_id: str
    group: str
    sent: str
    state: str
    output: str
    because: str
    scores: tuple[ScoreView, ...]


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """The examples of one probe set."""

    probe_set: str
    examples: tuple[ExampleView, ...]


@dataclass(frozen=True, slots=True)
class NoteGroup:
    """The transparency notes under one heading: named ones, and sentences that need no name."""

    section: str
    named: tuple[Fact, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestedRow:
    """One probe set of the suite: what it looks at and how much of it was sent."""

    id: str
    title: str
    construct: str
    task: str
    language: str
    axes: str
    templates: int
    prompts: int


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Everything a template can use, under these names.

    Nothing but ``timing`` depends on when the run happened or how long it took, so that two
    equal runs give equal reports once the section with the id ``timing`` is removed.
    """

    run_id: str
    model: str
    model_line: str
    suite_line: str
    policy_line: str
    verdict: Verdict
    verdict_symbol: str
    verdict_sentence: str
    tally: tuple[tuple[Verdict, str, int], ...]
    warnings: tuple[str, ...]
    checks: tuple[CheckView, ...]
    measures: tuple[MeasureView, ...]
    groups: tuple[GroupView, ...]
    tested: tuple[TestedRow, ...]
    covers: tuple[str, ...]
    not_tested: tuple[Fact, ...]
    does_not_cover: tuple[str, ...]
    examples: tuple[ExampleGroup, ...]
    notes: tuple[NoteGroup, ...]
    command: str
    config: str
    versions: tuple[Fact, ...]
    digests: tuple[Fact, ...]
    timing: tuple[Fact, ...]
