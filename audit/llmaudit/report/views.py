"""The parts of a report as plain values: what templates read. Every text in them is unescaped."""

from __future__ import annotations

from dataclasses import dataclass

from llmaudit.findings import Estimate
from llmaudit.records import Verdict

Fact = tuple[str, str]
"""A label and its text."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part (a group, or ``all``) of a check or measure, in words and numbers.

    ``own`` is its scorer's own disparity, ``corrected`` the part's without it; empty where the
    measure is none of a scorer's disparities.
    """

    part: str
    value: str
    interval: str
    level: str
    n: int
    n_missing: int
    clusters: int
    method: str
    reason: str
    q: str = ""
    own: str = ""
    corrected: str = ""


@dataclass(frozen=True, slots=True)
class CheckView:
    """One finding. ``key`` is its anchor and the name of its figure.

    ``reason``, ``plain`` and ``exact`` say what was found, from a few words to all; ``waiver`` says
    who waived it and why, or nothing. ``cost`` says what more data would take on this machine; like
    the timing section it depends on the clock, and nothing else in a view does.
    """

    key: str
    title: str
    verdict: Verdict
    symbol: str
    reason: str
    plain: str
    exact: str
    cost: str
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
    waiver: str


@dataclass(frozen=True, slots=True)
class WaiverView:
    """One waiver of the policy; ``effect`` says what it waives here, if that is ``needed``."""

    check: str
    owner: str
    reason: str
    expires: str
    effect: str
    needed: bool


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
class AgreementView:
    """How far two scorers of one construct agree; ``disputed`` are answers they see differently."""

    construct: str
    scorers: str
    n: str
    n_missing: str
    clusters: str
    values: str
    labels: str
    differing: str
    level: str
    reason: str
    disputed: tuple[ExampleView, ...]


Cell = tuple[str, str]
"""What a cell says, and what stands small beneath it, such as an interval."""


@dataclass(frozen=True, slots=True)
class CardTable:
    """A table of a scorer's card; every row has a cell per column, ``notes`` stand beneath it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class ScorerCardView:
    """One scorer: what it is for, what it was made from, and how wrong it is known to be.

    ``not_measured`` says why there are no figures, where there are none; ``rest`` is what the
    card says besides.
    """

    name: str
    description: str
    facts: tuple[Fact, ...]
    limits: tuple[str, ...]
    measured: CardTable | None
    not_measured: str
    groups: tuple[CardTable, ...]
    shift: CardTable | None
    rest: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """What people labelled of one construct, and how far they agree."""

    construct: str
    question: str
    drawn: str
    labelled: str
    twice: str
    agree: str
    alpha: str
    differing: str
    unsure: str
    passed_over: str
    raters: str
    remark: str


@dataclass(frozen=True, slots=True)
class HumanEstimateRow:
    """An estimate by people's labels beside the scorer's own; ``stands`` compares the verdict."""

    part: str
    people: str
    alone: str
    level: str
    labels: str
    clusters: str
    tuning: str
    stands: str


@dataclass(frozen=True, slots=True)
class HumanMeasure:
    """The estimates of one measure by labels; ``check`` says what its verdict by the scorer is."""

    title: str
    check: str
    rows: tuple[HumanEstimateRow, ...]


@dataclass(frozen=True, slots=True)
class HumanLabelsView:
    """What people labelled; ``lacking`` are measures that labels did not correct, and why."""

    sentences: tuple[str, ...]
    constructs: tuple[LabelledRow, ...]
    measures: tuple[HumanMeasure, ...]
    lacking: tuple[Fact, ...]
    method: str
    plan: str
    last: str


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
class RoundRow:
    """One round of an adaptive run: how much it asked, which looks it made, what they settled."""

    number: int
    generations: str
    likelihoods: str
    looks: tuple[str, ...]
    settled: tuple[str, ...]
    given_up: tuple[str, ...]
    still_open: int


@dataclass(frozen=True, slots=True)
class SampledRow:
    """How many requests each round sent of one probe set, and how many the whole set makes."""

    probe_set: str
    by_round: tuple[str, ...]
    made: str
    whole: str
    share: str


@dataclass(frozen=True, slots=True)
class RoundsView:
    """The rounds of an adaptive run: what to know of them, round by round, and set by set."""

    sentences: tuple[str, ...]
    rounds: tuple[RoundRow, ...]
    sampled: tuple[SampledRow, ...]


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
    waivers: tuple[WaiverView, ...]
    measures: tuple[MeasureView, ...]
    groups: tuple[GroupView, ...]
    tested: tuple[TestedRow, ...]
    rounds: RoundsView | None
    covers: tuple[str, ...]
    not_tested: tuple[Fact, ...]
    does_not_cover: tuple[str, ...]
    examples: tuple[ExampleGroup, ...]
    agreements: tuple[AgreementView, ...]
    human_labels: HumanLabelsView | None
    scorers: tuple[ScorerCardView, ...]
    notes: tuple[NoteGroup, ...]
    command: str
    config: str
    versions: tuple[Fact, ...]
    digests: tuple[Fact, ...]
    timing: tuple[Fact, ...]
