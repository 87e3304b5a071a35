"""A run's store -> the :class:`llmaudit.findings.Run` that reports are rendered from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from llmaudit.agreement import measure_agreements
from llmaudit.analysis import Analysis, Analyst
from llmaudit.arranging import scored_choices, scored_samples, written_samples
from llmaudit.config import Policy, as_plain
from llmaudit.errors import StoreError
from llmaudit.evidence import Evidence
from llmaudit.examples import choose_examples
from llmaudit.findings import Counts, Finding, Rounds, Run
from llmaudit.looks import Cell, Design, read_design
from llmaudit.policies import policy_digest
from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    ModelFacts,
    ProbeSetFacts,
    Prompt,
    Score,
    ScoredSample,
    ScorerFacts,
    Task,
    WeightFile,
    content_id,
)
from llmaudit.review.estimating import add_labels
from llmaudit.review.framing import Answers
from llmaudit.rounds import Played, conclude_rounds, play_rounds
from llmaudit.sessions import find_lock, judged_on, read_timing
from llmaudit.settling import settling_seconds
from llmaudit.store import Event, RunStore
from llmaudit.unserved import Result, unserved_sets

_SCORER_FAILURES = frozenset(
    {
        *("scorer_error", "invalid_score", "language", "too_long", "unparseable_verdict"),
        *("scorer_model_empty", "scorer_model_failed", "scorer_model_unsupported"),
        "scorer_model_too_long",
    }
)


def carrier_request_id(prompt_id: str) -> str:
    """Return the request id under which scores of a carrier text are stored."""
    return content_id({"carrier": prompt_id})


@dataclass(frozen=True)
class StoredRun:
    """Everything a store holds, read once."""

    directory: Path
    identity: Mapping[str, Any]
    model: ModelFacts
    prompts: Mapping[str, Prompt]
    sent: Mapping[str, str]
    generations: Mapping[str, Generation]
    likelihoods: Sequence[Likelihood]
    scores: Sequence[Score]
    events: Sequence[Event]
    probe_sets: Mapping[str, ProbeSetFacts]
    scorers: Mapping[str, ScorerFacts]
    missing_scorers: Mapping[str, str]

    @property
    def session(self) -> Mapping[str, Any]:
        """What the last session was told: command, options, policy, environment."""
        return _last(self.events, "session")

    @property
    def judged_on(self) -> date:
        """The day on which the waivers of the run's own policy had to be in force."""
        return judged_on(self.events)


def read_run(store: RunStore) -> StoredRun:
    """Read the store of a run that has been asked and scored to its end.

    Raises
    ------
    StoreError
        If the run is not complete: half of the answers must not pass for all of them. Also if the
        store lacks what every run writes, or holds what no run writes.
    """
    stored = read_store(store)
    if not _is_complete(stored.events):
        raise _unfinished(store)
    return stored


def _unfinished(store: RunStore) -> StoreError:
    return StoreError(
        f"the run in {store.path.parent} is not finished: {len(store.done_request_ids())} "
        f"results are stored. The `llmaudit run` command that began it goes on with it."
    )


def read_store(store: RunStore) -> StoredRun:
    """Read what a store holds by now, be the run complete or not; raises as `read_run`."""
    model = store.model_facts()
    events = list(store.events())
    if model is None:
        raise _unfinished(store)
    try:
        sets = [_probe_set_facts(one["facts"]) for one in store.identity["sets"]]
        loaded, missing = _scorers(events)
        session = _last(events, "session")
        session["config"], session["command"], session["environment"], session["policy"]
        judged_on(events), find_lock(events)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{store.path} does not describe a run: {error!r}") from error
    return StoredRun(
        directory=store.path.parent,
        identity=store.identity,
        model=model,
        prompts={prompt.id: prompt for prompt in store.prompts()},
        sent=store.sent(),
        generations={one.request_id: one for one in store.generations()},
        likelihoods=list(store.likelihoods()),
        scores=list(store.scores()),
        events=events,
        probe_sets={facts.id: facts for facts in sets},
        scorers=loaded,
        missing_scorers=missing,
    )


def current_scores(stored: StoredRun) -> list[Score]:
    """Return the scores made by the versions of the scorers that the run last used."""
    return [one for one in stored.scores if _is_current(one, stored.scorers)]


