"""Suite and options -> the prompts and requests of a run, before any model is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmaudit.config import (
    AuditConfig,
    Policy,
    Suite,
    SuiteEntry,
    as_plain,
    load_policy,
    load_suite,
)
from llmaudit.errors import UsageError
from llmaudit.probesets import ProbeSet, fill_probe_set, limit_prompts, load_probe_set
from llmaudit.records import (
    Decoding,
    GenerationRequest,
    LikelihoodRequest,
    ProbeSetFacts,
    Prompt,
    Task,
    canonical_json,
    content_id,
)

#: The probe set whose neutral sentences measure what a scorer adds by itself.
CARRIERS = "neutral-carriers"


@dataclass(frozen=True)
class PlannedSet:
    """One probe set of the run: its prompts, how often each is sampled, and how."""

    facts: ProbeSetFacts
    prompts: tuple[Prompt, ...]
    samples: int
    decoding: Decoding


@dataclass(frozen=True)
class Plan:
    """Everything a run will ask, and what its answers will be held against.

    ``carriers`` are the texts that scorers alone are asked about; ``asked_scorers`` are those the
    user named (a failure to load one stops the run), ``scorers`` all of them.
    """

    suite: Suite
    policy: Policy
    sets: tuple[PlannedSet, ...]
    carriers: PlannedSet
    scorers: tuple[str, ...]
    asked_scorers: tuple[str, ...]
    seed: int

    @property
    def prompts(self) -> Iterator[Prompt]:
        """Every prompt of the run, carriers last."""
        for planned in (*self.sets, self.carriers):
            yield from planned.prompts

    def generation_requests(self, model_digest: str) -> list[GenerationRequest]:
        """Return every sample that the model is asked for, in the suite's order."""
        return [
            GenerationRequest(
                id=content_id(
                    {
                        "model": model_digest,
                        "prompt": prompt.id,
                        "decoding": asdict(planned.decoding),
                        "sample": sample,
                        "seed": self.seed,
                    }
                ),
                prompt=prompt,
                decoding=planned.decoding,
                sample_index=sample,
                seed=self.seed,
            )
            for planned in self.sets
            if planned.facts.task is Task.GENERATE
            for prompt in planned.prompts
            for sample in range(planned.samples)
        ]

    def likelihood_requests(self, model_digest: str) -> list[LikelihoodRequest]:
        """Return every choice whose likelihood the model is asked for, in the suite's order."""
        return [
            LikelihoodRequest(
                id=content_id({"model": model_digest, "prompt": prompt.id, "choice": label}),
                prompt=prompt,
                choice=label,
            )
            for planned in self.sets
            if planned.facts.task is Task.CHOICES
            for prompt in planned.prompts
            for label in prompt.choices
        ]

    def identity(self, model_digest: str) -> dict[str, Any]:
        """Return what defines the run's requests, as JSON values: equal identity, equal run."""
        identity = {
            "format": 1,
            "model": model_digest,
            "seed": self.seed,
            "suite": as_plain(self.suite),
            "sets": [
                {
                    "facts": asdict(planned.facts),
                    "samples": planned.samples,
                    "decoding": asdict(planned.decoding),
                }
                for planned in (*self.sets, self.carriers)
            ],
        }
        plain: dict[str, Any] = json.loads(canonical_json(identity))
        return plain


def make_plan(config: AuditConfig) -> Plan:
    """Load and check every file that the options name, and fill the probe sets.

    Raises
    ------
    UsageError
        If a name is unknown or a file is wrong; nothing has been run then.
    """
    suite, policy = load_suite(config.suite), load_policy(config.policy)
    sets = tuple(_plan_set(entry, suite, config) for entry in suite.probe_sets)
    axes = {axis for planned in sets for axis in planned.facts.axes}
    carriers = _plan_carriers(axes)
    scorers = tuple(dict.fromkeys((*suite.scorers, *config.scorers)))
    return Plan(suite, policy, sets, carriers, scorers, config.scorers, config.seed)


def _plan_set(entry: SuiteEntry, suite: Suite, config: AuditConfig) -> PlannedSet:
    probe_set = load_probe_set(Path(entry.id) if entry.id.endswith(".yaml") else entry.id)
    if probe_set.definition.task is Task.CARRIER:
        raise UsageError(
            f"suite {suite.id!r} names {entry.id!r}, whose texts are for scorers: no model is "
            f"asked anything by it. Take it out of probe_sets."
        )
    prompts = fill_probe_set(probe_set)
    if config.limit is not None:
        prompts = limit_prompts(prompts, config.limit)
    temperature = suite.temperature if config.temperature is None else config.temperature
    decoding = Decoding(config.max_new_tokens or entry.max_new_tokens, temperature, suite.top_p)
    samples = config.samples or entry.samples
    if temperature == 0:
        samples = 1  # every greedy sample is the same one
    return _planned(probe_set, prompts, samples, decoding)


def _plan_carriers(axes: Iterable[str]) -> PlannedSet:
    """Plan the carrier texts of the axes that the run compares groups on."""
    probe_set = load_probe_set(CARRIERS)
    wanted = set(axes)
    prompts = tuple(prompt for prompt in fill_probe_set(probe_set) if prompt.axis in wanted)
    return _planned(probe_set, prompts, 1, Decoding(1, 0.0))


def _planned(
    probe_set: ProbeSet, prompts: tuple[Prompt, ...], samples: int, decoding: Decoding
) -> PlannedSet:
    return PlannedSet(probe_set.facts(len(prompts)), prompts, samples, decoding)
