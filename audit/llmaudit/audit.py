"""The whole audit: plan, ask the model, score, analyse, report. The one file that knows the stages.

Everything a stage makes is in the store before the next stage begins, under ids that say what it
is made of. So a run that was stopped goes on where it was: the same command plans the same
requests, and only those without a result are asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from llmaudit.artifacts import ReportOptions, withdraw_manifest, write_artifacts
from llmaudit.config import AuditConfig, Policy, as_plain
from llmaudit.directories import find_directory
from llmaudit.errors import AuditError, Interrupted, ModelError, UnknownNameError, UsageError
from llmaudit.findings import Run
from llmaudit.gathering import carrier_request_id, evidence_rows, gather_run, read_run
from llmaudit.linting import refuse_faulty_files
from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.planning import Plan, make_plan
from llmaudit.progress import Progress, Silence
from llmaudit.records import Capability, Generation, Prompt
from llmaudit.scorers import Scorer, ScoringItem, list_scorers, load_scorer, score_generations
from llmaudit.store import RunStore
from llmaudit.transparency import environment_facts

_LOG = logging.getLogger(__name__)
_PLAIN = ReportOptions()
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Finished:
    """A run that reached its end, and where its report lies."""

    run: Run
    directory: Path
    report: Path


def run_audit(
    config: AuditConfig, *, progress: Progress | None = None, command: str = ""
) -> Finished:
    """Audit a model and write the report.

    Parameters
    ----------
    config : AuditConfig
    progress : Progress, optional
        Told of stages and results as they come.
    command : str
        What the user typed, for the report.

    Raises
    ------
    AuditError
        As the exception tree says. What was stored stays, and the same call goes on from there.
    """
    tell = progress or Silence()
    refuse_faulty_files(config.suite, config.policy)
    plan = make_plan(config)
    _check_scorer_names(plan.scorers)
    asked = {name: load_scorer(name) for name in plan.asked_scorers}
    model = load_model(config.model, _load_options(config), progress=tell.note)
    identity = plan.identity(model.facts.digest)
    directory = find_directory(config, model.facts.name, plan.suite.id, identity)
    with _open_store(directory, identity, fresh=config.fresh) as store, _log_file(directory):
        withdraw_manifest(directory)
        _begin_session(store, plan, model, config, command)
        try:
            _ask_model(store, plan, model, tell)
            _score(store, plan, asked, tell)
            store.add_event("complete")
            with _stage(store, tell, "report", 1):
                run, report = _write(store, directory, plan.policy)
                tell.advance()
        except KeyboardInterrupt as stop:
            raise Interrupted(
                f"stopped; everything finished so far is in {directory}. The same command goes on "
                f"from there, --fresh starts over."
            ) from stop
    return Finished(run, directory, report)


def report_run(
    directory: Path, *, policy: Policy | None = None, options: ReportOptions = _PLAIN
) -> Finished:
    """Write the report of a stored run again; the model is not needed.

    Parameters
    ----------
    directory : Path
        A run directory.
    policy : Policy, optional
        Another policy than the run's own.
    options : ReportOptions, optional
        A user's own template, and whether to make a PDF.
    """
    with RunStore.open(directory, read_only=True) as store:
        run, report = _write(store, directory, policy, options)
    return Finished(run, directory, report)


def check_run(directory: Path, *, policy: Policy | None = None) -> Run:
    """Hold a stored run against a policy without writing anything."""
    with RunStore.open(directory, read_only=True) as store:
        stored = read_run(store)
    return gather_run(stored, policy or _own_policy(stored.session))


def _own_policy(session: Mapping[str, Any]) -> Policy:
    """Return the policy that the run itself was held against, from its store."""
    return Policy.model_validate(session["policy"])


def _write(
    store: RunStore, directory: Path, policy: Policy | None, options: ReportOptions = _PLAIN
) -> tuple[Run, Path]:
    stored = read_run(store)
    run = gather_run(stored, policy or _own_policy(stored.session))
    digest = store.content_digest()
    rows = evidence_rows(stored)
    return run, write_artifacts(directory, run, rows, content_digest=digest, options=options)


def _load_options(config: AuditConfig) -> LoadOptions:
    """Return what of the configuration concerns loading: each has the same name in both."""
    return LoadOptions(**{one.name: getattr(config, one.name) for one in fields(LoadOptions)})


def _check_scorer_names(names: Iterable[str]) -> None:
    """Refuse an unknown scorer before anything is loaded."""
    known = list_scorers()
    for name in names:
        if name not in known:
            raise UnknownNameError("scorer", name, known)


def _open_store(directory: Path, identity: Mapping[str, Any], *, fresh: bool) -> RunStore:
    """Open the run's store to go on with it, or make it."""
    if fresh:
        RunStore.set_aside(directory)
    if not RunStore.exists(directory):
        return RunStore.create(directory, identity)
    store = RunStore.open(directory)
    if store.identity != identity:
        store.close()
        raise UsageError(
            f"{directory} holds a run with another model, suite, seed or sample size. Use another "
            f"--out, or --fresh to start over there."
        )
    return store


