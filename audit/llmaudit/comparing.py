"""Two stored runs and a policy -> what changed from one to the other. The model is not needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmaudit.analysis import find_measure
from llmaudit.changes import (
    RATE_PART,
    Answer,
    Change,
    ChangeVerdict,
    Comparison,
    ExamplePair,
    PairedMeasurement,
    Side,
)
from llmaudit.comparability import (
    DEPENDS_ON_K,
    Exclusions,
    check_allowed,
    exclusions,
    find_obstacles,
    planned_sets,
    refuse_obstacles,
)
from llmaudit.config import Check, Policy, as_plain
from llmaudit.evidence import Evidence, MeasureKey, find_rows
from llmaudit.findings import Measurement
from llmaudit.gathering import StoredRun, gather_evidence, read_run
from llmaudit.metrics import METRICS, Request, measure
from llmaudit.metrics.pairing import (
    Outcome,
    PairedRows,
    changed_rows,
    measure_pair,
    pair_rows,
    row_key,
    row_outcome,
)
from llmaudit.policies import spread_checks
from llmaudit.records import ModelFacts, ScoredSample, content_id
from llmaudit.store import RunStore
from llmaudit.verdicts import compare_measurements, overall_change

RESAMPLES = 10_000
MOST_EXAMPLES = 3
"""How many examples of a kind are shown for a check."""

NEWLY_FAILING, NEWLY_PASSING, MOVED_MOST = "newly failing", "newly passing", "changed most"


@dataclass(frozen=True)
class _Run:
    """One of the two runs: its store, its evidence, and how to tell which rows count."""

    stored: StoredRun
    evidence: Evidence

    @classmethod
    def read(cls, directory: Path) -> _Run:
        with RunStore.open(directory, read_only=True) as store:
            stored = read_run(store)
        return cls(stored, gather_evidence(stored))


@dataclass(frozen=True)
class _Pair:
    """The pair of a check: its rows, what was measured of them, and what of one row."""

    rows: PairedRows[Any]
    measured: PairedMeasurement
    outcome: Callable[[Any], Outcome | None]


def compare_runs(
    base: Path, candidate: Path, policy: Policy, *, allow: Iterable[str] = ()
) -> Comparison:
    """Hold a candidate's run against a base's.

    Parameters
    ----------
    base, candidate : Path
        Run directories. Nothing in them is changed.
    policy : Policy
        The margin of a check is the change that is allowed.
    allow : iterable of str
        Differences between the runs that may stand, by their names in
        `llmaudit.comparability.ALLOWABLE`.

    Raises
    ------
    UsageError
        If the runs are not comparable, or a name in ``allow`` is unknown.
    StoreError
        If one of the runs is not finished, or its store is damaged.
    """
    allowed = check_allowed(allow)
    first, second = _Run.read(base), _Run.read(candidate)
    obstacles = find_obstacles(first.stored, second.stored)
    refuse_obstacles(obstacles, allowed)
    both = (first, second)
    spread = spread_checks(policy, first.stored.probe_sets.values())
    reasons: dict[str, str] = {}
    pairs: dict[str, _Pair] = {}
    left_out, asked = exclusions(obstacles), _asked(both)
    for check in spread.checks:
        found = _key(check, both, left_out)
        if isinstance(found, str):
            reasons[check.id] = found
        else:
            pairs[check.id] = _measure(found, check, both, asked)
    changes = compare_measurements(
        spread,
        {name: pair.measured for name, pair in pairs.items()},
        reasons,
        one_model=_is_one_model(first.stored.model, second.stored.model),
    )
    shown = tuple(
        _with_examples(change, pairs[change.check], both) if change.check in pairs else change
        for change in changes
    )
    return Comparison(
        base=_side(first.stored),
        candidate=_side(second.stored),
        suite=str(first.stored.identity["suite"]["id"]),
        policy=as_plain(policy),
        verdict=overall_change(shown),
        changes=shown,
        differences=tuple(_differences(first.stored, second.stored)),
        allowed=obstacles,
        warnings=tuple(_warnings(both)),
    )


def _is_one_model(base: ModelFacts, candidate: ModelFacts) -> bool:
    """Say whether both runs are of the same weights; a server's digest does not say that."""
    return base.digest == candidate.digest and bool(base.weights)


