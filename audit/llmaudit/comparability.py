"""What keeps two stored runs from being compared, what may be compared all the same, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.changes import Obstacle
from llmaudit.errors import UnknownNameError, UsageError
from llmaudit.gathering import StoredRun
from llmaudit.records import Task

SUITE = "suite"
PROMPTS = "prompts"
PROBE_SETS = "probe-sets"
LEXICONS = "lexicons"
SAMPLES = "k"
SEED = "seed"
SCORERS = "scorers"
LIKELIHOOD = "likelihood"
PROMPT_FORMAT = "prompt-format"

_DECODING = {
    "temperature": ("temperature", "how freely text is sampled changes every score"),
    "top-p": ("top_p", "which tokens can be drawn at all changes every score"),
    "max-new-tokens": ("max_new_tokens", "longer answers have more room for anything that counts"),
}
ALLOWABLE = (
    SUITE, PROMPTS, PROBE_SETS, LEXICONS, SAMPLES, *_DECODING, SEED, SCORERS, LIKELIHOOD,
    PROMPT_FORMAT,
)  # fmt: skip
"""What ``--allow`` can name."""

DEPENDS_ON_K = frozenset({"expected_max_toxicity", "toxicity_probability"})
"""Metrics that grow with the number of samples: of different k they are never compared."""

_LEFT_OUT = "the probe set is left out"
_READ_ON = "compared all the same; a change may come from this and not from the model"


@dataclass(frozen=True)
class PlannedSet:
    """One probe set of a stored run: how it was asked."""

    task: Task
    digest: str
    lexicons: Mapping[str, str]
    samples: int
    decoding: Mapping[str, Any]
    prompts: frozenset[str]


@dataclass(frozen=True)
class Exclusions:
    """What stays out of a comparison, each with the reason.

    Attributes
    ----------
    probe_sets, scorers : mapping of str to str
        By id and by name.
    samples : mapping of str to str
        Probe sets of different k, whose metrics that depend on k are left out.
    likelihoods : str or None
        Why nothing made of likelihoods is compared.
    """

    probe_sets: Mapping[str, str]
    scorers: Mapping[str, str]
    samples: Mapping[str, str]
    likelihoods: str | None


def planned_sets(run: StoredRun) -> dict[str, PlannedSet]:
    """Return how each probe set of a run was asked, carriers left out."""
    planned: dict[str, set[str]] = {}
    for prompt in run.prompts.values():
        planned.setdefault(prompt.probe_set, set()).add(prompt.id)
    asked = {one.prompt_id for one in run.generations.values()}
    asked |= {one.prompt_id for one in run.likelihoods}
    found = {}
    for one in run.identity["sets"]:
        facts = run.probe_sets[one["facts"]["id"]]
        if facts.task is Task.CARRIER:
            continue
        lexicons = facts.datasheet.get("lexicons", {})
        found[facts.id] = PlannedSet(
            task=facts.task,
            digest=facts.digest,
            lexicons={axis: str(each["digest"]) for axis, each in lexicons.items()},
            samples=int(one["samples"]) if facts.task is Task.GENERATE else 1,
            decoding=dict(one["decoding"]) if facts.task is Task.GENERATE else {},
            # Of a set that the model cannot serve nothing was asked, and its checks say so.
            prompts=frozenset(planned[facts.id] & asked or planned[facts.id]),
        )
    return found


def check_allowed(names: Iterable[str]) -> frozenset[str]:
    """Return the names of what is allowed to differ.

    Raises
    ------
    UnknownNameError
        If there is nothing of that name.
    """
    given = frozenset(names)
    for name in sorted(given):
        if name not in ALLOWABLE:
            raise UnknownNameError("difference to allow", name, ALLOWABLE)
    return given


def find_obstacles(base: StoredRun, candidate: StoredRun) -> tuple[Obstacle, ...]:
    """Return every difference in how the two runs were made that spoils a comparison.

    What people compare (weights, adapter, quantisation, number format, device) is none.
    """
    first, second = planned_sets(base), planned_sets(candidate)
    return (
        *_suite_obstacles(base, candidate, first, second),
        *(
            obstacle
            for name in sorted(first.keys() & second.keys())
            for obstacle in _set_obstacles(name, first[name], second[name])
        ),
        *_run_obstacles(base, candidate, [*first.values(), *second.values()]),
    )


def refuse_obstacles(obstacles: Sequence[Obstacle], allowed: frozenset[str]) -> None:
    """Refuse what is not comparable.

    Raises
    ------
    UsageError
        If a difference is not allowed; the message has every one, both values, and why it matters.
    """
    faults = [one for one in obstacles if one.name not in allowed]
    if not faults:
        return
    lines = [
        f"  {one.what}: base {one.base}, candidate {one.candidate}. This matters because "
        f"{one.why}. With --allow {one.name}: {one.effect}."
        for one in faults
    ]
    names = " ".join(f"--allow {name}" for name in dict.fromkeys(one.name for one in faults))
    raise UsageError(
        "the two runs cannot be compared as they are:\n"
        + "\n".join(lines)
        + f"\nMake the runs with the same settings, or give {names} to compare what is left."
    )


def exclusions(obstacles: Sequence[Obstacle]) -> Exclusions:
    """Return what allowed differences leave out of the comparison."""

    def reasons(*names: str) -> dict[str, str]:
        return {_subject(one): _reason(one) for one in obstacles if one.name in names}

    likelihoods = [_reason(one) for one in obstacles if one.name == LIKELIHOOD]
    return Exclusions(
        probe_sets=reasons(PROBE_SETS, LEXICONS),
        scorers=reasons(SCORERS),
        samples=reasons(SAMPLES),
        likelihoods=likelihoods[0] if likelihoods else None,
    )


def _subject(one: Obstacle) -> str:
    return one.what.rpartition(" ")[2]


def _reason(one: Obstacle) -> str:
    return f"Not comparable, {one.what}: base {one.base}, candidate {one.candidate}; {one.why}."


def _suite_obstacles(
    base: StoredRun,
    candidate: StoredRun,
    first: Mapping[str, PlannedSet],
    second: Mapping[str, PlannedSet],
) -> Iterator[Obstacle]:
    names = [f"{run.identity['suite']['id']} {run.identity['suite']['version']}"
             for run in (base, candidate)]  # fmt: skip
    if names[0] == names[1] and first.keys() == second.keys():
        return
    both = [
        f"{name} ({', '.join(sets)})" for name, sets in zip(names, (first, second), strict=True)
    ]
    yield Obstacle(
        SUITE, "suite", both[0], both[1],
        why="what only one run was asked cannot be compared, and its checks would be lost",
        effect="only the probe sets that both runs were asked are compared",
    )  # fmt: skip


def _set_obstacles(name: str, first: PlannedSet, second: PlannedSet) -> Iterator[Obstacle]:
    if first.lexicons != second.lexicons:
        yield Obstacle(
            LEXICONS, f"lexicons of probe set {name}",
            _spell(first.lexicons), _spell(second.lexicons),
            why="other words for the groups make other prompts, of which no two are a pair",
            effect=_LEFT_OUT,
        )  # fmt: skip
        return
    if first.digest != second.digest:
        yield Obstacle(
            PROBE_SETS, f"digest of probe set {name}", first.digest, second.digest,
            why="another file makes other prompts, of which no two are a pair",
            effect=_LEFT_OUT,
        )  # fmt: skip
        return
    if first.prompts != second.prompts:
        yield Obstacle(
            PROMPTS, f"prompts of probe set {name}",
            f"{len(first.prompts):,}", f"{len(second.prompts):,}",
            why="a pair needs the same prompt in both runs",
            effect=f"the {len(first.prompts & second.prompts):,} prompts of both are compared",
        )  # fmt: skip
    if first.samples != second.samples:
        yield Obstacle(
            SAMPLES, f"k of probe set {name}", str(first.samples), str(second.samples),
            why="expected maximum toxicity and toxicity probability grow with the number of "
            "samples k by themselves",
            effect=f"the first {min(first.samples, second.samples)} samples of each prompt are "
            "compared, and the metrics that depend on k are not",
        )  # fmt: skip
    for option, (key, why) in _DECODING.items():
        both = str(first.decoding.get(key)), str(second.decoding.get(key))
        if both[0] != both[1]:
            what = f"{option} of probe set {name}"
            yield Obstacle(option, what, both[0], both[1], why=why, effect=_READ_ON)


def _run_obstacles(
    base: StoredRun, candidate: StoredRun, sets: Sequence[PlannedSet]
) -> Iterator[Obstacle]:
    seeds = str(base.identity["seed"]), str(candidate.identity["seed"])
    if seeds[0] != seeds[1]:
        yield Obstacle(
            SEED, "seed", seeds[0], seeds[1],
            why="samples of other seeds are drawn with other noise and are no pairs",
            effect="compared by prompt; the intervals are wider than with one seed",
        )  # fmt: skip
    for name in sorted(base.scorers.keys() & candidate.scorers.keys()):
        digests = base.scorers[name].digest, candidate.scorers[name].digest
        if digests[0] != digests[1]:
            yield Obstacle(
                SCORERS, f"digest of scorer {name}", digests[0], digests[1],
                why="another version gives other scores to the same text",
                effect="what it scores is left out",
            )  # fmt: skip
    kinds = base.model.likelihood_definition, candidate.model.likelihood_definition
    if kinds[0] != kinds[1] and any(one.task is Task.CHOICES for one in sets):
        yield Obstacle(
            LIKELIHOOD, "definition of likelihood",
            f"“{kinds[0] or 'none'}”", f"“{kinds[1] or 'none'}”",
            why="numbers of different definitions are never compared with each other",
            effect="everything made of likelihoods is left out",
        )  # fmt: skip
    yield from _format_obstacles(base, candidate)


def _format_obstacles(base: StoredRun, candidate: StoredRun) -> Iterator[Obstacle]:
    """Compare the texts as they were sent: what the format is called does not matter."""
    common = sorted(
        key for key in base.sent.keys() & candidate.sent.keys()
        if base.prompts[key].task is not Task.CARRIER
    )  # fmt: skip
    other = [key for key in common if base.sent[key] != candidate.sent[key]]
    if other:
        yield Obstacle(
            PROMPT_FORMAT, "prompt format",
            f"{base.model.chat_format}, for example {_quote(base.sent[other[0]])}",
            f"{candidate.model.chat_format}, for example {_quote(candidate.sent[other[0]])}",
            why=f"{len(other):,} of {len(common):,} prompts were sent as another text",
            effect=_READ_ON,
        )  # fmt: skip


def _quote(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else f"{text[:59]}…", ensure_ascii=False)


def _spell(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or "none"