def _begin_session(
    store: RunStore, plan: Plan, model: Model, config: AuditConfig, command: str
) -> None:
    """Store what the run is before its first request: facts, prompts, options, machine."""
    store.add_model_facts(model.facts)
    prompts = list(plan.prompts)
    store.add_prompts(prompts, {prompt.id: _sent(model, prompt) for prompt in prompts})
    hidden = {"out", "fresh"}
    store.add_event(
        "session",
        {
            "command": command,
            "config": {k: v for k, v in as_plain(config).items() if k not in hidden},
            "policy": as_plain(plan.policy),
            "environment": dict(environment_facts()),
        },
    )


def _sent(model: Model, prompt: Prompt) -> str:
    """Return the exact text sent for a prompt; where it cannot be made, its request will say so."""
    try:
        return model.format_prompt(prompt)
    except Exception as error:
        _LOG.warning("prompt %s cannot be formatted: %s", prompt.id, error)
        return prompt.plain


def _ask_model(store: RunStore, plan: Plan, model: Model, tell: Progress) -> None:
    """Ask for every generation and likelihood that the store does not hold yet."""
    done = store.done_request_ids()
    digest = model.facts.digest
    samples = plan.generation_requests(digest)
    if samples and Capability.GENERATE in model.capabilities:
        before = sum(request.id in done for request in samples)
        written = _surviving(model.generate(samples, done=done), model)
        with _stage(store, tell, "generations", len(samples), before), closing(written):
            for sample in written:
                store.add_generations([sample])
                tell.advance(1, sample.new_tokens)
    choices = plan.likelihood_requests(digest)
    if choices and Capability.LIKELIHOOD in model.capabilities:
        before = sum(request.id in done for request in choices)
        measured = _surviving(model.likelihood(choices, done=done), model)
        with _stage(store, tell, "likelihoods", len(choices), before), closing(measured):
            for choice in measured:
                store.add_likelihoods([choice])
                tell.advance()


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


def _score(store: RunStore, plan: Plan, asked: Mapping[str, Scorer], tell: Progress) -> None:
    """Let every scorer score every generation, and the carriers where its own bias matters."""
    answers = _answers(store)
    carriers = _carrier_items(plan)
    for name in plan.scorers:
        scorer = asked.get(name) or _load_or_record(store, name, tell)
        if scorer is None:
            continue
        store.add_event("scorer", {"facts": asdict(scorer.facts)})
        items = [*answers, *(carriers if scorer.facts.construct == "toxicity" else ())]
        done = store.scored_request_ids(scorer.facts.digest)
        todo = [item for item in items if item.generation.request_id not in done]
        with _stage(store, tell, f"scores by {name}", len(items), len(items) - len(todo)):
            for scores in score_generations(scorer, todo):
                store.add_scores(scores)
                tell.advance(len(scores))


def _load_or_record(store: RunStore, name: str, tell: Progress) -> Scorer | None:
    """Load a scorer; one that cannot be loaded is recorded, so its checks are *not tested*."""
    try:
        return load_scorer(name, progress=tell.note) if _fetches(name) else load_scorer(name)
    except AuditError as error:
        store.add_event("scorer missing", {"name": name, "reason": str(error)})
        tell.note(f"scorer {name} could not be loaded: {error}")
        return None


def _fetches(name: str) -> bool:
    """Say whether a scorer may have to fetch files, and so takes a listener."""
    return name.partition(":")[0] in {"toxicity", "detoxify"}


def _answers(store: RunStore) -> list[ScoringItem]:
    prompts = {prompt.id: prompt for prompt in store.prompts()}
    return [
        ScoringItem(one, _prompt_text(prompts[one.prompt_id]), prompts[one.prompt_id].language)
        for one in store.generations()
    ]


def _prompt_text(prompt: Prompt) -> str:
    """Return the user's words of a prompt, without what a chat template adds."""
    return prompt.messages[-1].content if prompt.messages else prompt.plain


def _carrier_items(plan: Plan) -> list[ScoringItem]:
    """Put the carrier texts where a scorer expects an answer."""
    return [
        ScoringItem(
            Generation(carrier_request_id(prompt.id), prompt.id, 0, prompt.plain),
            "",
            prompt.language,
        )
        for prompt in plan.carriers.prompts
    ]


@contextmanager
def _stage(store: RunStore, tell: Progress, name: str, total: int, done: int = 0) -> Iterator[None]:
    """Time a stage and tell of it; what a stopped stage took is stored too."""
    tell.begin(name, total, done)
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        data = {"stage": name, "seconds": seconds, "peak_memory_bytes": _peak_memory()}
        store.add_event("stage", data)
        tell.end()


def _peak_memory() -> int:
    """Return the most memory this process has held, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def _log_file(directory: Path) -> Iterator[None]:
    """Keep warnings and tracebacks of the run in ``log.txt`` beside its store."""
    handler = logging.FileHandler(directory / "log.txt", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("llmaudit")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