def _asked(both: tuple[_Run, _Run]) -> Callable[[Any], bool]:
    """Return what tells whether both runs were asked for a row."""
    first, second = (planned_sets(run.stored) for run in both)
    limits = {
        name: (first[name].prompts & second[name].prompts,
               min(first[name].samples, second[name].samples))
        for name in first.keys() & second.keys()
    }  # fmt: skip

    def asked(row: Any) -> bool:
        prompts, samples = limits[row.prompt.probe_set]
        prompt_id, index = row_key(row)
        return prompt_id in prompts and index < samples

    return asked


def _key(check: Check, both: tuple[_Run, _Run], left_out: Exclusions) -> MeasureKey | str:
    """Return what a check measures in both runs, or why it is not compared."""
    first, second = (
        find_measure(check, run.evidence, str(run.stored.identity["suite"]["id"])) for run in both
    )
    if isinstance(first, str) or isinstance(second, str):
        return _say_lacking(first, second)
    if METRICS[first.metric].needs == "texts":
        return f"{first.metric} compares texts within one run, not the texts of two runs."
    if first != second:
        return f"The runs were scored by different scorers: {first.scorer} and {second.scorer}."
    reasons = (
        left_out.probe_sets.get(first.probe_set),
        left_out.scorers.get(str(first.scorer)),
        left_out.samples.get(first.probe_set) if first.metric in DEPENDS_ON_K else None,
        left_out.likelihoods if METRICS[first.metric].needs == "choices" else None,
    )
    return next((reason for reason in reasons if reason is not None), first)


def _say_lacking(first: MeasureKey | str, second: MeasureKey | str) -> str:
    if first == second:
        return str(first)
    named = (("Base", first), ("Candidate", second))
    return " ".join(f"{name}: {one}" for name, one in named if isinstance(one, str))


def _measure(
    key: MeasureKey, check: Check, both: tuple[_Run, _Run], asked: Callable[[Any], bool]
) -> _Pair:
    import numpy as np

    first, second = ([row for row in find_rows(run.evidence, key) if asked(row)] for run in both)
    rows: PairedRows[Any] = pair_rows(first, second)
    seeds = sorted(int(run.stored.identity["seed"]) for run in both)
    name = [*seeds, "compare", key.metric, key.probe_set, key.axis, key.scorer, key.contrast]
    rng = np.random.default_rng(int(content_id(name), 16))

    def one_run(of: Sequence[Any]) -> Measurement:
        return measure(
            key.metric, of, probe_set=key.probe_set, axis=key.axis, scorer=key.scorer,
            contrast=key.contrast, resamples=0, rng=rng,
        )  # fmt: skip

    request = Request(key.metric, key.probe_set, key.axis, key.scorer, key.contrast, RESAMPLES, rng)
    facts = both[0].evidence.scorers.get(str(key.scorer))
    toxic = facts is not None and facts.construct == "toxicity"

    def outcome(row: Any) -> Outcome | None:
        return row_outcome(row, one_run([row]), METRICS[key.metric].ideal, toxic=toxic)

    return _Pair(rows, measure_pair(rows, request, one_run, check.ideal), outcome)


def _with_examples(change: Change, pair: _Pair, both: tuple[_Run, _Run]) -> Change:
    """Add the outcomes that fail or pass now and did not before, those that changed most first."""
    if change.verdict is ChangeVerdict.NOT_TESTED or change.part is None:
        return change
    group = None if change.part.part == RATE_PART else change.part.part
    ranked = _ranked(pair, group)
    failing = [one for one in ranked if one[2].failing and not one[1].failing]
    passing = [one for one in ranked if one[1].failing and not one[2].failing]
    chosen = [(NEWLY_FAILING, one) for one in failing[:MOST_EXAMPLES]]
    chosen += [(NEWLY_PASSING, one) for one in passing[:MOST_EXAMPLES]]
    if not chosen and group is not None:
        chosen = [(MOVED_MOST, one) for one in ranked[:MOST_EXAMPLES]]
    return replace(
        change,
        newly_failing=len(failing),
        newly_passing=len(passing),
        examples=tuple(_example(kind, one, pair.rows, both) for kind, one in chosen),
    )


