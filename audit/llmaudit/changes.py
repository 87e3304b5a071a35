"""The frozen values of a comparison of two runs: what changed, and whether it got worse.

Metrics pair the rows of two runs and make :class:`PairedMeasurement` values; verdicts hold these
against a policy's checks and make :class:`Change` values; a :class:`Comparison` is all of it for
whoever prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from llmaudit.findings import Measurement

RATE_PART = "all"
"""The only part of a measurement that is one rate, not a comparison of groups."""


class ChangeVerdict(StrEnum):
    """What became of a check from one run to another. Absence of evidence is never *unchanged*."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    UNCHANGED = "no relevant change"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True)
class PairedMeasurement:
    """One metric of two runs, over the outcomes that both have.

    Attributes
    ----------
    base, candidate : Measurement
        The metric of each run, without bootstrap replicates.
    change : Measurement
        Candidate minus base, unit by unit. Its ``n`` counts outcomes that both runs have and its
        ``n_missing`` those that one of them lacks.
    total : Measurement
        Candidate plus base, minus twice the ideal: what tells whether a difference from the ideal
        grew or only changed sides.
    rose, fell : Measurement or None
        Of rates: the mean of the units' increases, and of their decreases, both positive.
    identical : bool
        Every outcome, and everything missing, is the same in both runs.
    """

    base: Measurement
    candidate: Measurement
    change: Measurement
    total: Measurement
    rose: Measurement | None = None
    fell: Measurement | None = None
    identical: bool = False


@dataclass(frozen=True, slots=True)
class PartChange:
    """What became of one part of a check.

    ``change`` is candidate minus base with its simultaneous interval; ``worsening`` is the same
    where higher is worse, and by how much the distance from the ideal grew for a disparity.
    """

    part: str
    base: float | None
    candidate: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    worsening: float | None
    low: float | None
    high: float | None
    level: float
    verdict: ChangeVerdict
    method: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run has for an example: an answer (or likelihoods) and its score, or an error."""

    text: str | None
    error: str | None
    value: float | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class ExamplePair:
    """One prompt and sample in both runs. ``kind`` says why it was chosen."""

    kind: str
    prompt_id: str
    sample_index: int
    template_id: str
    group: str | None
    sent: str
    sent_candidate: str
    base: Answer
    candidate: Answer


@dataclass(frozen=True, slots=True)
class Change:
    """One check of the policy, held against two runs.

    ``margin`` is the allowed change. ``part`` decided the verdict, ``parts`` are all of them.
    ``plain`` says what became of it to everybody, ``exact`` so that a statistician can check it.
    ``newly_failing`` and ``newly_passing`` count single outcomes.
    """

    check: str
    title: str
    kind: str
    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    margin: float
    ideal: float
    required: bool
    why: str
    verdict: ChangeVerdict
    plain: str
    exact: str = ""
    part: PartChange | None = None
    parts: tuple[PartChange, ...] = ()
    n: int = 0
    n_missing: int = 0
    missing_reasons: Mapping[str, int] = field(default_factory=dict)
    clusters: int = 0
    p_value: float | None = None
    p_adjusted: float | None = None
    more_clusters: int | None = None
    more_prompts: int | None = None
    newly_failing: int = 0
    newly_passing: int = 0
    examples: tuple[ExamplePair, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A difference in how two runs were made that spoils their comparison unless it is allowed.

    Attributes
    ----------
    name : str
        What ``--allow`` calls it.
    what : str
        What differs, with the probe set or scorer it concerns.
    base, candidate : str
        Both values.
    why : str
        Why it matters.
    effect : str
        What is left out, or how the rest is to be read, once it is allowed.
    """

    name: str
    what: str
    base: str
    candidate: str
    why: str
    effect: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs, as a comparison names it."""

    directory: str
    run_id: str
    model: str
    digest: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two finished runs held against each other: everything a comparison is printed from.

    ``differences`` are (what, base, candidate) of what the two models and their settings differ in.
    """

    base: Side
    candidate: Side
    suite: str
    policy: Mapping[str, Any]
    verdict: ChangeVerdict
    changes: tuple[Change, ...]
    differences: tuple[tuple[str, str, str], ...]
    allowed: tuple[Obstacle, ...] = ()
    warnings: tuple[str, ...] = ()
