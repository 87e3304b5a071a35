"""Asks the model and lets scorers score: whatever the store does not hold yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from llmaudit.asked_models import free_memory
from llmaudit.errors import AuditError, ModelError
from llmaudit.locking import PolicyLock, refuse_scorer
from llmaudit.models.base import Model
from llmaudit.planning import Plan
from llmaudit.progress import Progress
from llmaudit.records import Capability, Prompt
from llmaudit.scorer_models import ScorerLoader, public_name, uses_model
from llmaudit.scorers import Scorer, ScoringItem, load_scorer
from llmaudit.scoring import answer_items, scoring_parts
from llmaudit.store import RunStore

_LOG = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")


def never_late() -> bool:
    """Say that there is time."""
    return False


class Asker:
    """Asks one model and scores its answers, as much of a plan at a time as it is told to.

    Parameters
    ----------
    store : RunStore
    model : Model
    scorers : mapping of str to Scorer
        Those that are loaded already.
    tell : Progress
    lock : PolicyLock, optional
        Scorers that differ from it are refused.
    loader : ScorerLoader, optional
        Loads scorers that are models of their own, once the audited model has answered.
    """

    def __init__(
        self,
        store: RunStore,
        model: Model,
        scorers: Mapping[str, Scorer],
        tell: Progress,
        lock: PolicyLock | None,
        loader: ScorerLoader | None = None,
    ) -> None:
        self._store, self._tell, self._lock = store, tell, lock
        self._held: Model | None = model
        self._loader = loader or ScorerLoader()
        self._asked: frozenset[str] = frozenset()
        self._scorers: dict[str, Scorer | None] = dict(scorers)
        self._recorded: set[str] = set()

    @property
    def _model(self) -> Model:
        if self._held is None:
            raise ModelError("the model was let go of, and cannot be asked any more")
        return self._held

    def release_model(self) -> None:
        """Let go of the audited model, to make room for those that score: it has answered."""
        self._tell.note("the audited model has answered, and is let go of before others are loaded")
        self._held = None
        free_memory()

    def store_prompts(self, plan: Plan) -> None:
        """Store a plan's prompts, carriers included, with the exact texts that are sent."""
        prompts = list(plan.prompts)
        sent = {prompt.id: _sent(self._model, prompt) for prompt in prompts}
        self._store.add_prompts(prompts, sent)

    def ask(self, plan: Plan, *, label: str = "", late: Callable[[], bool] = never_late) -> None:
        """Ask for every generation and likelihood of a plan that the store does not hold yet.

        Parameters
        ----------
        plan : Plan
        label : str
            Put before the names of stages that are told.
        late : callable
            Asked after every result; the rest is left where it says so.
        """
        store, model, digest = self._store, self._model, self._model.facts.digest
        done = store.done_request_ids()
        samples = plan.generation_requests(digest)
        if samples and Capability.GENERATE in model.capabilities:
            before = sum(request.id in done for request in samples)
            written = _in_time(_surviving(model.generate(samples, done=done), model), late)
            with self.stage("generations", len(samples), before, label) as stage, closing(written):
                for sample in written:
                    store.add_generations([sample])
                    stage.advance(1, sample.new_tokens)
        choices = plan.likelihood_requests(digest)
        if choices and Capability.LIKELIHOOD in model.capabilities and not late():
            before = sum(request.id in done for request in choices)
            measured = _in_time(_surviving(model.likelihood(choices, done=done), model), late)
            with self.stage("likelihoods", len(choices), before, label) as stage, closing(measured):
                for choice in measured:
                    store.add_likelihoods([choice])
                    stage.advance(1)

    def score(self, plan: Plan, *, label: str = "") -> None:
        """Let every scorer score every answer, and the carriers where its own bias matters."""
        answers = self._answers()
        self._asked = frozenset(plan.asked_scorers)
        for name in plan.scorers:
            scorer = self._scorer(name)
            if scorer is None:
                continue
            for part in scoring_parts(scorer, answers, plan.carrier_prompts):
                todo, before = part.left(self._store.scored_request_ids(scorer.facts.digest))
                with self.stage(part.stage, len(part.items), before, label) as stage:
                    for scores in part.score(scorer, todo):
                        self._store.add_scores(scores)
                        stage.advance(len(scores))

    @contextmanager
    def stage(self, name: str, total: int, done: int = 0, label: str = "") -> Iterator[_Stage]:
        """Time a stage and tell of it; what a stopped stage took is stored too.

        How many results the time bought is stored where the stage was not stopped by a failure.
        """
        self._tell.begin(f"{label}{name}", total, done)
        started = time.monotonic()
        stage = _Stage(self._tell)
        bought: dict[str, int] = {}
        try:
            yield stage
            bought["results"] = stage.results
        finally:
            seconds = time.monotonic() - started
            data = {"stage": name, "seconds": seconds, "peak_memory_bytes": _peak_memory()}
            self._store.add_event("stage", data | bought)
            self._tell.end()

    def _scorer(self, name: str) -> Scorer | None:
        """Return a scorer, loaded once; one that cannot be loaded is recorded, once."""
        if name not in self._scorers:
            self._scorers[name] = self._load_or_record(name)
        scorer = self._scorers[name]
        if scorer is not None and name not in self._recorded:
            if self._lock is not None:
                refuse_scorer(self._lock, name, scorer.facts.digest)
            self._store.add_event("scorer", {"facts": asdict(scorer.facts)})
            self._recorded.add(name)
        return scorer

    def _load_or_record(self, name: str) -> Scorer | None:
        """Load a scorer; one that cannot be loaded leaves its checks *not tested*.

        One that the user asked for must be there: the run stops, and the same command goes on.
        """
        try:
            if uses_model(name):
                return self._loader.load(name, self._tell.note)
            if may_fetch(name):
                return load_scorer(name, progress=self._tell.note)
            return load_scorer(name)
        except AuditError as error:
            if name in self._asked:
                raise
            missing = {"name": public_name(name), "reason": str(error)}
            self._store.add_event("scorer missing", missing)
            self._tell.note(f"scorer {name} could not be loaded: {error}")
            return None

    def _answers(self) -> list[ScoringItem]:
        prompts = {prompt.id: prompt for prompt in self._store.prompts()}
        return answer_items(prompts, self._store.generations())


