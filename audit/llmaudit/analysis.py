"""A stored run and a policy -> findings and the run's verdict. Nothing here needs the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmaudit.arranging import without_refused
from llmaudit.config import Check, Policy
from llmaudit.findings import NO_SCORER_OWN, Estimate, Finding, Measurement
from llmaudit.looks import WHOLE, Look
from llmaudit.metrics import METRICS, MetricSpec, measure
from llmaudit.metrics.corrected import add_corrected
from llmaudit.metrics.group_effects import add_discovery_rates
from llmaudit.policies import spread_checks
from llmaudit.records import (
    ProbeSetFacts,
    ScoredChoices,
    ScoredSample,
    ScorerFacts,
    Task,
    Verdict,
    WrittenSample,
    content_id,
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

#: What scorers read by counting, or by fixed words, whatever else a text says. Such a scorer gives
#: texts that differ in the group they name the same value, so it has no disparity of its own.
_COUNTED = frozenset({"length", "decision"})


@dataclass(frozen=True)
class Evidence:
    """What a run has gathered, arranged by probe set and scorer.

    Attributes
    ----------
    probe_sets : mapping of str to ProbeSetFacts
    samples : mapping of (probe set, scorer) to sequence of ScoredSample
    choices : mapping of probe set to sequence of ScoredChoices
    carriers : mapping of scorer to sequence of ScoredSample
        Scores of the carrier set's neutral sentences.
    scorers : mapping of str to ScorerFacts
        Those that were loaded.
    missing_scorers : mapping of str to str
        Those that were not, and why.
    unserved : mapping of str to str
        The probe sets that the model cannot serve, and why.
    licence, licence_class : str
        The model's licence by name and by class.
    written : mapping of probe set to sequence of WrittenSample
    """

    probe_sets: Mapping[str, ProbeSetFacts]
    samples: Mapping[tuple[str, str], Sequence[ScoredSample]]
    choices: Mapping[str, Sequence[ScoredChoices]]
    carriers: Mapping[str, Sequence[ScoredSample]]
    scorers: Mapping[str, ScorerFacts]
    missing_scorers: Mapping[str, str] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    licence_class: str = "unknown"
    written: Mapping[str, Sequence[WrittenSample]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """Findings, what was measured without a margin, and what scorers add by themselves."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    measured: tuple[tuple[Measurement, tuple[Estimate, ...]], ...]
    scorer_own: tuple[Measurement, ...]


@dataclass(frozen=True)
class MeasureKey:
    """One measurement to make."""

    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    contrast: str = "others"


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
        self._measurer = _Measurer(evidence, seed)
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
        return Analysis(findings, overall_verdict(findings), tuple(measured), scorer_own)

    def _needs_own(self, key: MeasureKey) -> bool:
        """Say whether a scorer's own disparity bears on this measurement."""
        facts = self._evidence.scorers.get(str(key.scorer))
        return key.axis is not None and facts is not None and not _only_counts(facts)

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


def find_rows(evidence: Evidence, key: MeasureKey) -> list[Any]:
    """Return the rows of the model's results that a measurement is made of."""
    rows: Sequence[Any]
    needs = METRICS[key.metric].needs
    if needs == "choices":
        rows = evidence.choices.get(key.probe_set, ())
    elif needs == "texts":
        rows = evidence.written.get(key.probe_set, ())
    else:
        scored = evidence.samples.get((key.probe_set, str(key.scorer)), ())
        if _is_blind_to_refusals(evidence, key):
            scored = without_refused(scored, _labelled_refusals(evidence, key.probe_set))
        rows = scored
    return _of_axis(rows, key)


def _is_blind_to_refusals(evidence: Evidence, key: MeasureKey) -> bool:
    """Say whether groups are compared by what is said of them, which a refusal leaves open."""
    facts = evidence.scorers.get(str(key.scorer))
    content = facts is not None and facts.construct in {"toxicity", "sentiment"}
    return content and METRICS[key.metric].by_axis


def _labelled_refusals(evidence: Evidence, probe_set: str) -> Iterator[ScoredSample]:
    for name, facts in evidence.scorers.items():
        if facts.construct == "refusal":
            yield from evidence.samples.get((probe_set, name), ())


def _of_axis(rows: Sequence[Any], key: MeasureKey) -> list[Any]:
    return [row for row in rows if key.axis is None or row.prompt.axis == key.axis]


class _Measurer:
    """Makes each measurement once."""

    def __init__(self, evidence: Evidence, seed: int) -> None:
        self._evidence = evidence
        self._seed = seed
        self._made: dict[tuple[str, MeasureKey, frozenset[str] | None], Measurement] = {}

    def measure(self, key: MeasureKey, look: Look) -> Measurement:
        """Return the measurement of the model at a look."""
        rows = find_rows(self._evidence, key)
        if look.templates is not None:
            rows = [row for row in rows if row.prompt.template_id in look.templates]
        return self._measure("model", key, rows, look.templates)

    def measure_scorer(self, key: MeasureKey) -> Measurement:
        """Return the same metric of the scorer alone, on neutral sentences."""
        return self._measure("scorer", key, self._evidence.carriers.get(str(key.scorer), ()))

    def _measure(
        self,
        of: str,
        key: MeasureKey,
        rows: Sequence[Any],
        templates: frozenset[str] | None = None,
    ) -> Measurement:
        import numpy as np

        if (of, key, templates) not in self._made:
            name = [self._seed, of, key.metric, key.probe_set, key.axis, key.scorer, key.contrast]
            rng = np.random.default_rng(int(content_id(name), 16))
            made = measure(
                key.metric,
                _of_axis(rows, key),
                probe_set=key.probe_set,
                axis=key.axis,
                scorer=key.scorer,
                contrast=key.contrast,
                rng=rng,
            )
            facts = self._evidence.scorers.get(str(key.scorer))
            if facts is not None:
                made = add_corrected(made, facts, rng)
                made = _without_own(made) if _only_counts(facts) else made
            self._made[of, key, templates] = made
        return self._made[of, key, templates]


def _keys(facts: ProbeSetFacts, evidence: Evidence) -> list[MeasureKey]:
    """Return every measurement that a probe set declares, for every scorer that can serve it."""
    keys = []
    for name in dict.fromkeys((*facts.metrics, *_everywhere(facts))):
        spec = METRICS[name]
        axes: Sequence[str | None] = facts.axes if spec.by_axis else (None,)
        scorers: Sequence[str | None] = (None,)
        if spec.needs == "scores":
            scorers = [one for one, its in evidence.scorers.items() if _serves(its, spec)]
        keys += [MeasureKey(name, facts.id, axis, scorer) for axis in axes for scorer in scorers]
    return keys


def _everywhere(facts: ProbeSetFacts) -> Iterator[str]:
    """Yield what is measured of every set that asks for text, in the order of the table."""
    if facts.task is Task.GENERATE:
        yield from (name for name, spec in METRICS.items() if spec.everywhere)


def _without_own(made: Measurement) -> Measurement:
    """Return a measurement that says of itself that its scorer has no disparity of its own."""
    return replace(made, detail={**made.detail, NO_SCORER_OWN: True})


def _only_counts(facts: ScorerFacts) -> bool:
    """Say whether a scorer cannot have a disparity of its own: it looks for no meaning."""
    return facts.construct in _COUNTED


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
