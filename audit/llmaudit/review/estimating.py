"""What labels of a sample say of all answers: measurements corrected by what people said.

The estimates stand beside the verdicts and change none: a policy's margins, Holm's correction and
the bounds of missing outcomes are those of the measurement by the scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Estimate, Finding, Measurement, Run
from llmaudit.humanlabels import HumanEstimate, HumanLabels
from llmaudit.metrics.toxicity import THRESHOLD
from llmaudit.records import Prompt
from llmaudit.review.framing import Answers
from llmaudit.review.history import Event, History, read_history
from llmaudit.review.judging import Judged, describe_construct, judge_answers, number_clusters
from llmaudit.review.planning import ConstructPlan, ReviewPlan, Stratum
from llmaudit.review.questions import NOT_BY_LABELS, QUESTIONS, Question
from llmaudit.stats import (
    LabelledSample,
    Powered,
    ppi_difference,
    ppi_mean,
    stratified_difference,
    stratified_share,
    widen,
)

LEAST_RATE = 20
"""Fewer labels than this give no estimate of a rate."""
LEAST_GROUP = 10
"""Fewer labels of a group than this give no estimate of a difference that it is part of."""

_ALL = "all"
_OTHERS = "others"
_METHOD = (
    "prediction-powered inference (PPI++) with lambda {tuning:.2f}, t with {df} df over templates, "
    "widened to mid-P intervals by stratum"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One answer of a measurement: its stratum, what the scorer said and what people said."""

    request_id: str
    stratum: Stratum
    predicted: float
    judged: Judged | None


def add_labels(run: Run, events: Iterable[Event], answers: Answers) -> Run:
    """Return the run with what people labelled of it, where a sample was drawn.

    Parameters
    ----------
    run : Run
        Its measurements and findings are what the estimates stand beside.
    events : iterable of Event
        Those of the run's store.
    answers : Answers

    Raises
    ------
    StoreError
        If the stored review was changed.
    """
    history = read_history(events, run.id, answers.generations)
    if history.plan is None:
        return run
    return replace(run, human_labels=_estimate_labels(run, history, history.plan, answers))


def _estimate_labels(run: Run, history: History, plan: ReviewPlan, answers: Answers) -> HumanLabels:
    judged = judge_answers(history, plan)
    estimates: list[HumanEstimate] = []
    metrics: set[str] = set()
    for one in plan.constructs:
        scorers = {facts.name for facts in run.scorers if facts.construct == one.construct}
        for measured, shown in run.measured:
            if measured.scorer not in scorers:
                continue
            metrics.add(measured.metric)
            if measured.metric in QUESTIONS[one.construct].outcomes:
                maker = _Maker(one, judged[one.construct], answers, measured, shown)
                estimates += [_beside_check(found, run.findings) for found in maker.estimates(run)]
    return HumanLabels(
        plan=plan.digest,
        plans=history.plans,
        replaced=history.replaced,
        last=history.last,
        number=plan.number,
        seed=plan.seed,
        constructs=tuple(
            describe_construct(plan, one, history, judged[one.construct], answers)
            for one in plan.constructs
        ),
        estimates=tuple(estimates),
        not_by_labels={name: why for name, why in NOT_BY_LABELS.items() if name in metrics},
    )


