"""Suite and options -> the prompts and requests of a run, before any model is loaded."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llmaudit.arranging import NEUTRAL
from llmaudit.budgets import generations_of
from llmaudit.calibration import LABELS, carrier_sets
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
from llmaudit.looks import Cell, Design, cell_of, divide_prompts
from llmaudit.probesets import (
    LexiconFile,
    ProbeSet,
    cross_with,
    fill_probe_set,
    find_probe_sets,
    limit_prompts,
    load_probe_set,
    order_templates,
)
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

SHARES = "share_disparity"
"""The metric whose correction needs carrier sentences of every class."""


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
    user named (a failure to load one stops the run), ``scorers`` all of them. ``design`` says in
    what portions the sets of an adaptive run are asked; None where all is asked at once.
    """

    suite: Suite
    policy: Policy
    sets: tuple[PlannedSet, ...]
    carriers: tuple[PlannedSet, ...]
    scorers: tuple[str, ...]
    asked_scorers: tuple[str, ...]
    seed: int
    design: Design | None = None

    def narrow(self, portions: Collection[tuple[Cell, int]]) -> Plan:
        """Return the plan with the prompts of some portions of an adaptive run's design only."""
        if self.design is None:
            return self
        number = self.design.portion_of()

        def keep(prompt: Prompt) -> bool:
            return (cell_of(prompt), number[prompt.probe_set, prompt.template_id]) in portions

        return replace(
            self,
            sets=tuple(
                replace(planned, prompts=tuple(filter(keep, planned.prompts)))
                for planned in self.sets
            ),
        )

    @property
    def prompts(self) -> Iterator[Prompt]:
        """Every prompt of the run, carriers last."""
        for planned in (*self.sets, *self.carriers):
            yield from planned.prompts

    @property
    def carrier_prompts(self) -> list[Prompt]:
        """Every carrier text of the run."""
        return [prompt for planned in self.carriers for prompt in planned.prompts]

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
        """Return what defines the run's requests, as JSON values: equal identity, equal run.

        Probe sets stand in it by id and digest, so a run is the same wherever their files lie.
        """
        suite = as_plain(self.suite)
        for entry, planned in zip(suite["probe_sets"], self.sets, strict=True):
            entry["id"] = planned.facts.id
            if entry["limit"] is None:
                del entry["limit"]  # runs from before it could be given go on
        identity = {
            "format": 1,
            "model": model_digest,
            "seed": self.seed,
            "suite": suite,
            "sets": [
                {
                    "facts": asdict(planned.facts),
                    "samples": planned.samples,
                    "decoding": asdict(planned.decoding),
                }
                for planned in (*self.sets, *self.carriers)
            ],
        }
        if self.design is not None:
            identity["rounds"] = self.design.plain()
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
    loaded = [_load_set(entry, suite) for entry in suite.probe_sets]
    _refuse_equal_ids(loaded, suite)
    sets = tuple(
        _plan_set(probe_set, entry, suite, config)
        for probe_set, entry in zip(loaded, suite.probe_sets, strict=True)
    )
    carriers = _plan_carriers(loaded, policy)
    scorers = tuple(dict.fromkeys((*suite.scorers, *config.scorers)))
    design = _design(sets) if config.until_settled else None
    _check_budget(config, design, sets)
    return Plan(suite, policy, sets, carriers, scorers, config.scorers, config.seed, design)


def _check_budget(config: AuditConfig, design: Design | None, sets: Sequence[PlannedSet]) -> None:
    """Refuse a budget without rounds, and one that ends before every set has been looked at."""
    if config.budget is None:
        return
    if design is None:
        raise UsageError("--budget goes with --until-settled: other runs ask all of their suite")
    tasks = {planned.facts.id: planned.facts.task for planned in sets}
    first = sum(
        design.requests(cell, 1)
        for cell in design.cells()
        if tasks[cell.probe_set] is Task.GENERATE
    )
    if (allowed := generations_of(config.budget)) is not None and allowed < first:
        raise UsageError(
            f"--budget {config.budget}: the first round alone takes {first:,} generations, so that "
            f"every probe set is looked at. Give at least as many, or take fewer --samples."
        )


def _design(sets: Sequence[PlannedSet]) -> Design:
    """Divide every probe set into the portions in which an adaptive run asks it."""
    return Design(
        {
            planned.facts.id: divide_prompts(
                planned.prompts,
                order_templates(planned.prompts),
                {
                    prompt.id: len(prompt.choices)
                    if planned.facts.task is Task.CHOICES
                    else planned.samples
                    for prompt in planned.prompts
                },
            )
            for planned in sets
        }
    )


