"""Turns a run into the plain values that templates read: :class:`ReportContext`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llmaudit.findings import Run
from llmaudit.records import Verdict
from llmaudit.report.agreements import agreement_views
from llmaudit.report.checks import check_views, group_views, measure_views
from llmaudit.report.examples import example_groups
from llmaudit.report.humanlabels import human_labels_view
from llmaudit.report.rounds import rounds_view
from llmaudit.report.scorercards import card_views
from llmaudit.report.views import (
    Fact,
    NoteGroup,
    ReportContext,
    TestedRow,
)
from llmaudit.report.waivers import waiver_views
from llmaudit.report.wording import NO_VALUE, SYMBOLS, states, verdict_sentence
from llmaudit.transparency import (
    Note,
    hide_folders,
    hide_folders_in,
    timing_notes,
    transparency_notes,
)

_SHORT_DIGEST = 12


def report_context(run: Run) -> ReportContext:
    """Return everything a template can print of ``run``, unescaped and in the report's order."""
    return ReportContext(
        run_id=run.id,
        model=run.model.name,
        model_line=_model_line(run),
        suite_line=_suite_line(run),
        policy_line=_policy_line(run),
        verdict=run.verdict,
        verdict_symbol=SYMBOLS[run.verdict],
        verdict_sentence=verdict_sentence(run.verdict, run.findings),
        tally=tuple(
            (verdict, SYMBOLS[verdict], sum(f.verdict is verdict for f in run.findings))
            for verdict in Verdict
        ),
        warnings=tuple(hide_folders(warning) for warning in run.warnings),
        checks=check_views(run),
        waivers=waiver_views(run),
        measures=measure_views(run),
        groups=group_views(run),
        tested=_tested(run),
        rounds=rounds_view(run),
        covers=_texts(run.suite.get("covers")),
        not_tested=tuple(
            (finding.title, hide_folders(finding.reason))
            for finding in run.findings
            if finding.verdict is Verdict.NOT_TESTED
        ),
        does_not_cover=_texts(run.suite.get("does_not_cover")),
        examples=example_groups(run.examples),
        agreements=agreement_views(run),
        human_labels=human_labels_view(run),
        scorers=card_views(run),
        notes=_notes(run),
        command=hide_folders(run.command),
        config=json.dumps(
            hide_folders_in(run.config), indent=2, sort_keys=True, ensure_ascii=False
        ),
        versions=tuple(sorted(run.environment.items(), key=lambda fact: fact[0].casefold())),
        digests=_digests(run),
        timing=tuple((note.name, note.text) for note in timing_notes(run)),
    )


def named(settings: Mapping[str, Any]) -> str:
    """Return the id of a suite or policy, or ``unknown``."""
    return str(settings.get("id") or settings.get("name") or "unknown")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def _model_line(run: Run) -> str:
    model = run.model
    digest = f"SHA-256 {model.weights[0].sha256[:_SHORT_DIGEST]}…" if model.weights else ""
    source = hide_folders(model.source)
    parts = (source, model.weight_format, digest, f"licence {model.licence}")
    return " · ".join(part for part in parts if part)


def _suite_line(run: Run) -> str:
    counts, model = run.counts, run.model
    seed = run.config.get("seed", "unknown")
    return (
        f"suite {named(run.suite)} · {counts.requests:,} requests · seed {seed} · "
        f"{model.dtype} on {model.device} · {states(counts)}"
    )


def _policy_line(run: Run) -> str:
    alpha, version = run.policy.get("alpha"), run.policy.get("version", "unknown")
    line = f"policy {named(run.policy)}, version {version}"
    if not isinstance(alpha, float):
        return line
    return f"{line} · α = {alpha:g}, corrected over the parts of a check and over checks"


def _tested(run: Run) -> tuple[TestedRow, ...]:
    sent = run.counts.prompts_by_set
    return tuple(
        TestedRow(
            facts.id,
            facts.title,
            facts.construct,
            facts.task.value,
            facts.language,
            ", ".join(facts.axes),
            facts.templates,
            sent.get(facts.id, 0),
        )
        for facts in run.probe_sets
    )


def _notes(run: Run) -> tuple[NoteGroup, ...]:
    notes = transparency_notes(run)
    sections = dict.fromkeys(note.section for note in notes)
    return tuple(
        NoteGroup(
            section,
            tuple((note.name, note.text) for note in notes if _within(note, section, True)),
            tuple(note.text for note in notes if _within(note, section, False)),
        )
        for section in sections
    )


def _within(note: Note, section: str, has_name: bool) -> bool:
    return bool(note.section == section and bool(note.name) is has_name)


def _digests(run: Run) -> tuple[Fact, ...]:
    scorers: Iterable[Fact] = ((f"scorer {facts.name}", facts.digest) for facts in run.scorers)
    sets: Iterable[Fact] = ((f"probe set {facts.id}", facts.digest) for facts in run.probe_sets)
    return (("run", run.id), ("model", run.model.digest or NO_VALUE), *scorers, *sets)