class _Maker:
    """Makes the estimates that stand beside one measurement."""

    def __init__(
        self,
        plan: ConstructPlan,
        judged: Mapping[str, Judged],
        answers: Answers,
        measured: Measurement,
        shown: Sequence[Estimate],
    ) -> None:
        self._plan, self._judged, self._answers = plan, judged, answers
        self._measured = measured
        self._alone = {one.part: one for one in shown}
        self._question: Question = QUESTIONS[plan.construct]

    def estimates(self, run: Run) -> list[HumanEstimate]:
        """Return one estimate per part of the measurement."""
        rows = self._rows()
        alpha = float(run.policy.get("alpha", 0.05))
        if self._measured.axis is None:
            groups = np.zeros(len(rows), dtype=np.intp)
            return [self._estimate(_ALL, rows, groups, None, alpha)]
        found = [str(self._answers.prompt(row.request_id).group) for row in rows]
        names = sorted({*found, *self._measured.parts})
        groups = np.array([names.index(name) for name in found], dtype=np.intp)
        against = str(self._measured.detail.get("contrast", _OTHERS))
        parts = [name for name in names if name != against]
        share = alpha / max(1, len(parts))
        return [
            self._estimate(part, rows, groups, _contrast(names, part, against), share)
            for part in parts
        ]

    def _rows(self) -> list[_Row]:
        """Return the answers of the measurement's prompts, with or without labels."""
        metric, axis = self._measured.metric, self._measured.axis
        scores = self._answers.scores_by(str(self._measured.scorer))
        found = []
        for stratum in self._plan.strata:
            if stratum.probe_set != self._measured.probe_set:
                continue
            for key in stratum.members:
                prompt = self._answers.prompt(key)
                if axis is None or _names_group(prompt, axis):
                    said = self._question.predicted(metric, scores.get(key), prompt)
                    found.append(_Row(key, stratum, said, self._judged.get(key)))
        return found

    def _estimate(
        self,
        part: str,
        rows: Sequence[_Row],
        groups: NDArray[np.intp],
        contrast: NDArray[np.float64] | None,
        alpha: float,
    ) -> HumanEstimate:
        known = np.array([row.judged is not None for row in rows], dtype=np.bool_)
        alone = self._alone.get(part)
        prompts = [self._answers.prompt(row.request_id) for row in rows]
        clusters = number_clusters(prompts)
        blank = HumanEstimate(
            metric=self._measured.metric,
            probe_set=self._measured.probe_set,
            axis=self._measured.axis,
            scorer=str(self._measured.scorer),
            part=part,
            value=None,
            low=None,
            high=None,
            level=1 - alpha,
            answers=len(rows),
            labelled=int(known.sum()),
            clusters=len({one for one, seen in zip(clusters, known, strict=True) if seen}),
            alone=None if alone is None else alone.value,
            alone_low=None if alone is None else alone.low,
            alone_high=None if alone is None else alone.high,
            tuning=None,
            method="",
            reason=self._outgrown(rows) or _too_few(known, groups, contrast),
        )
        if blank.reason is not None:
            return blank
        samples = [self._sample(rows, groups, clusters, unsure) for unsure in (0.0, 1.0)]
        return _conclude(blank, samples, contrast, alpha)

    def _outgrown(self, rows: Sequence[_Row]) -> str | None:
        """Return why the sample is none of all answers, where the run has gained some since."""
        axis, probe_set = self._measured.axis, self._measured.probe_set
        framed = {row.request_id for row in rows}
        more = [
            key
            for key in self._answers.with_text({probe_set})
            if key not in framed and (axis is None or _names_group(self._answers.prompt(key), axis))
        ]
        if not more:
            return None
        return f"{len(more)} answers were not there, or not to be labelled, when it was drawn"

    def _sample(
        self,
        rows: Sequence[_Row],
        groups: NDArray[np.intp],
        clusters: Sequence[int],
        unsure: float,
    ) -> LabelledSample:
        """Return the rows as numbers, what nobody could judge set to ``unsure``."""
        kinds = [(row.stratum.tier, row.predicted >= THRESHOLD) for row in rows]
        order = sorted(set(kinds))
        human = [
            float("nan")
            if row.judged is None
            else row.judged.outcome(
                self._question,
                self._measured.metric,
                self._answers.prompt(row.request_id),
                unsure,
            )
            for row in rows
        ]
        return LabelledSample(
            predicted=np.array([row.predicted for row in rows]),
            human=np.array(human),
            weight=np.array([row.stratum.weight for row in rows]),
            cluster=np.array(clusters, dtype=np.intp),
            group=groups,
            stratum=np.array([order.index(kind) for kind in kinds], dtype=np.intp),
        )


def _names_group(prompt: Prompt, axis: str) -> bool:
    return prompt.axis == axis and prompt.group is not None


def _contrast(names: Sequence[str], part: str, against: str) -> NDArray[np.float64]:
    """Return 1 for a group, and what adds up to -1 for what it is compared with."""
    found = np.array([-float(name == against) for name in names])
    if against == _OTHERS:
        found[:] = -1 / max(1, len(names) - 1)
    found[names.index(part)] = 1.0
    return found


def _too_few(
    known: NDArray[np.bool_], groups: NDArray[np.intp], contrast: NDArray[np.float64] | None
) -> str | None:
    if contrast is None:
        if known.sum() >= LEAST_RATE:
            return None
        return f"{known.sum()} labels; a rate needs {LEAST_RATE}"
    counts = [int(known[groups == group].sum()) for group in np.flatnonzero(contrast)]
    if len(counts) < 2:
        return "fewer than two groups have answers"
    if min(counts) >= LEAST_GROUP:
        return None
    return f"{min(counts)} labels of one group; a difference needs {LEAST_GROUP} of each"


def _conclude(
    blank: HumanEstimate,
    samples: Sequence[LabelledSample],
    contrast: NDArray[np.float64] | None,
    alpha: float,
) -> HumanEstimate:
    """Return the estimate: its interval holds those of what could not be judged at either end."""
    found: list[tuple[Powered, tuple[float, float]]] = []
    for sample in samples:
        if contrast is None:
            powered, exact = ppi_mean(sample), stratified_share(sample, alpha)
            ends = widen(powered, exact, alpha, (0.0, 1.0))
        else:
            powered = ppi_difference(sample, contrast)
            exact = stratified_difference(sample, contrast, alpha)
            ends = widen(powered, exact, alpha, (-1.0, 1.0))
        found.append((powered, ends))
    least = 0.0 if contrast is None else -1.0
    value = sum(powered.value for powered, _ in found) / len(found)
    tuning = sum(powered.tuning for powered, _ in found) / len(found)
    return replace(
        blank,
        value=min(1.0, max(least, value)),
        low=min(ends[0] for _, ends in found),
        high=max(ends[1] for _, ends in found),
        tuning=tuning,
        method=_METHOD.format(tuning=tuning, df=max(0, found[0][0].clusters - 1)),
    )


def _beside_check(found: HumanEstimate, findings: Sequence[Finding]) -> HumanEstimate:
    """Return an estimate with the check that judges the same measurement, if there is one."""
    for one in findings:
        same = (one.metric, one.probe_set, one.axis) == (found.metric, found.probe_set, found.axis)
        if same and one.scorer in (None, found.scorer) and one.margin is not None:
            side = None
            if found.low is not None and found.high is not None:
                side = _side(found.low, found.high, one)
            return replace(found, check=one.check, verdict=one.verdict, side=side)
    return found


def _side(low: float, high: float, finding: Finding) -> str:
    margin = float(finding.margin or 0.0)
    least = -np.inf if finding.kind == "ceiling" else finding.ideal - margin
    most = margin if finding.kind == "ceiling" else finding.ideal + margin
    if least < low and high < most:
        return "within"
    return "beyond" if high < least or low > most else "across"
