"""Findings and measurements as the report prints them: rows, facts, and groups side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmaudit.corrections import Correction
from llmaudit.findings import Estimate, Finding, Measurement, Run
from llmaudit.report import wording
from llmaudit.report.beside import (
    correction_facts,
    correction_of,
    discovery_rates,
    scorer_facts,
    shown_corrections,
)
from llmaudit.report.views import CheckView, Fact, GroupView, MeasureView, PartRow
from llmaudit.transparency import hide_folders
from llmaudit.transparency.scoring import flatten

RATE_PARTS = ("all",)
"""The parts of a measurement that is one rate, not a comparison of groups."""

_ALL = {"all": "all prompts"}


def check_views(run: Run) -> tuple[CheckView, ...]:
    """Return one view per finding, in the order of the policy."""
    return tuple(
        _check(f"check-{index}", finding, _judged(finding, run), run)
        for index, finding in enumerate(run.findings, start=1)
    )


def measure_views(run: Run) -> tuple[MeasureView, ...]:
    """Return the measurements that no finding holds against a margin."""
    free = [pair for pair in run.measured if not any(_judges(f, pair[0]) for f in run.findings)]
    return tuple(
        MeasureView(
            f"measure-{index}",
            measure_title(measured),
            hide_folders(measured.reason or ""),
            part_rows(estimates, discovery_rates(measured), correction_of(run, measured)),
            estimates,
            tuple(_measure_facts(measured, correction_of(run, measured))),
            tuple(flatten(measured.detail)),
        )
        for index, (measured, estimates) in enumerate(free, start=1)
    )


def group_views(run: Run) -> tuple[GroupView, ...]:
    """Return, for every axis that was measured, all its measurements side by side."""
    axes: dict[str, list[tuple[Measurement, tuple[Estimate, ...]]]] = {}
    for measured, estimates in run.measured:
        if measured.axis is not None and measured.parts != RATE_PARTS and estimates:
            axes.setdefault(measured.axis, []).append((measured, estimates))
    return tuple(
        _group(f"group-{index}", axis, pairs) for index, (axis, pairs) in enumerate(axes.items(), 1)
    )


def measure_title(measured: Measurement) -> str:
    """Return what was measured in words: metric, axis and probe set."""
    metric = measured.metric.replace("_", " ")
    metric = metric[:1].upper() + metric[1:]
    axis = f", {measured.axis}" if measured.axis else ""
    return f"{metric}{axis} ({measured.probe_set})"


def part_rows(
    estimates: Iterable[Estimate],
    rates: Mapping[str, str] | None = None,
    correction: Correction | None = None,
) -> tuple[PartRow, ...]:
    """Return one printable row per estimate, with what stands beside it where there is any."""
    shown = rates or {}
    beside = shown_corrections(correction)
    return tuple(
        PartRow(
            _ALL.get(estimate.part, estimate.part),
            wording.number(estimate.value),
            wording.interval(estimate.low, estimate.high),
            wording.level(estimate.level),
            estimate.n,
            estimate.n_missing,
            estimate.clusters,
            estimate.method,
            estimate.reason or "",
            shown.get(estimate.part, ""),
            *beside.get(estimate.part, ("", "")),
        )
        for estimate in estimates
    )


def _judges(finding: Finding, measured: Measurement) -> bool:
    same = (finding.metric, finding.probe_set, finding.axis) == (
        measured.metric,
        measured.probe_set,
        measured.axis,
    )
    return same and finding.scorer in (None, measured.scorer)


def _judged(finding: Finding, run: Run) -> Measurement | None:
    return next((each for each, _ in run.measured if _judges(finding, each)), None)


def _check(key: str, finding: Finding, measured: Measurement | None, run: Run) -> CheckView:
    estimate, correction = finding.estimate, correction_of(run, measured)
    detail = {**(measured.detail if measured else {}), **finding.detail}
    parts = finding.parts or (() if estimate is None else (estimate,))
    return CheckView(
        key=key,
        title=finding.title,
        verdict=finding.verdict,
        symbol=wording.SYMBOLS[finding.verdict],
        reason=hide_folders(finding.reason),
        plain=hide_folders(finding.plain),
        exact=hide_folders(finding.exact),
        cost=wording.settling_cost(finding, run.timing),
        estimate="" if estimate is None else wording.number(estimate.value),
        interval="" if estimate is None else wording.interval(estimate.low, estimate.high),
        part="" if estimate is None or estimate.part in _ALL else estimate.part,
        margin=wording.margin(finding),
        required=finding.required,
        why=finding.why,
        rows=part_rows(parts, None, correction),
        estimates=parts,
        facts=tuple(_check_facts(finding, measured, correction)),
        detail=tuple(flatten(detail)),
        limits=_limits(finding),
        waiver=wording.waiver(finding.waiver),
    )


def _limits(finding: Finding) -> tuple[float, float] | None:
    if finding.margin is None:
        return None
    if finding.kind == "ceiling":
        return (0.0, finding.margin)
    return (finding.ideal - finding.margin, finding.ideal + finding.margin)


def _check_facts(
    finding: Finding, measured: Measurement | None, correction: Correction | None
) -> Iterable[Fact]:
    if finding.probe_set:
        yield "metric", finding.metric.replace("_", " ")
        yield "probe set", finding.probe_set
        yield "axis", finding.axis or "none"
        yield "scorer", finding.scorer or "none"
    if finding.reference:
        yield "reference", finding.reference
    estimate = finding.estimate
    if measured is not None:
        yield "n", f"{measured.n:,}"
        yield "n missing", f"{measured.n_missing:,}"
        yield from _reasons(measured.missing_reasons)
        yield from correction_facts(measured)
    if estimate is None:
        return
    yield "clusters", f"{estimate.clusters:,}"
    yield "method", estimate.method or "unknown"
    yield "p", wording.p_value(finding.p_value)
    yield "adjusted p", wording.p_value(finding.p_adjusted)
    effect = wording.number(finding.effect_size)
    yield "effect size", f"{effect} ({finding.effect_name})" if finding.effect_name else effect
    own = wording.number(finding.scorer_own)
    yield "scorer's own disparity", own if finding.scorer_own is not None else "not applicable"
    yield from scorer_facts(correction)


def _measure_facts(measured: Measurement, correction: Correction | None) -> Iterable[Fact]:
    yield "scorer", measured.scorer or "none"
    yield "n", f"{measured.n:,}"
    yield "n missing", f"{measured.n_missing:,}"
    yield from _reasons(measured.missing_reasons)
    yield from correction_facts(measured)
    yield from scorer_facts(correction)
    yield "method", measured.method or "unknown"


def _reasons(reasons: Mapping[str, int]) -> Iterable[Fact]:
    for reason, count in sorted(reasons.items()):
        yield f"missing: {reason.replace('_', ' ')}", f"{count:,}"


def _group(key: str, axis: str, pairs: list[tuple[Measurement, tuple[Estimate, ...]]]) -> GroupView:
    columns = tuple(_column(measured) for measured, _ in pairs)
    parts = dict.fromkeys(estimate.part for _, estimates in pairs for estimate in estimates)
    by_part = [{estimate.part: estimate for estimate in estimates} for _, estimates in pairs]
    rows = tuple((part, tuple(_cell(column.get(part)) for column in by_part)) for part in parts)
    series = tuple(
        (column, estimates) for column, (_, estimates) in zip(columns, pairs, strict=True)
    )
    return GroupView(key, axis, columns, rows, series)


def _column(measured: Measurement) -> str:
    scorer = f", {measured.scorer}" if measured.scorer else ""
    return f"{measured.metric.replace('_', ' ')} ({measured.probe_set}{scorer})"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return wording.NO_VALUE
    text = f"{wording.number(estimate.value)} {wording.interval(estimate.low, estimate.high)}"
    return text.strip()