def gather_evidence(stored: StoredRun) -> Evidence:
    """Arrange what a stored run holds by probe set and scorer."""
    scores = current_scores(stored)
    requests = {key: (one.prompt_id, one.sample_index) for key, one in stored.generations.items()}
    carriers = {
        carrier_request_id(prompt.id): (prompt.id, 0)
        for prompt in stored.prompts.values()
        if prompt.task is Task.CARRIER
    }
    return Evidence(
        probe_sets=stored.probe_sets,
        samples=scored_samples(stored.prompts, requests, scores, stored.scorers),
        choices=scored_choices(stored.prompts, stored.likelihoods),
        carriers=_by_scorer(scored_samples(stored.prompts, carriers, scores, stored.scorers)),
        scorers=stored.scorers,
        missing_scorers=stored.missing_scorers,
        unserved=_unserved(stored),
        written=written_samples(stored.prompts, stored.generations.values()),
        licence=stored.model.licence,
        licence_class=stored.model.licence_class,
    )


def _by_scorer(
    samples: Mapping[tuple[str, str], Sequence[ScoredSample]],
) -> dict[str, list[ScoredSample]]:
    """Return the rows of all carrier sets by scorer."""
    found: dict[str, list[ScoredSample]] = {}
    for (_, scorer), rows in samples.items():
        found.setdefault(scorer, []).extend(rows)
    return found


def gather_run(stored: StoredRun, policy: Policy) -> Run:
    """Analyse a stored run against a policy and put together what the report needs."""
    scores, evidence = current_scores(stored), gather_evidence(stored)
    suite = stored.identity["suite"]
    analysis, rounds = _analyse(stored, evidence, policy)
    run = Run(
        id=content_id(stored.identity),
        directory=stored.directory.name,
        command=stored.session["command"],
        config=stored.session["config"],
        model=stored.model,
        environment=stored.session["environment"],
        suite=suite,
        policy=as_plain(policy),
        probe_sets=tuple(stored.probe_sets.values()),
        scorers=tuple(stored.scorers.values()),
        scorer_own=analysis.scorer_own,
        corrections=analysis.corrections,
        counts=_count(stored, scores),
        measured=analysis.measured,
        findings=analysis.findings,
        verdict=analysis.verdict,
        examples=tuple(choose_examples(stored, stored.probe_sets, stored.scorers, scores)),
        timing=replace(
            read_timing(stored.events), settling_seconds=_settling(stored, analysis.findings)
        ),
        warnings=tuple(
            f"Scorer {name} could not be loaded, so nothing was measured with it: {why}"
            for name, why in stored.missing_scorers.items()
        ),
        lock=_held_lock(stored, policy),
        rounds=rounds,
        agreements=measure_agreements(stored, scores, stored.scorers, int(stored.identity["seed"])),
    )
    answers = Answers(stored.prompts, stored.generations, scores, stored.scorers)
    return add_labels(run, stored.events, answers)


def _analyse(
    stored: StoredRun, evidence: Evidence, policy: Policy
) -> tuple[Analysis, Rounds | None]:
    """Analyse what a run holds: all at once, or round by round as an adaptive run came to it."""
    analyst, design = _analyst(stored, evidence, policy), read_design(stored.identity)
    if design is None:
        return analyst.conclude(analyst.judge()), None
    played = play_rounds(analyst, design, _tasks(stored), _held(stored, design))
    analysis, rounds = conclude_rounds(analyst, design, played, stored.probe_sets)
    return analysis, replace(rounds, budget=stored.session["config"].get("budget"))


def play_stored(stored: StoredRun, policy: Policy, refused: Collection[Cell]) -> Played:
    """Play the rounds of an adaptive run that goes on, as far as the store allows.

    Parameters
    ----------
    stored : StoredRun
    policy : Policy
    refused : collection of Cell
        Those that will not be asked on.

    Raises
    ------
    StoreError
        If the run is not an adaptive one.
    """
    design = read_design(stored.identity)
    if design is None:
        raise StoreError(f"the run in {stored.directory} has no rounds: it was asked at once.")
    analyst = _analyst(stored, gather_evidence(stored), policy)
    return play_rounds(analyst, design, _tasks(stored), _held(stored, design), refused)


def _analyst(stored: StoredRun, evidence: Evidence, policy: Policy) -> Analyst:
    suite, seed = stored.identity["suite"], int(stored.identity["seed"])
    return Analyst(evidence, policy, suite_id=suite["id"], seed=seed)


def _tasks(stored: StoredRun) -> dict[str, Task]:
    return {name: facts.task for name, facts in stored.probe_sets.items()}


def _held(stored: StoredRun, design: Design) -> set[tuple[Cell, int]]:
    results: list[Result] = [*stored.generations.values(), *stored.likelihoods]
    return design.answered(stored.prompts[one.prompt_id] for one in results)


def _settling(stored: StoredRun, findings: Sequence[Finding]) -> dict[str, float]:
    """Return what the prompts that would settle each open check would take on this machine."""
    results: list[Result] = [*stored.generations.values(), *stored.likelihoods]
    stages = [event.data for event in stored.events if event.kind == "stage"]
    return settling_seconds(findings, stages, stored.prompts, (one.prompt_id for one in results))