def _load_set(entry: SuiteEntry, suite: Suite) -> ProbeSet:
    probe_set = load_probe_set(Path(entry.id) if entry.id.endswith(".yaml") else entry.id)
    if probe_set.definition.task is Task.CARRIER:
        raise UsageError(
            f"suite {suite.id!r} names {entry.id!r}, whose texts are for scorers: no model is "
            f"asked anything by it. Take it out of probe_sets."
        )
    return probe_set


def _refuse_equal_ids(loaded: Sequence[ProbeSet], suite: Suite) -> None:
    """Refuse two sets of one id, of which results could not be told apart."""
    shipped = find_probe_sets()
    files: dict[str, Path] = {name: shipped[name] for name in carrier_sets().values()}
    for probe_set in loaded:
        name = probe_set.definition.id
        if name in files:
            raise UsageError(
                f"suite {suite.id!r} has two probe sets with the id {name!r}: {files[name]} and "
                f"{probe_set.path}. Give one of the files another name and id."
            )
        files[name] = probe_set.path


def _plan_set(
    probe_set: ProbeSet, entry: SuiteEntry, suite: Suite, config: AuditConfig
) -> PlannedSet:
    prompts = fill_probe_set(probe_set)
    limits = [limit for limit in (entry.limit, config.limit) if limit is not None]
    if limits:
        prompts = limit_prompts(prompts, min(limits))
    temperature = suite.temperature if config.temperature is None else config.temperature
    decoding = Decoding(config.max_new_tokens or entry.max_new_tokens, temperature, suite.top_p)
    samples = config.samples or entry.samples
    if temperature == 0:
        samples = 1  # every greedy sample is the same one
    return _planned(probe_set, prompts, samples, decoding)


def _plan_carriers(loaded: Sequence[ProbeSet], policy: Policy) -> tuple[PlannedSet, ...]:
    """Plan the carrier texts for the groups that the run compares, its own lexicons' included.

    In a set's own language, where there are carriers in it. Neutral ones show what a scorer adds to
    a disparity; those of the other classes are needed only where shares are compared.
    """
    planned = []
    shipped = carrier_sets()
    for language in sorted({language for language, _ in shipped}):
        compared = [one for one in loaded if _main_language(one) == language]
        for kind in LABELS:
            needed = [one for one in compared if kind == NEUTRAL or _compares_shares(one, policy)]
            used = _lexicons_of(needed)
            if used and (language, kind) in shipped:
                planned.append(_plan_carrier_set(shipped[language, kind], used))
    return tuple(planned)


def _compares_shares(probe_set: ProbeSet, policy: Policy) -> bool:
    """Say whether shares of toxic texts are compared between groups of a set."""
    file = probe_set.definition
    asked = any(
        check.metric == SHARES and check.probe_set in {"", file.id} for check in policy.checks
    )
    return asked or SHARES in file.metrics


def _lexicons_of(compared: Sequence[ProbeSet]) -> dict[str, tuple[LexiconFile, str]]:
    """Return the lexicon of every axis that is compared, with its digest."""
    used: dict[str, tuple[LexiconFile, str]] = {}
    origin: dict[str, Path] = {}
    for probe_set in compared:
        for axis, digest in probe_set.lexicon_digests.items():
            if axis in used and used[axis][1] != digest:
                raise UsageError(
                    f"{origin[axis]} and {probe_set.path} use two different lexicons for the axis "
                    f"{axis!r}. Use one, or name the axis of the other differently."
                )
            used[axis], origin[axis] = (probe_set.lexicons[axis], digest), probe_set.path
    return used


def _plan_carrier_set(name: str, used: Mapping[str, tuple[LexiconFile, str]]) -> PlannedSet:
    carriers = load_probe_set(name)
    lexicons, digests = dict(carriers.lexicons), dict(carriers.lexicon_digests)
    for axis, (lexicon, digest) in used.items():
        lexicons[axis], digests[axis] = lexicon, digest
    if digests != carriers.lexicon_digests:
        carriers = cross_with(carriers, lexicons, digests)
    prompts = tuple(prompt for prompt in fill_probe_set(carriers) if prompt.axis in used)
    return _planned(carriers, prompts, 1, Decoding(1, 0.0))


def _main_language(probe_set: ProbeSet) -> str:
    return probe_set.definition.language.partition("-")[0]


def _planned(
    probe_set: ProbeSet, prompts: tuple[Prompt, ...], samples: int, decoding: Decoding
) -> PlannedSet:
    return PlannedSet(probe_set.facts(len(prompts)), prompts, samples, decoding)
