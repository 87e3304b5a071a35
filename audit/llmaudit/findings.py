"""The frozen values that are concluded from scores and likelihoods, and the run they make up.

Metrics make :class:`Measurement` values; verdicts hold measurements against a policy's checks and
make :class:`Finding` values; a :class:`Run` is all of it for the report. An undefined measurement
says why in ``reason``; it is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
        shows no variation. Empty (b = 0) when fewer than 10 clusters forbid the bootstrap; then
        ``se`` and ``clusters`` give a t interval on cluster means.
    se : ndarray of float64, shape (g,)
    clusters : int
    """

    value: NDArray[np.float64]
    replicates: NDArray[np.float64]
    se: NDArray[np.float64]
    clusters: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one metric makes of one probe set (and axis): a value per part, with its uncertainty.

    ``parts`` are group names for a disparity, ``("all",)`` for a rate. ``observed`` is None and
    ``reason`` set where the metric is undefined. ``lowest`` / ``highest`` are the distributions
    with every missing outcome set to the value that makes the metric smallest / largest; None
    when nothing is missing. ``detail`` has plain numbers for the report (per-group rates, k, ...).
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
class Finding:
    """One policy check with its verdict and everything needed to defend it.

    ``kind`` is ``ceiling`` (rate below ``margin``), or ``disparity`` (two-sided, within
    ± ``margin`` around ``ideal``). ``estimate`` is the part that decided the verdict,
    ``parts`` all of them. ``more_clusters`` and ``more_prompts`` say how much more data would
    settle an inconclusive check. ``scorer_own`` is the scorer's own disparity for these groups.
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
class Counts:
    """How many requests came to what.

    ``errors``, ``unsupported`` (what the model cannot serve, which is no error) and ``empty`` are
    states of a request; ``degenerate`` and ``refusals`` are labels that scorers gave to answers;
    ``unscored`` counts the scores that a scorer failed to give.
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


@dataclass(frozen=True, slots=True)
class Timing:
    """When the run happened and what it took; the only facts that differ between two equal runs."""

    started: str
    finished: str
    seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    sessions: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One finished audit of one model: everything the report is rendered from."""

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
