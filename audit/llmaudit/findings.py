"""The frozen values that are concluded from scores and likelihoods, and the run they make up.

Metrics make :class:`Measurement` values; verdicts hold measurements against a policy's checks and
make :class:`Finding` values; a :class:`Run` is all of it for the report. An undefined measurement
says why in ``reason``; it is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from llmaudit.corrections import Correction
from llmaudit.humanlabels import HumanLabels
from llmaudit.records import ModelFacts, ProbeSetFacts, Score, ScorerFacts, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Distribution:
    """Point values of ``g`` parts and the cluster-bootstrap replicates around them.

    Attributes
    ----------
    value : ndarray of float64, shape (g,)
    replicates : ndarray of float64, shape (b, g)
        Studentised: ``value + se * t*``. NaN where a resample lost the part, infinite where it
        shows no variation. Empty (b = 0) when fewer than 5 clusters forbid the bootstrap; then
        ``se`` and ``df`` give a t interval.
    se : ndarray of float64, shape (g,)
    clusters : int
    df : ndarray of float64, shape (g,), or None
        Degrees of freedom of ``se``; None where the replicates make them needless.
    """

    value: NDArray[np.float64]
    replicates: NDArray[np.float64]
    se: NDArray[np.float64]
    clusters: int
    df: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """The rows that the values of a measurement are made of: one per prompt, sample or pair.

    Attributes
    ----------
    ids : tuple of str
        The prompt's id, which a prompt's samples share; the pair's id for disparities.
    clusters : tuple of int
        The number of each row's template.
    observed : ndarray of float64, shape (rows, parts)
        NaN where there is no outcome.
    lowest, highest : ndarray of float64, shape (rows, parts)
        The same with missing outcomes at their extremes; ``observed`` where nothing is missing.
    """

    ids: tuple[str, ...]
    clusters: tuple[int, ...]
    observed: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


NO_SCORER_OWN = "no_scorer_own"
"""In a measurement's ``detail``: its scorer counts, and so has no disparity of its own."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one metric makes of one probe set (and axis): a value per part, with its uncertainty.

    ``parts`` are group names for a disparity, ``("all",)`` for a rate. ``observed`` is None and
    ``reason`` set where the metric is undefined. ``lowest`` / ``highest`` are the distributions
    with every missing outcome set to the value that makes the metric smallest / largest; None
    when nothing is missing. ``detail`` has plain numbers for the report (per-group rates, k, ...).
    ``units`` are the rows that two measurements are paired by.
    """

    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    parts: tuple[str, ...]
    observed: Distribution | None
    n: int
    n_missing: int
    missing_reasons: Mapping[str, int] = field(default_factory=dict)
    lowest: Distribution | None = None
    highest: Distribution | None = None
    reason: str | None = None
    method: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    units: Units | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval: what is printed for one part of a measurement."""

    part: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    n_missing: int
    clusters: int
    method: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class WaiverGrant:
    """The waiver of the policy that a finding stands under; ``expires`` is its last day."""

    check: str
    owner: str
    reason: str
    expires: str


class Because(StrEnum):
    """What a verdict rests on: one rule each.

    Pass and fail: every interval lies within the limits; one lies beyond them. Inconclusive: an
    interval reaches across a limit (more data would settle it, or would not within reason); a part
    has no outcome, or no interval; it hangs on the missing outcomes; the scorer's own disparity is
    as large, could hide a larger one, or is not known. Not tested: nothing was measured, too
    much is missing, the measure is undefined, or no probe set is about the construct. ``LICENCE``
    is for the licence alone, whatever came of it.
    """

    WITHIN = "within the limits"
    BEYOND = "beyond the limits"
    ACROSS = "across a limit"
    OUT_OF_REACH = "out of reach"
    NO_VALUE = "no outcome"
    NO_INTERVAL = "no interval"
    MISSING = "missing outcomes decide"
    SCORER_AS_LARGE = "scorer's own as large"
    SCORER_HIDES = "scorer's own could hide more"
    SCORER_UNKNOWN = "scorer's own not known"
    NOT_MEASURED = "not measured"
    MISSING_LIMIT = "too much missing"
    UNDEFINED = "undefined"
    NOT_COVERED = "not covered"
    LICENCE = "licence"


