"""The frozen values that are concluded from human labels, beside the findings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaudit.records import Verdict


@dataclass(frozen=True, slots=True)
class LabelledConstruct:
    """What people labelled of one construct, and how far they agree.

    Attributes
    ----------
    construct, scorer, question : str
        The scorer is the one whose scores made the strata.
    answers, drawn : int
        Answers that could be drawn, and that were.
    labelled, twice : int
        Answers with a label, and with labels of two raters or more.
    unsure, passed_over : int
        Answers that somebody could not judge, or left out; they count at both extremes.
    raters : mapping of str to int
        How many answers each rater labelled.
    differing, settled : int
        Answers on which raters differ, and of those the ones that a further rater settled.
    percent : float or None
        The share of the answers labelled twice on which all raters agree.
    alpha, alpha_low, alpha_high : float or None
        Krippendorff's alpha of the labels as names, with its 95 % interval.
    reason : str or None
        Why there is no alpha, or no interval.
    """

    construct: str
    scorer: str
    question: str
    answers: int
    drawn: int
    labelled: int
    twice: int
    unsure: int
    passed_over: int
    raters: Mapping[str, int]
    differing: int
    settled: int
    percent: float | None
    alpha: float | None = None
    alpha_low: float | None = None
    alpha_high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HumanEstimate:
    """What people would find among all answers, inferred from those that they labelled.

    Attributes
    ----------
    metric, probe_set, axis, scorer, part : str
        As of the measurement that it stands beside.
    value, low, high : float or None
        By prediction-powered inference; None where ``reason`` says why not.
    level : float
    answers, labelled, clusters : int
        All answers, those with a label, and templates that these are to.
    alone, alone_low, alone_high : float or None
        The measurement by the scorer alone.
    tuning : float or None
        Lambda: how much the scorer's word counts, from 0 (not at all) to 1.
    method : str
    reason : str or None
    check : str or None
        The policy's check of the same measurement, with its ``verdict`` by the scorer alone.
    side : str or None
        Where the labels place the value by that check's margin: ``within``, ``beyond`` or
        ``across``.
    """

    metric: str
    probe_set: str
    axis: str | None
    scorer: str
    part: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    answers: int
    labelled: int
    clusters: int
    alone: float | None
    alone_low: float | None
    alone_high: float | None
    tuning: float | None
    method: str
    reason: str | None = None
    check: str | None = None
    verdict: Verdict | None = None
    side: str | None = None


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """What people labelled of a run, and what follows from it.

    ``plan`` is the digest of the last sampling plan, ``last`` that of the review's last event;
    ``plans`` were drawn in all, ``replaced`` imports were replaced by later ones. ``not_by_labels``
    says by metric why labels cannot correct it.
    """

    plan: str
    plans: int
    replaced: int
    last: str
    number: int
    seed: int
    constructs: tuple[LabelledConstruct, ...]
    estimates: tuple[HumanEstimate, ...]
    not_by_labels: Mapping[str, str] = field(default_factory=dict)
