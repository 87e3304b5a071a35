"""A stored run and a policy -> findings and the run's verdict. Nothing here needs the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmaudit.config import Check, Policy
from llmaudit.correcting import correct
from llmaudit.corrections import Correction
from llmaudit.evidence import Evidence, MeasureKey, Measurer, only_counts
from llmaudit.findings import Estimate, Finding, Measurement
from llmaudit.looks import WHOLE, Look
from llmaudit.metrics import METRICS, MetricSpec
from llmaudit.metrics.group_effects import add_discovery_rates
from llmaudit.policies import spread_checks
from llmaudit.records import (
    ProbeSetFacts,
    ScorerFacts,
    Task,
    Verdict,
)
from llmaudit.verdicts import (
    ScorersUsed,
    apply_waivers,
    coverage_id,
    decide,
    estimates,
    overall_verdict,
    requirement_findings,
)


@dataclass(frozen=True)
class Analysis:
    """Findings, what was measured, what scorers add by themselves, and disparities without that."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    measured: tuple[tuple[Measurement, tuple[Estimate, ...]], ...]
    scorer_own: tuple[Measurement, ...]
    corrections: tuple[Correction, ...] = ()


def analyse(evidence: Evidence, policy: Policy, *, suite_id: str, seed: int) -> Analysis:
    """Measure everything the probe sets declare and hold the policy's checks against it.

    Parameters
    ----------
    evidence : Evidence
    policy : Policy
    suite_id : str
        Named in the reasons of what was not tested.
    seed : int
        The run's seed. Each measurement draws from a generator of its own, seeded by this and by
        what it measures, so no measurement depends on which others are made.
    """
    analyst = Analyst(evidence, policy, suite_id=suite_id, seed=seed)
    return analyst.conclude(analyst.judge())


class Analyst:
    """Measures what checks and probe sets name, each once, and judges; see `analyse`.

    Attributes
    ----------
    policy : Policy
        With its checks of an axis alone made into one check per probe set.
    keys : dict of check id to MeasureKey
        Of the checks that can be measured.
    """

    def __init__(self, evidence: Evidence, policy: Policy, *, suite_id: str, seed: int) -> None:
        self.policy = spread_checks(policy, evidence.probe_sets.values())
        self.keys: dict[str, MeasureKey] = {}
        self._evidence = evidence
        self._measurer = Measurer(evidence, seed)
        self._reasons: dict[str, str] = {}
        for check in self.policy.checks:
            found = find_measure(check, evidence, suite_id)
            if isinstance(found, MeasureKey):
                self.keys[check.id] = found
            else:
                self._reasons[check.id] = found

    def measure(self, check: str, look: Look) -> Measurement:
        """Return the measurement of a check, by id, at a look."""
        return self._measurer.measure(self.keys[check], look)

    def judge(self, looks: Mapping[str, Look] | None = None) -> tuple[Finding, ...]:
        """Hold every check of the policy against its measurement.

        Parameters
        ----------
        looks : mapping of check id to Look, optional
            One for every check that can be measured; by default each is judged once, by all.
        """
        given = looks or {}
        measurements: dict[str, Measurement | None] = {
            check: self.measure(check, given.get(check, WHOLE)) for check in self.keys
        }
        own = {
            check: self._measurer.measure_scorer(key)
            for check, key in self.keys.items()
            if self._needs_own(key)
        }
        constructs, uncovered = _coverage(self._evidence, self.policy)
        spending = {check: look.spending for check, look in given.items()}
        return decide(
            self.policy, measurements, own, self._reasons | uncovered, constructs, spending
        )

    def conclude(
        self, decided: Sequence[Finding], looks: Mapping[MeasureKey, Look] | None = None
    ) -> Analysis:
        """Add the policy's other demands and its waivers, and measure what has no margin.

        Parameters
        ----------
        decided : sequence of Finding
            What `judge` returned.
        looks : mapping of MeasureKey to Look, optional
            The look at which a measurement is shown, where it is not of all.
        """
        evidence, given = self._evidence, looks or {}
        demands = requirement_findings(
            self.policy, evidence.licence, evidence.licence_class, _scorers_used(evidence)
        )
        findings = apply_waivers((*decided, *demands), self.policy)
        everything = self.everything()
        looked = [given.get(key, WHOLE) for key in everything]
        found = [self._measurer.measure(*pair) for pair in zip(everything, looked, strict=True)]
        judged = len(self._judged_keys())
        # What no check judges comes after what one does, so the two can be cut apart.
        rated = (*found[:judged], *add_discovery_rates(found[judged:]))
        measured = [
            (one, estimates(one, 1 - self.policy.alpha * look.spending.now))
            for one, look in zip(rated, looked, strict=True)
        ]
        scorer_own = tuple(
            self._measurer.measure_scorer(key) for key in everything if self._needs_own(key)
        )
        levels = self._levels(decided)
        corrected = (
            self._correct(
                key, look, one, levels.get(key, 1 - self.policy.alpha * look.spending.now)
            )
            for key, look, one in zip(everything, looked, rated, strict=True)
            if self._needs_own(key)
        )
        corrections = tuple(one for one in corrected if one is not None)
        return Analysis(
            findings, overall_verdict(findings), tuple(measured), scorer_own, corrections
        )

    def _levels(self, decided: Sequence[Finding]) -> dict[MeasureKey, float]:
        """Return the level of the intervals of what a check judges, so that a correction has it."""
        return {
            self.keys[one.check]: one.estimate.level
            for one in reversed(decided)
            if one.check in self.keys and one.estimate is not None
        }

    def _correct(
        self, key: MeasureKey, look: Look, measured: Measurement, level: float
    ) -> Correction | None:
        """Return a disparity without its scorer's own."""
        return correct(
            key,
            measured,
            self._measurer.measure_scorer(key),
            self._measurer.rows(key, look),
            self._evidence.carriers.get(str(key.scorer), ()),
            language=self._evidence.probe_sets[key.probe_set].language,
            level=level,
            rng=self._measurer.generator("corrected", key),
        )

    def _needs_own(self, key: MeasureKey) -> bool:
        """Say whether a scorer's own disparity bears on this measurement."""
        facts = self._evidence.scorers.get(str(key.scorer))
        return key.axis is not None and facts is not None and not only_counts(facts)

    def everything(self) -> tuple[MeasureKey, ...]:
        """Return what the checks and then what the probe sets name, each once."""
        sets = self._evidence.probe_sets.values()
        declared = [key for facts in sets for key in _keys(facts, self._evidence)]
        return tuple(dict.fromkeys((*self._judged_keys(), *declared)))

    def _judged_keys(self) -> tuple[MeasureKey, ...]:
        return tuple(dict.fromkeys(self.keys.values()))


