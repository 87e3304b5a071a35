"""Simulated answers to the shipped probe sets, already scored: of models good, bad and between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmaudit.evidence import Evidence
from llmaudit.planning import Plan, PlannedSet
from llmaudit.records import (
    Likelihood,
    Prompt,
    Score,
    ScoredChoices,
    ScoredSample,
    ScorerFacts,
)

TOXICITY, REFUSAL = "toxicity", "refusal"


@dataclass(frozen=True)
class Kind:
    """What is true of a simulated model.

    Attributes
    ----------
    toxic : float
        Probability that a sample is toxic, on average over openings.
    shift : float
        By how much the first group of each axis is described with higher toxicity scores.
    hiring : float
        By how much the log-odds of a Yes are lower for the first group of each axis.
    stereotypes : float
        Probability that the stereotype is preferred.
    complies, refuses : float
        Probability that a harmful request is answered, and that a safe one is refused.
    """

    name: str
    toxic: float
    shift: float
    hiring: float
    stereotypes: float
    complies: float
    refuses: float


KINDS = (
    Kind("clearly good", 0.0, 0.0, 0.0, 0.5, 0.0, 0.0),
    Kind("good, not perfect", 0.0005, 0.004, 0.1, 0.52, 0.01, 0.01),
    Kind("clearly bad", 0.05, 0.15, 1.5, 0.85, 0.7, 0.6),
    Kind("bad in one thing: answers harmful requests", 0.0005, 0.004, 0.1, 0.52, 0.7, 0.01),
    Kind("near every limit", 0.003, 0.015, 0.4, 0.58, 0.08, 0.12),
)


def simulate_evidence(plan: Plan, kind: Kind, rng: np.random.Generator) -> Evidence:
    """Return the evidence of a run whose every request was answered and scored."""
    sets = {planned.facts.id: planned for planned in plan.sets}
    samples = {
        ("toxicity-openings", TOXICITY): _openings(sets["toxicity-openings"], kind, rng),
        ("descriptions-and-stories", TOXICITY): _descriptions(
            sets["descriptions-and-stories"], kind, rng
        ),
        ("harmful-requests", REFUSAL): _refusals(sets["harmful-requests"], 1 - kind.complies, rng),
        ("benign-lookalikes", REFUSAL): _refusals(sets["benign-lookalikes"], kind.refuses, rng),
    }
    facts = {planned.facts.id: planned.facts for planned in (*plan.sets, *plan.carriers)}
    carriers = [
        _scored(prompt, 0, TOXICITY, float(rng.beta(2, 998))) for prompt in plan.carrier_prompts
    ]
    return Evidence(
        probe_sets=facts,
        samples=samples,
        choices={
            "hiring-decisions": _hiring(sets["hiring-decisions"].prompts, kind, rng),
            "stereotype-pairs": _stereotypes(sets["stereotype-pairs"].prompts, kind, rng),
        },
        carriers={TOXICITY: carriers},
        scorers={name: _scorer(name) for name in (TOXICITY, REFUSAL)},
        licence_class="permissive",
    )


def _scorer(name: str) -> ScorerFacts:
    return ScorerFacts(
        name=name, version="1", digest=name, construct=name, range=(0.0, 1.0), higher_is="worse",
        languages=("en",), licence="not applicable", description="simulated",
    )  # fmt: skip


def _scored(
    prompt: Prompt, sample: int, scorer: str, value: float, label: str | None = None
) -> ScoredSample:
    request = f"{prompt.id}:{sample}"
    return ScoredSample(
        prompt, sample, Score(f"{request}:{scorer}", request, scorer, scorer, value, label)
    )


def _openings(planned: PlannedSet, kind: Kind, rng: np.random.Generator) -> list[ScoredSample]:
    """Return scores of openings, some of which draw toxic text more often than others."""
    rows = []
    for prompt in planned.prompts:
        level = rng.beta(3 * kind.toxic, 3 * (1 - kind.toxic)) if kind.toxic else 0.0
        toxic = rng.random(planned.samples) < level
        values = np.where(
            toxic, rng.uniform(0.5, 1, planned.samples), rng.beta(1, 60, planned.samples)
        )
        rows += [
            _scored(prompt, sample, TOXICITY, float(value)) for sample, value in enumerate(values)
        ]
    return rows


def _first_groups(prompts: Sequence[Prompt]) -> Mapping[str | None, str | None]:
    return {prompt.axis: prompt.group for prompt in reversed(prompts)}


def _descriptions(planned: PlannedSet, kind: Kind, rng: np.random.Generator) -> list[ScoredSample]:
    """Return scores that differ by template, and are worse for the first group of each axis."""
    first = _first_groups(planned.prompts)
    level = {prompt.template_id: rng.beta(1, 60) for prompt in planned.prompts}
    rows = []
    for prompt in planned.prompts:
        worse = kind.shift * rng.uniform(0.5, 1.5) if prompt.group == first[prompt.axis] else 0.0
        for sample in range(planned.samples):
            value = level[prompt.template_id] + worse + rng.beta(1, 80)
            rows.append(_scored(prompt, sample, TOXICITY, float(min(value, 1.0))))
    return rows


def _refusals(planned: PlannedSet, refused: float, rng: np.random.Generator) -> list[ScoredSample]:
    """Return labels; half of the requests get the same answer every time they are asked."""
    rows = []
    for prompt in planned.prompts:
        alike = rng.random() < 0.5
        draws = np.repeat(rng.random(), planned.samples) if alike else rng.random(planned.samples)
        for sample, draw in enumerate(draws):
            label = "full_refusal" if draw < refused else "compliance"
            rows.append(_scored(prompt, sample, REFUSAL, float(draw < refused), label))
    return rows


def _hiring(prompts: Sequence[Prompt], kind: Kind, rng: np.random.Generator) -> list[ScoredChoices]:
    first = _first_groups(prompts)
    level = {prompt.template_id: rng.normal(0, 1) for prompt in prompts}
    rows = []
    for prompt in prompts:
        odds = level[prompt.template_id] + rng.normal(0, 0.15)
        odds -= kind.hiring if prompt.group == first[prompt.axis] else 0.0
        favourable = prompt.tags["favourable"]
        rows.append(
            _choices(
                prompt,
                {label: 0.0 if label == favourable else -odds for label in prompt.choices},
            )
        )
    return rows


def _stereotypes(
    prompts: Sequence[Prompt], kind: Kind, rng: np.random.Generator
) -> list[ScoredChoices]:
    return [
        _choices(
            prompt,
            dict(
                zip(
                    prompt.choices,
                    (-1.0, -2.0) if rng.random() < kind.stereotypes else (-2.0, -1.0),
                    strict=True,
                )
            ),
        )
        for prompt in prompts
    ]


def _choices(prompt: Prompt, logprobs: Mapping[str, float]) -> ScoredChoices:
    return ScoredChoices(
        prompt,
        {
            label: Likelihood(f"{prompt.id}:{label}", prompt.id, label, value, 5)
            for label, value in logprobs.items()
        },
    )
