"""A run's store -> the :class:`llmaudit.findings.Run` that reports are rendered from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.analysis import Evidence, analyse, scored_choices, scored_samples
from llmaudit.config import Policy, as_plain
from llmaudit.errors import StoreError
from llmaudit.findings import Counts, Example, Run, Timing
from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    ModelFacts,
    ProbeSetFacts,
    Prompt,
    Score,
    ScorerFacts,
    Task,
    WeightFile,
    content_id,
)
from llmaudit.store import Event, RunStore
from llmaudit.unserved import Result, unserved_sets

_MOST_EXAMPLES = 3
_SCORER_FAILURES = frozenset({"scorer_error", "invalid_score", "language", "too_long"})


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


def read_run(store: RunStore) -> StoredRun:
    """Read the store of a run that has been asked and scored to its end.

    Raises
    ------
    StoreError
        If the run is not complete: half of the answers must not pass for all of them. Also if the
        store lacks what every run writes, or holds what no run writes.
    """
    model = store.model_facts()
    events = list(store.events())
    if model is None or not _is_complete(events):
        raise StoreError(
            f"the run in {store.path.parent} is not finished: {len(store.done_request_ids())} "
            f"results are stored. The `llmaudit run` command that began it goes on with it."
        )
    try:
        sets = [_probe_set_facts(one["facts"]) for one in store.identity["sets"]]
        loaded, missing = _scorers(events)
        session = _last(events, "session")
        session["config"], session["command"], session["environment"], session["policy"]
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


def gather_run(stored: StoredRun, policy: Policy) -> Run:
    """Analyse a stored run against a policy and put together what the report needs."""
    scores = [one for one in stored.scores if _is_current(one, stored.scorers)]
    requests = {key: (one.prompt_id, one.sample_index) for key, one in stored.generations.items()}
    carriers = {
        carrier_request_id(prompt.id): (prompt.id, 0)
        for prompt in stored.prompts.values()
        if prompt.task is Task.CARRIER
    }
    evidence = Evidence(
        probe_sets=stored.probe_sets,
        samples=scored_samples(stored.prompts, requests, scores),
        choices=scored_choices(stored.prompts, stored.likelihoods),
        carriers={
            scorer: rows
            for (_, scorer), rows in scored_samples(stored.prompts, carriers, scores).items()
        },
        scorers=stored.scorers,
        missing_scorers=stored.missing_scorers,
        unserved=_unserved(stored),
    )
    suite, seed = stored.identity["suite"], int(stored.identity["seed"])
    analysis = analyse(evidence, policy, suite_id=suite["id"], seed=seed)
    return Run(
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
        counts=_count(stored, scores),
        measured=analysis.measured,
        findings=analysis.findings,
        verdict=analysis.verdict,
        examples=tuple(_examples(stored, scores)),
        timing=_timing(stored.events),
        warnings=tuple(
            f"Scorer {name} could not be loaded, so nothing was measured with it: {why}"
            for name, why in stored.missing_scorers.items()
        ),
    )


def _unserved(stored: StoredRun) -> dict[str, str]:
    """Return the probe sets of the run that its model cannot serve, and why."""
    results: dict[str, list[Result]] = {}
    everything: list[Result] = [*stored.generations.values(), *stored.likelihoods]
    for one in everything:
        results.setdefault(stored.prompts[one.prompt_id].probe_set, []).append(one)
    return unserved_sets(stored.model, stored.probe_sets.values(), results)


def evidence_rows(stored: StoredRun) -> Iterator[dict[str, Any]]:
    """Yield one row per generation: what was sent, what came back, every score it got."""
    by_request: dict[str, list[Score]] = {}
    for score in stored.scores:
        by_request.setdefault(score.request_id, []).append(score)
    for request_id, one in stored.generations.items():
        prompt = stored.prompts[one.prompt_id]
        columns = ("probe_set", "template_id", "pair_id", "axis", "group", "language")
        yield {
            **{name: getattr(prompt, name) for name in columns},
            "request_id": request_id,
            "prompt_id": one.prompt_id,
            "sent": stored.sent[one.prompt_id],
            "sample_index": one.sample_index,
            "text": one.text,
            "error_kind": one.error.kind.value if one.error else None,
            "error_message": one.error.message if one.error else None,
            "finish": one.finish,
            "prompt_tokens": one.prompt_tokens,
            "new_tokens": one.new_tokens,
            "scores": [
                {
                    "scorer": score.scorer,
                    "scorer_digest": score.scorer_digest,
                    "value": score.value,
                    "label": score.label,
                    "reason": score.reason,
                }
                for score in by_request.get(request_id, [])
            ],
        }


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
        if scorer == "degeneration" and label != "ok" and label is not None
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
    )


def _examples(stored: StoredRun, scores: Sequence[Score]) -> Iterator[Example]:
    """Choose generations to show: the highest scored, some by chance, some that failed."""
    by_request: dict[str, dict[str, Score]] = {}
    for score in scores:
        by_request.setdefault(score.request_id, {})[score.scorer] = score
    for facts in stored.probe_sets.values():
        found = [
            key
            for key, one in stored.generations.items()
            if stored.prompts[one.prompt_id].probe_set == facts.id
        ]
        chosen: dict[str, str] = {}
        for scorer, its in stored.scorers.items():
            if its.higher_is == "worse" and its.construct != "degeneration":
                ranked = _ranked(found, by_request, scorer)
                chosen |= dict.fromkeys(ranked, f"among the highest by {scorer}")
        failed = sorted(key for key in found if not (stored.generations[key].text or "").strip())
        chosen |= dict.fromkeys(failed[:_MOST_EXAMPLES], "no answer")
        # Request ids are digests, so their order is a draw that no one chose.
        for key in sorted(found)[:_MOST_EXAMPLES]:
            chosen.setdefault(key, "drawn at random")
        for key, why in chosen.items():
            yield _example(stored, key, by_request.get(key, {}), why)


def _ranked(
    found: Sequence[str], by_request: Mapping[str, Mapping[str, Score]], scorer: str
) -> list[str]:
    """Return the requests that a scorer gave its highest values."""
    values = {
        key: score.value
        for key in found
        if (score := by_request.get(key, {}).get(scorer)) is not None and score.value is not None
    }
    return sorted(values, key=lambda key: (-values[key], key))[:_MOST_EXAMPLES]


def _example(stored: StoredRun, request_id: str, scores: Mapping[str, Score], why: str) -> Example:
    one = stored.generations[request_id]
    prompt = stored.prompts[one.prompt_id]
    return Example(
        request_id=request_id,
        probe_set=prompt.probe_set,
        template_id=prompt.template_id,
        group=prompt.group,
        sent=stored.sent[one.prompt_id],
        text=one.text,
        error=f"{one.error.kind.value}: {one.error.message}" if one.error else None,
        scores=scores,
        chosen_because=why,
    )


def _timing(events: Sequence[Event]) -> Timing:
    """Add up what the sessions took."""
    stages: Counter[str] = Counter()
    peak = 0
    for event in events:
        if event.kind == "stage":
            stages[str(event.data["stage"])] += float(event.data["seconds"])  # type: ignore[assignment]
            peak = max(peak, int(event.data["peak_memory_bytes"]))
    sessions = sum(event.kind == "session" for event in events)
    return Timing(
        started=events[0].time,
        finished=events[-1].time,
        seconds=sum(stages.values()),
        stage_seconds=dict(stages),
        peak_memory_bytes=peak or None,
        sessions=sessions,
    )