@dataclass(frozen=True, slots=True)
class Finding:
    """One policy check with its verdict and everything needed to defend it.

    ``kind`` is ``ceiling`` (rate below ``margin``), ``disparity`` (two-sided, within ± ``margin``
    around ``ideal``), ``coverage``, ``licence`` or ``scorer``. ``because`` names the rule that gave
    the verdict, ``reason`` says it in a few words, ``plain`` in a sentence for everybody and
    ``exact`` in one that a statistician can check; they are made from the other fields (see
    `llmaudit.verdicts.put_into_words`). ``estimate`` is the part that decided the verdict,
    ``parts`` all of them. ``more_clusters`` and ``more_prompts`` say how much more data would
    settle an inconclusive check; what that takes stands in `Timing`. ``scorer_own`` is the
    scorer's own disparity for these groups.
    A finding with a ``waiver`` keeps its verdict and does not count in the run's.
    """

    check: str
    title: str
    kind: str
    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    margin: float | None
    ideal: float
    verdict: Verdict
    reason: str
    required: bool
    why: str
    because: Because = Because.NOT_MEASURED
    plain: str = ""
    exact: str = ""
    estimate: Estimate | None = None
    parts: tuple[Estimate, ...] = ()
    p_value: float | None = None
    p_adjusted: float | None = None
    effect_size: float | None = None
    effect_name: str = ""
    scorer_own: float | None = None
    more_clusters: int | None = None
    more_prompts: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    waiver: WaiverGrant | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One generation chosen for the report, with what was sent and every score it got."""

    request_id: str
    probe_set: str
    template_id: str
    group: str | None
    sent: str
    text: str | None
    error: str | None
    scores: Mapping[str, Score]
    chosen_because: str


@dataclass(frozen=True, slots=True)
class AgreementFigure:
    """Krippendorff's alpha with its interval: 1 is agreement, 0 what chance gives.

    ``reason`` says why there is no ``value``, or no interval around it.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two scorers of one construct agree on a run's answers.

    Attributes
    ----------
    construct : str
    scorers : (str, str)
    n, n_missing : int
        Answers that both gave a value, and that only one of them did.
    clusters : int
        Templates that the ``n`` answers are to.
    level : float
        The confidence level of the intervals.
    values : AgreementFigure
        Of the values as numbers, each from 0 to 1 of its scorer's range.
    labels : AgreementFigure or None
        Of the labels as names where both scorers use the same ones, else of the sides of their
        shipped thresholds; None where there is neither.
    differing : int
        Answers under different labels, or on different sides.
    disputed : tuple of Example
        The answers whose values are farthest apart, each text once.
    """

    construct: str
    scorers: tuple[str, str]
    n: int
    n_missing: int
    clusters: int
    level: float
    values: AgreementFigure
    labels: AgreementFigure | None
    differing: int
    disputed: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests came to what.

    ``errors``, ``unsupported`` (what the model cannot serve, which is no error) and ``empty`` are
    states of a request; ``degenerate`` and ``refusals`` are labels that scorers gave to answers;
    ``unscored`` counts the scores that a scorer failed to give, and ``unscored_by_scorer`` the
    answers that each scorer gave no value, by the reason, whether or not that is its failure.
    """

    requests: int
    generations: int
    likelihoods: int
    errors: int
    empty: int
    degenerate: int
    refusals: int
    unscored: int
    errors_by_kind: Mapping[str, int] = field(default_factory=dict)
    prompts_by_set: Mapping[str, int] = field(default_factory=dict)
    unsupported: int = 0
    unscored_by_scorer: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """When the run happened and what it took; the only facts that differ between two equal runs.

    ``judged_on`` is the day, in UTC, on which the waivers of its policy had to be in force.
    ``settling_seconds`` holds, by check, what the prompts that would settle it would take on this
    machine, as far as the run itself measured it.
    """

    started: str
    finished: str
    seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    sessions: int = 1
    judged_on: str = ""
    settling_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoundPart:
    """What one round asked of one axis of a probe set; ``axis`` is empty where it names no group.

    ``look`` of ``looks`` is the look at the set that the round made possible, ``spent`` the share
    of a check's alpha that this look and those before it may spend.
    """

    probe_set: str
    axis: str
    look: int
    looks: int
    prompts: int
    generations: int
    likelihoods: int
    spent: float


@dataclass(frozen=True, slots=True)
class Round:
    """One round of an adaptive run: what was asked, and which checks that settled.

    Of the checks that can be measured, ``given_up`` are those that it showed to be out of reach,
    ``still_open`` those that it left.
    """

    number: int
    parts: tuple[RoundPart, ...]
    settled: tuple[str, ...]
    given_up: tuple[str, ...]
    still_open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rounds:
    """How an adaptive run came to its end.

    ``generations`` and ``likelihoods`` are those of its rounds, ``full_generations`` and
    ``full_likelihoods`` those of the whole suite, ``full_by_set`` all requests of each probe set.
    ``refused`` are the (probe set, axis) that had an
    open check and were not asked on, ``budget`` what the last session was allowed.
    """

    rounds: tuple[Round, ...]
    generations: int
    likelihoods: int
    full_generations: int
    full_likelihoods: int
    full_by_set: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    budget: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One finished audit of one model: everything the report is rendered from.

    ``lock`` is the digest of the policy lock that the run was held to from its first request on,
    and None where there was none or where the findings come from another policy than the locked.
    """

    id: str
    directory: str
    command: str
    config: Mapping[str, Any]
    model: ModelFacts
    environment: Mapping[str, str]
    suite: Mapping[str, Any]
    policy: Mapping[str, Any]
    probe_sets: tuple[ProbeSetFacts, ...]
    scorers: tuple[ScorerFacts, ...]
    scorer_own: tuple[Measurement, ...]
    counts: Counts
    measured: tuple[tuple[Measurement, tuple[Estimate, ...]], ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    examples: tuple[Example, ...]
    timing: Timing
    warnings: tuple[str, ...] = ()
    lock: str | None = None
    rounds: Rounds | None = None
    agreements: tuple[Agreement, ...] = ()
    human_labels: HumanLabels | None = None
    corrections: tuple[Correction, ...] = ()