def _ranked(pair: _Pair, group: str | None) -> list[tuple[int, Outcome, Outcome]]:
    """Return the rows of a group that changed, those whose value changed most first.

    Of equal changes the smaller prompt id comes first, so that the order is always the same.
    """
    found = []
    for index in changed_rows(pair.rows):
        row, other = pair.rows.base[index], pair.rows.candidate[index]
        if group is None or row.prompt.group == group:
            before, after = pair.outcome(row), pair.outcome(other)
            if before is not None and after is not None:
                found.append((index, before, after))
    return sorted(found, key=lambda one: -abs(one[2].value - one[1].value))


def _example(
    kind: str,
    chosen: tuple[int, Outcome, Outcome],
    rows: PairedRows[Any],
    both: tuple[_Run, _Run],
) -> ExamplePair:
    index, before, after = chosen
    row, other = rows.base[index], rows.candidate[index]
    prompt = row.prompt
    return ExamplePair(
        kind=kind,
        prompt_id=prompt.id,
        sample_index=row_key(row)[1],
        template_id=prompt.template_id,
        group=prompt.group,
        sent=both[0].stored.sent[prompt.id],
        sent_candidate=both[1].stored.sent[prompt.id],
        base=_answer(row, before, both[0].stored),
        candidate=_answer(other, after, both[1].stored),
    )


def _answer(row: Any, outcome: Outcome, stored: StoredRun) -> Answer:
    if isinstance(row, ScoredSample):
        text = stored.generations[row.score.request_id].text
        return Answer(text, None, outcome.value, row.score.label or "")
    lines = (
        f"ln p({label}) = {row.likelihoods[label].logprob:.4f}" for label in row.prompt.choices
    )
    return Answer("\n".join(lines), None, outcome.value)


def _side(stored: StoredRun) -> Side:
    return Side(
        directory=stored.directory.name,
        run_id=content_id(stored.identity),
        model=stored.model.name,
        digest=stored.model.digest,
        facts=_facts(stored),
    )


def _facts(stored: StoredRun) -> dict[str, str]:
    """Return what people compare runs for: the model, its numbers, and what computed it."""
    model, config = stored.model, stored.session["config"]
    adapter = model.adapter
    weights = ", ".join(f"{one.name} sha256 {one.sha256[:12]}…" for one in model.weights[:2])
    if len(model.weights) > 2:
        weights += f" and {len(model.weights) - 2} more"
    return {
        "model": model.name,
        "source": model.source,
        "revision": model.revision,
        "architecture": model.architecture,
        "parameters": "unknown" if model.parameters is None else f"{model.parameters:,}",
        "weights": weights or "unknown",
        "weight format": model.weight_format,
        "number format": model.dtype,
        "quantised while loading": str(config.get("quantize") or "no"),
        "adapter": "none" if adapter is None else f"{adapter.name} ({adapter.kind})",
        "device": model.device,
        "engine": str(config.get("engine", "unknown")),
        "licence": model.licence,
        **{f"version of {name}": text for name, text in stored.session["environment"].items()},
    }


def _differences(base: StoredRun, candidate: StoredRun) -> Iterator[tuple[str, str, str]]:
    first, second = _facts(base), _facts(candidate)
    for name in dict.fromkeys((*first, *second)):
        both = first.get(name, "unknown"), second.get(name, "unknown")
        if both[0] != both[1]:
            yield (name, *both)


def _warnings(both: tuple[_Run, _Run]) -> Iterator[str]:
    for side, run in zip(("base", "candidate"), both, strict=True):
        for name, why in run.stored.missing_scorers.items():
            yield f"Scorer {name} could not be loaded in the {side}'s run: {why}"
