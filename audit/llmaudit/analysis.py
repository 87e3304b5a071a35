"""A stored run and a policy -> findings and the run's verdict. Nothing here needs the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmaudit.config import Check, Policy
from llmaudit.findings import Estimate, Finding, Measurement
from llmaudit.metrics import METRICS, MetricSpec, measure
from llmaudit.records import (
    Likelihood,
    ProbeSetFacts,
    Prompt,
    Score,
    ScoredChoices,
    ScoredSample,
    ScorerFacts,
    Task,
    Verdict,
    content_id,
)
from llmaudit.verdicts import coverage_id, decide, estimates, overall_verdict


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
    """

    probe_sets: Mapping[str, ProbeSetFacts]
    samples: Mapping[tuple[str, str], Sequence[ScoredSample]]
    choices: Mapping[str, Sequence[ScoredChoices]]
    carriers: Mapping[str, Sequence[ScoredSample]]
    scorers: Mapping[str, ScorerFacts]
    missing_scorers: Mapping[str, str] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """Findings, what was measured without a margin, and what scorers add by themselves."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    measured: tuple[tuple[Measurement, tuple[Estimate, ...]], ...]
    scorer_own: tuple[Measurement, ...]


@dataclass(frozen=True)
class _Key:
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
    measurer = _Measurer(evidence, seed)
    keys: dict[str, _Key] = {}
    reasons: dict[str, str] = {}
    for check in policy.checks:
        found = _check_key(check, evidence, suite_id)
        if isinstance(found, _Key):
            keys[check.id] = found
        else:
            reasons[check.id] = found
    measurements: dict[str, Measurement | None] = {
        check: measurer.measure(key) for check, key in keys.items()
    }
    own = {check: measurer.measure_scorer(key) for check, key in keys.items() if _needs_own(key)}
    constructs, uncovered = _coverage(evidence, policy)
    findings = decide(policy, measurements, own, reasons | uncovered, constructs)
    declared = [key for facts in evidence.probe_sets.values() for key in _keys(facts, evidence)]
    everything = dict.fromkeys((*keys.values(), *declared))
    level = 1 - policy.alpha
    measured = tuple(
        (found, estimates(found, level)) for found in map(measurer.measure, everything)
    )
    scorer_own = tuple(measurer.measure_scorer(key) for key in everything if _needs_own(key))
    return Analysis(findings, overall_verdict(findings), measured, scorer_own)


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


class _Measurer:
    """Makes each measurement once."""

    def __init__(self, evidence: Evidence, seed: int) -> None:
        self._evidence = evidence
        self._seed = seed
        self._made: dict[tuple[str, _Key], Measurement] = {}

    def measure(self, key: _Key) -> Measurement:
        """Return the measurement of the model."""
        rows: Sequence[Any]
        if METRICS[key.metric].needs == "choices":
            rows = self._evidence.choices.get(key.probe_set, ())
        else:
            rows = self._evidence.samples.get((key.probe_set, str(key.scorer)), ())
        return self._measure("model", key, rows)

    def measure_scorer(self, key: _Key) -> Measurement:
        """Return the same metric of the scorer alone, on neutral sentences."""
        return self._measure("scorer", key, self._evidence.carriers.get(str(key.scorer), ()))

    def _measure(self, of: str, key: _Key, rows: Sequence[Any]) -> Measurement:
        import numpy as np

        if (of, key) not in self._made:
            name = [self._seed, of, key.metric, key.probe_set, key.axis, key.scorer, key.contrast]
            self._made[of, key] = measure(
                key.metric,
                [row for row in rows if key.axis is None or row.prompt.axis == key.axis],
                probe_set=key.probe_set,
                axis=key.axis,
                scorer=key.scorer,
                contrast=key.contrast,
                rng=np.random.default_rng(int(content_id(name), 16)),
            )
        return self._made[of, key]


def _needs_own(key: _Key) -> bool:
    """Say whether a scorer's own disparity bears on this measurement."""
    return key.axis is not None and METRICS[key.metric].needs == "scores"


def _keys(facts: ProbeSetFacts, evidence: Evidence) -> list[_Key]:
    """Return every measurement that a probe set declares, for every scorer that can serve it."""
    keys = []
    for name in facts.metrics:
        spec = METRICS[name]
        axes: Sequence[str | None] = facts.axes if name.endswith("_disparity") else (None,)
        scorers: Sequence[str | None] = (None,)
        if spec.needs == "scores":
            scorers = [one for one, its in evidence.scorers.items() if _serves(its, spec)]
        keys += [_Key(name, facts.id, axis, scorer) for axis in axes for scorer in scorers]
    return keys


def _serves(facts: ScorerFacts, spec: MetricSpec) -> bool:
    return facts.construct == spec.construct


def _check_key(check: Check, evidence: Evidence, suite_id: str) -> _Key | str:
    """Return what a check measures, or why it was not tested."""
    facts = evidence.probe_sets.get(check.probe_set)
    if facts is None:
        return f"Probe set {check.probe_set} is not in suite {suite_id}."
    if check.axis is not None and check.axis not in facts.axes:
        return f"Probe set {check.probe_set} does not cover the axis {check.axis}."
    if facts.id in evidence.unserved:
        return evidence.unserved[facts.id]
    spec = METRICS[check.metric]
    if spec.needs == "choices":
        return _Key(check.metric, check.probe_set, check.axis, None, check.contrast)
    able = [name for name, its in evidence.scorers.items() if _serves(its, spec)]
    scorer = check.scorer or next(iter(able), None)
    if scorer in evidence.missing_scorers:
        return f"Scorer {scorer} could not be loaded: {evidence.missing_scorers[str(scorer)]}"
    if scorer not in able:
        wanted = check.scorer or f"for {spec.construct}"
        return f"No scorer {wanted} was used in this run."
    return _Key(check.metric, check.probe_set, check.axis, scorer, check.contrast)


def scored_samples(
    prompts: Mapping[str, Prompt],
    requests: Mapping[str, tuple[str, int]],
    scores: Sequence[Score],
) -> dict[tuple[str, str], list[ScoredSample]]:
    """Arrange scores by (probe set, scorer).

    Parameters
    ----------
    prompts : mapping of prompt id to Prompt
    requests : mapping of request id to (prompt id, sample index)
    scores : sequence of Score
        Those of unknown requests are left out.
    """
    arranged: dict[tuple[str, str], list[ScoredSample]] = {}
    for score in scores:
        if score.request_id in requests:
            prompt_id, sample = requests[score.request_id]
            prompt = prompts[prompt_id]
            row = ScoredSample(prompt, sample, score)
            arranged.setdefault((prompt.probe_set, score.scorer), []).append(row)
    return arranged


def scored_choices(
    prompts: Mapping[str, Prompt], likelihoods: Sequence[Likelihood]
) -> dict[str, list[ScoredChoices]]:
    """Arrange likelihoods by probe set, those of one prompt's choices together."""
    by_prompt: dict[str, dict[str, Likelihood]] = {}
    for likelihood in likelihoods:
        by_prompt.setdefault(likelihood.prompt_id, {})[likelihood.choice] = likelihood
    arranged: dict[str, list[ScoredChoices]] = {}
    for prompt_id, choices in by_prompt.items():
        prompt = prompts[prompt_id]
        arranged.setdefault(prompt.probe_set, []).append(ScoredChoices(prompt, choices))
    return arranged