def _held_lock(stored: StoredRun, policy: Policy) -> str | None:
    """Return the digest of the lock that the run was held to, if it locks what was used."""
    lock = find_lock(stored.events)
    used = {name: facts.digest for name, facts in stored.scorers.items()}
    covered = lock is not None and lock.covers(policy_digest(policy), used)
    return lock.digest if lock is not None and covered else None


def _unserved(stored: StoredRun) -> dict[str, str]:
    """Return the probe sets of the run that its model cannot serve, and why."""
    results: dict[str, list[Result]] = {}
    everything: list[Result] = [*stored.generations.values(), *stored.likelihoods]
    for one in everything:
        results.setdefault(stored.prompts[one.prompt_id].probe_set, []).append(one)
    return unserved_sets(stored.model, stored.probe_sets.values(), results)


def _is_complete(events: Sequence[Event]) -> bool:
    """Say whether the last session reached the end of its questions and scores."""
    kinds = [event.kind for event in events if event.kind in {"session", "complete"}]
    return bool(kinds) and kinds[-1] == "complete"


def _last(events: Sequence[Event], kind: str) -> Mapping[str, Any]:
    """Return the data of the last event of a kind."""
    found = [event.data for event in events if event.kind == kind]
    if not found:
        raise KeyError(kind)
    return found[-1]


def _probe_set_facts(plain: Mapping[str, Any]) -> ProbeSetFacts:
    lists = ("axes", "known_limits", "metrics")
    return ProbeSetFacts(
        **{**plain, **{name: tuple(plain[name]) for name in lists}, "task": Task(plain["task"])}
    )


def _scorers(events: Sequence[Event]) -> tuple[dict[str, ScorerFacts], dict[str, str]]:
    """Return the scorers that were loaded, by their latest facts, and those that were not."""
    loaded: dict[str, ScorerFacts] = {}
    missing: dict[str, str] = {}
    for event in events:
        if event.kind == "scorer":
            facts = _scorer_facts(event.data["facts"])
            loaded[facts.name] = facts
            missing.pop(facts.name, None)
        elif event.kind == "scorer missing" and event.data["name"] not in loaded:
            missing[str(event.data["name"])] = str(event.data["reason"])
    return loaded, missing


def _scorer_facts(plain: Mapping[str, Any]) -> ScorerFacts:
    low, high = plain["range"]
    return ScorerFacts(
        **{
            **plain,
            "range": (float(low), float(high)),
            "languages": tuple(plain["languages"]),
            "files": tuple(WeightFile(**file) for file in plain["files"]),
        }
    )


def _is_current(score: Score, scorers: Mapping[str, ScorerFacts]) -> bool:
    """Say whether a score was made by the version of its scorer that the run last used."""
    facts = scorers.get(score.scorer)
    return facts is not None and facts.digest == score.scorer_digest


def _count(stored: StoredRun, scores: Sequence[Score]) -> Counts:
    """Count the requests by what they came to."""
    results: list[Result] = [
        *stored.generations.values(),
        *stored.likelihoods,
    ]
    errors = Counter(one.error.kind.value for one in results if one.error is not None)
    unsupported = errors.pop(ErrorKind.UNSUPPORTED.value, 0)
    empty = {
        key
        for key, one in stored.generations.items()
        if one.text is not None and not one.text.strip()
    }
    labels = Counter(
        (score.scorer, score.label) for score in scores if score.request_id not in empty
    )
    degenerate = sum(
        count
        for (scorer, label), count in labels.items()
        if scorer == "degeneration" and label not in {"ok", "truncated", None}
    )
    prompts = Counter(prompt.probe_set for prompt in stored.prompts.values())
    return Counts(
        requests=len(results),
        generations=len(stored.generations),
        likelihoods=len(stored.likelihoods),
        errors=errors.total(),
        empty=len(empty),
        degenerate=degenerate,
        refusals=labels["refusal", "full_refusal"],
        unscored=sum(score.reason in _SCORER_FAILURES for score in scores),
        unsupported=unsupported,
        errors_by_kind=dict(errors),
        prompts_by_set=dict(prompts),
        unscored_by_scorer=_unscored(stored, scores),
    )


def _unscored(stored: StoredRun, scores: Sequence[Score]) -> dict[str, dict[str, int]]:
    """Count the answers without a value by scorer and reason; carriers are no answers."""
    found: dict[str, Counter[str]] = {}
    for score in scores:
        if score.value is None and score.request_id in stored.generations:
            found.setdefault(score.scorer, Counter())[str(score.reason)] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}