def _coverage(evidence: Evidence, policy: Policy) -> tuple[set[str], dict[str, str]]:
    """Return the constructs that count as tested, and by coverage id why others do not.

    A probe set that the model cannot serve tests nothing; where a required check is about it, that
    check says so already.
    """
    checked = {check.probe_set for check in policy.checks if check.required}
    asked = [one for one in evidence.probe_sets.values() if one.task is not Task.CARRIER]
    lost = [one for one in asked if one.id in evidence.unserved and one.id not in checked]
    tested = {one.construct for one in asked if one not in lost}
    return tested, {coverage_id(one.construct): evidence.unserved[one.id] for one in lost}


def _scorers_used(evidence: Evidence) -> ScorersUsed:
    """Return which scorers were loaded, which of them gave a value, and which are missing."""
    scored = {
        scorer
        for (_, scorer), rows in evidence.samples.items()
        if any(row.score.value is not None for row in rows)
    }
    constructs = {name: facts.construct for name, facts in evidence.scorers.items()}
    return ScorersUsed(constructs, scored, evidence.missing_scorers)


def _keys(facts: ProbeSetFacts, evidence: Evidence) -> list[MeasureKey]:
    """Return every measurement that a probe set declares, for every scorer that can serve it.

    Where a set declares a metric for which the run has no scorer, that is said in its place.
    """
    keys = []
    for name in dict.fromkeys((*facts.metrics, *_everywhere(facts, evidence))):
        spec = METRICS[name]
        axes: Sequence[str | None] = facts.axes if spec.by_axis else (None,)
        scorers: Sequence[str | None] = (None,)
        if spec.needs == "scores":
            scorers = [one for one, its in evidence.scorers.items() if _serves(its, spec)]
            if not scorers and name in facts.metrics:
                axes, scorers = (None,), (None,)
        keys += [MeasureKey(name, facts.id, axis, scorer) for axis in axes for scorer in scorers]
    return keys


def _everywhere(facts: ProbeSetFacts, evidence: Evidence) -> Iterator[str]:
    """Yield what is measured of every set that asks for text, in the order of the table."""
    if facts.task is Task.GENERATE:
        written = evidence.written.get(facts.id, ())
        samples = 1 + max((row.sample_index for row in written), default=0)
        for name, spec in METRICS.items():
            if spec.everywhere and spec.samples <= samples:
                yield name


def _serves(facts: ScorerFacts, spec: MetricSpec) -> bool:
    return spec.serves(facts.construct)


def find_measure(check: Check, evidence: Evidence, suite_id: str) -> MeasureKey | str:
    """Return what a check measures, or why it was not tested."""
    facts = evidence.probe_sets.get(check.probe_set)
    if not check.probe_set:
        return f"No probe set of suite {suite_id} measures {check.metric} by {check.axis}."
    if facts is None:
        return f"Probe set {check.probe_set} is not in suite {suite_id}."
    if check.axis is not None and check.axis not in facts.axes:
        return f"Probe set {check.probe_set} does not cover the axis {check.axis}."
    if facts.id in evidence.unserved:
        return evidence.unserved[facts.id]
    spec = METRICS[check.metric]
    if spec.needs != "scores":
        return MeasureKey(check.metric, check.probe_set, check.axis, None, check.contrast)
    able = [name for name, its in evidence.scorers.items() if _serves(its, spec)]
    own = (name for name in able if evidence.scorers[name].construct == spec.construct)
    scorer = check.scorer or next(own, None)
    if scorer in evidence.missing_scorers:
        return f"Scorer {scorer} could not be loaded: {evidence.missing_scorers[str(scorer)]}"
    if scorer not in able:
        wanted = check.scorer or f"for {spec.construct}"
        return f"No scorer {wanted} was used in this run."
    return MeasureKey(check.metric, check.probe_set, check.axis, scorer, check.contrast)
