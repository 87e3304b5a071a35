"""The whole audit: plan, ask the model, score, analyse, report. The one file that knows the stages.

Everything a stage makes is in the store before the next stage begins, under ids that say what it
is made of. So a run that was stopped goes on where it was: the same command plans the same
requests, and only those without a result are asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from llmaudit.artifacts import ReportOptions, withdraw_manifest, write_artifacts
from llmaudit.asking import Asker, load_scorers
from llmaudit.config import AuditConfig, Policy, as_plain
from llmaudit.directories import find_directory
from llmaudit.errors import Interrupted, UsageError
from llmaudit.examples import evidence_rows
from llmaudit.findings import Run
from llmaudit.gathering import gather_run, read_run
from llmaudit.linting import refuse_faulty_files
from llmaudit.locking import PolicyLock, hold_plan, hold_run
from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.planning import Plan, make_plan
from llmaudit.progress import Progress, Silence
from llmaudit.sampling import sample_until_settled
from llmaudit.scorer_models import ScorerLoader, ScorerOptions, scorer_options, uses_model
from llmaudit.scorers import detoxify_options
from llmaudit.scoring import add_scorers
from llmaudit.sessions import SessionLock, refuse_begun_without
from llmaudit.store import RunStore
from llmaudit.transparency import environment_facts
from llmaudit.verdicts.waivers import refuse_expired, today

_PLAIN = ReportOptions()


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
    loader = ScorerLoader(scorer_options(config))
    plan = make_plan(loader.add_judge(config))
    loader.check_names(plan.scorers)
    refuse_expired(plan.policy, today())
    lock = hold_plan(plan, config.locked) if config.locked else None
    given = detoxify_options(plan.scorers, config.detoxify_checkpoint, config.detoxify_dtype)
    loader.check(filter(uses_model, plan.asked_scorers), tell.note)
    early = (name for name in plan.asked_scorers if not uses_model(name))
    asked = load_scorers((*early, *given), given, tell)
    model = load_model(config.model, _load_options(config), progress=tell.note)
    identity = plan.identity(model.facts.digest)
    directory = find_directory(config, model.facts.name, plan.suite.id, identity)
    with _open_store(directory, identity, fresh=config.fresh) as store, _log_file(directory):
        if lock is not None:
            refuse_begun_without(_stored_lock(lock), store.events(), directory)
        withdraw_manifest(directory)
        asker = Asker(store, model, asked, tell, lock, loader)
        _begin_session(store, plan, model, config, command, lock)
        del model  # the asker alone holds it, and lets go of it before scorers' own models
        try:
            for part in sample_until_settled(store, plan, config.budget, tell):
                asker.store_prompts(part.plan)
                asker.ask(part.plan, label=part.label, late=part.late)
                if plan.design is None and any(map(uses_model, plan.scorers)):
                    asker.release_model()
                asker.score(part.plan, label=part.label)
            store.add_event("complete")
            with asker.stage("report", 1) as stage:
                run, report = _write(store, directory, plan.policy)
                stage.advance(1)
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


def score_run(
    directory: Path,
    names: Sequence[str],
    *,
    checkpoints: Sequence[str] = (),
    detoxify_dtype: str = "float32",
    options: ScorerOptions | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Add scorers to a finished run and write its report again; the model is not needed.

    Parameters
    ----------
    directory : Path
        A run directory.
    names : sequence of str
        The scorers; all are loaded before anything is written.
    checkpoints, detoxify_dtype
        See :func:`llmaudit.scorers.detoxify_options`.
    options : ScorerOptions, optional
        Cards, and a judge, whose rubrics are scored besides ``names``.
    progress : Progress, optional
        Told of stages and results as they come.

    Raises
    ------
    AuditError
        If a scorer is unknown or cannot be loaded, or the run is not finished.
    """
    tell = progress or Silence()
    loader = ScorerLoader(options)
    asked = tuple(dict.fromkeys((*names, *loader.judge_names)))
    if not asked:
        raise UsageError("name a scorer to add with --scorer, or a judge with --judge")
    loader.check_names(asked)
    given = detoxify_options(asked, checkpoints, detoxify_dtype)
    with RunStore.open(directory) as store, _log_file(directory):
        loader.check(filter(uses_model, asked), tell.note)
        scorers = list(load_scorers(asked, given, tell, loader).values())
        read_run(store)
        withdraw_manifest(directory)
        add_scorers(store, scorers, tell)
        run, report = _write(store, directory, None)
    return Finished(run, directory, report)


def check_run(directory: Path, *, policy: Policy | None = None, locked: Path | None = None) -> Run:
    """Hold a stored run against a policy, today, without writing anything.

    Parameters
    ----------
    directory : Path
        A run directory.
    policy : Policy, optional
        Another policy than the run's own.
    locked : Path, optional
        A policy lock; run and policy are refused unless they are what it says.

    Raises
    ------
    UsageError
        If a waiver of the policy is no longer in force, or if anything differs from the lock.
    """
    with RunStore.open(directory, read_only=True) as store:
        stored = read_run(store)
    chosen = policy or _own_policy(stored.session)
    refuse_expired(chosen, today())
    if locked is not None:
        digests = {name: facts.digest for name, facts in stored.scorers.items()}
        missing = dict.fromkeys(stored.missing_scorers, "")
        hold_run(stored.identity, chosen, digests | missing, locked)
    return gather_run(stored, chosen)


def _own_policy(session: Mapping[str, Any]) -> Policy:
    """Return the policy that the run itself was held against, from its store."""
    return Policy.model_validate(session["policy"])


def _write(
    store: RunStore, directory: Path, policy: Policy | None, options: ReportOptions = _PLAIN
) -> tuple[Run, Path]:
    stored = read_run(store)
    chosen = policy or _own_policy(stored.session)
    # The run's own policy was judged when it ran; a report made later must not change its verdict.
    refuse_expired(chosen, stored.judged_on if policy is None else today())
    run = gather_run(stored, chosen)
    digest = store.content_digest()
    rows = evidence_rows(stored, stored.scores)
    return run, write_artifacts(directory, run, rows, content_digest=digest, options=options)


def _load_options(config: AuditConfig) -> LoadOptions:
    """Return what of the configuration concerns loading: each has the same name in both."""
    known = (one.name for one in fields(LoadOptions) if one.name in type(config).model_fields)
    return LoadOptions(**{name: getattr(config, name) for name in known})


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
    store: RunStore,
    plan: Plan,
    model: Model,
    config: AuditConfig,
    command: str,
    lock: PolicyLock | None,
) -> None:
    """Store what the run is before its first request: facts, options, machine."""
    store.add_model_facts(model.facts)
    hidden = {"out", "fresh"}
    store.add_event(
        "session",
        {
            "command": command,
            "config": {k: v for k, v in as_plain(config).items() if k not in hidden},
            "policy": as_plain(plan.policy),
            "environment": dict(environment_facts()),
            "judged_on": today().isoformat(),
            "lock": asdict(_stored_lock(lock)) if lock else None,
        },
    )


def _stored_lock(lock: PolicyLock) -> SessionLock:
    return SessionLock(lock.digest, lock.policy_digest, lock.scorers)


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