class _Stage:
    """Counts the results of a stage, and tells of them."""

    def __init__(self, tell: Progress) -> None:
        self._tell = tell
        self.results = 0

    def advance(self, count: int, tokens: int = 0) -> None:
        """Count results that are stored."""
        self.results += count
        self._tell.advance(count, tokens)


def _sent(model: Model, prompt: Prompt) -> str:
    """Return the exact text sent for a prompt; where it cannot be made, its request will say so."""
    try:
        return model.format_prompt(prompt)
    except Exception as error:
        _LOG.warning("prompt %s cannot be formatted: %s", prompt.id, error)
        return prompt.plain


def _in_time(
    results: Generator[ResultT, None, None], late: Callable[[], bool]
) -> Generator[ResultT, None, None]:
    """Pass results on until it is late; then, or where nobody takes more, close them."""
    with closing(results):
        for one in results:
            yield one
            if late():
                return


def _surviving(results: Iterator[ResultT], model: Model) -> Generator[ResultT, None, None]:
    """Pass results on; a model that breaks as a whole ends the run, not the program.

    Closed early, it closes ``results`` too, where they can be: requests to a server that no one
    waits for any more end at once.
    """
    try:
        yield from results
    except AuditError:
        raise
    except Exception as error:
        _LOG.exception("the model broke")
        raise ModelError(
            f"{model.facts.name} broke while it was asked: {type(error).__name__}: {error}. What "
            f"it had answered is stored; the same command goes on from there."
        ) from error


def load_scorers(
    names: Iterable[str],
    given: Mapping[str, Mapping[str, Any]],
    tell: Progress,
    loader: ScorerLoader | None = None,
) -> dict[str, Scorer]:
    """Return scorers that were asked for by name, of which none may be missing.

    Parameters
    ----------
    names : iterable of str
    given : mapping of str to mapping
        Options by scorer, from `llmaudit.scorers.detoxify_options`.
    tell : Progress
    loader : ScorerLoader, optional
        Loads those that are models of their own.

    Raises
    ------
    AuditError
        If one is unknown or cannot be loaded.
    """
    loaded = {}
    for name in dict.fromkeys(names):
        if loader is not None and uses_model(name):
            loaded[name] = loader.load(name, tell.note)
            continue
        options = dict(given.get(name, {}))
        if may_fetch(name):
            options["progress"] = tell.note
        loaded[name] = load_scorer(name, **options)
    return loaded


def may_fetch(name: str) -> bool:
    """Say whether a scorer may have to fetch files, and so takes a listener."""
    return name.partition("#")[0].partition(":")[0] in {"toxicity", "detoxify", "regard"}


def _peak_memory() -> int:
    """Return the most memory this process has held, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
