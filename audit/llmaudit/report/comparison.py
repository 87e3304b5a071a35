"""Renders a comparison of two runs: HTML, Markdown for a pull request, JSON. Texts are escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from llmaudit import resources
from llmaudit.changes import RATE_PART, Answer, Change, ChangeVerdict, Comparison, PartChange
from llmaudit.findings import Estimate
from llmaudit.report.escaping import terminal_safe
from llmaudit.report.figures import Panel, draw_panels
from llmaudit.report.html import (
    content_security_policy,
    html_environment,
    render_template,
    style_sheet,
)
from llmaudit.report.markdown import markdown_environment
from llmaudit.report.results import json_values
from llmaudit.report.views import Fact
from llmaudit.report.wording import NO_VALUE, interval, level, number, p_value
from llmaudit.transparency import hide_folders, hide_folders_in

COMPARISON_SCHEMA_VERSION = 1
"""Rises when a reader of the old form would misread the new one."""

HTML_TEMPLATE, MARKDOWN_TEMPLATE = "compare.html.j2", "compare.md.j2"

CHANGE_SYMBOLS = {
    ChangeVerdict.REGRESSION: "✕",
    ChangeVerdict.IMPROVEMENT: "↑",
    ChangeVerdict.UNCHANGED: "=",
    ChangeVerdict.INCONCLUSIVE: "?",
    ChangeVerdict.NOT_TESTED: "○",
}
CHANGE_SENTENCES = {
    ChangeVerdict.REGRESSION: "At least one check got worse by more than the policy allows.",
    ChangeVerdict.IMPROVEMENT: "Something got better, and every required check was shown not to "
    "have got worse.",
    ChangeVerdict.UNCHANGED: "Every required check was shown not to have changed by more than the "
    "policy allows.",
    ChangeVerdict.INCONCLUSIVE: "Nothing was shown to have got worse, but not every required check "
    "could be shown not to have.",
    ChangeVerdict.NOT_TESTED: "Nothing was compared.",
}


@dataclass(frozen=True, slots=True)
class PartView:
    """One part of a check in both runs, in words and numbers."""

    part: str
    base: str
    candidate: str
    change: str
    worsening: str
    level: str
    verdict: str
    method: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What one run answered; ``state`` is ``text`` or ``empty``."""

    side: str
    state: str
    text: str
    score: str


@dataclass(frozen=True, slots=True)
class PairView:
    """One prompt and sample in both runs."""

    kind: str
    prompt_id: str
    sample: str
    template_id: str
    group: str
    sent: tuple[Fact, ...]
    answers: tuple[AnswerView, AnswerView]


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One check. ``key`` is its anchor and the name of its figure."""

    key: str
    title: str
    verdict: ChangeVerdict
    symbol: str
    plain: str
    exact: str
    part: str
    base: str
    candidate: str
    change: str
    interval: str
    allowed: str
    required: bool
    why: str
    moves: str
    rows: tuple[PartView, ...]
    facts: tuple[Fact, ...]
    examples: tuple[PairView, ...]


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """Everything the templates print, under these names."""

    base: str
    candidate: str
    verdict: ChangeVerdict
    symbol: str
    sentence: str
    lines: tuple[str, ...]
    tally: tuple[tuple[ChangeVerdict, str, int], ...]
    warnings: tuple[str, ...]
    allowed: tuple[str, ...]
    changes: tuple[ChangeView, ...]
    differences: tuple[tuple[str, str, str], ...]
    digests: tuple[Fact, ...]


def comparison_context(comparison: Comparison) -> ComparisonContext:
    """Return everything a template can print of a comparison, unescaped."""
    base, candidate = comparison.base, comparison.candidate
    policy = comparison.policy
    return ComparisonContext(
        base=_name(base.model, base.directory),
        candidate=_name(candidate.model, candidate.directory),
        verdict=comparison.verdict,
        symbol=CHANGE_SYMBOLS[comparison.verdict],
        sentence=CHANGE_SENTENCES[comparison.verdict],
        lines=(
            f"base: {base.model}, run {base.run_id} in {base.directory}",
            f"candidate: {candidate.model}, run {candidate.run_id} in {candidate.directory}",
            f"suite {comparison.suite} · policy {policy['id']}, version {policy['version']} · "
            f"α = {policy['alpha']:g}, corrected over the parts of a check and over checks",
        ),
        tally=tuple(
            (
                verdict,
                CHANGE_SYMBOLS[verdict],
                sum(c.verdict is verdict for c in comparison.changes),
            )
            for verdict in ChangeVerdict
        ),
        warnings=tuple(hide_folders(warning) for warning in comparison.warnings),
        allowed=tuple(
            f"{one.what}: base {one.base}, candidate {one.candidate}. This matters because "
            f"{one.why}; {one.effect}."
            for one in comparison.allowed
        ),
        changes=tuple(
            _view(f"change-{index}", change)
            for index, change in enumerate(comparison.changes, start=1)
        ),
        differences=tuple(
            (name, hide_folders(first), hide_folders(second))
            for name, first, second in comparison.differences
        ),
        digests=(
            ("base run", base.run_id),
            ("base model", base.digest),
            ("candidate run", candidate.run_id),
            ("candidate model", candidate.digest),
        ),
    )


def render_comparison(comparison: Comparison) -> str:
    """Return the comparison as one self-contained HTML page, as strict as the report's."""
    style = style_sheet()
    values = {
        "report": comparison_context(comparison),
        "figures": _figures(comparison),
        "style": Markup(style),  # noqa: S704 - shipped with the program
        "policy": content_security_policy(style),
    }
    return render_template(html_environment(None), HTML_TEMPLATE, values, None)


def render_comparison_markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown short enough for a pull request."""
    values = {"report": comparison_context(comparison)}
    return render_template(markdown_environment(), MARKDOWN_TEMPLATE, values, None)


def comparison_schema() -> dict[str, Any]:
    """Return the JSON Schema of :func:`comparison_json`, as it ships in ``templates/``."""
    path = resources.templates_dir() / "comparison.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values that satisfy :func:`comparison_schema`.

    Model output stands in it unescaped: escaping is for whoever displays it.
    """
    changes = [asdict(change) for change in comparison.changes]
    examples = [change.pop("examples") for change in changes]
    plain = {
        "schema_version": COMPARISON_SCHEMA_VERSION,
        "verdict": comparison.verdict.value,
        "base": asdict(comparison.base),
        "candidate": asdict(comparison.candidate),
        "suite": comparison.suite,
        "policy": comparison.policy,
        "changes": changes,
        "differences": [
            {"what": what, "base": base, "candidate": candidate}
            for what, base, candidate in comparison.differences
        ],
        "allowed": [asdict(one) for one in comparison.allowed],
        "warnings": list(comparison.warnings),
    }
    values: dict[str, Any] = json_values(hide_folders_in(json_values(plain)))
    for change, found in zip(values["changes"], examples, strict=True):
        change["examples"] = json_values(found)
    return values


def describe_change(change: Change) -> tuple[str, str, str, str]:
    """Return base, candidate, change with its interval, and the allowed change, for a table row."""
    part = change.part
    allowed = f"± {change.margin:g}" if change.kind == "disparity" else f"+{change.margin:g}"
    if part is None:
        return "", "", "", allowed
    ends = interval(part.change_low, part.change_high)
    moved = f"{_signed(part.change)} {ends}".strip()
    return number(part.base), number(part.candidate), moved, allowed


def _name(model: str, directory: str) -> str:
    return f"{model} ({directory})"


def _signed(value: float | None) -> str:
    """Return a change with its sign; a dash where there is none."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def _part_name(part: str) -> str:
    return "all prompts" if part == RATE_PART else part


def _view(key: str, change: Change) -> ChangeView:
    base, candidate, _, allowed = describe_change(change)
    part = change.part
    shown = "" if part is None or part.part == RATE_PART else part.part
    return ChangeView(
        key=key,
        title=change.title,
        verdict=change.verdict,
        symbol=CHANGE_SYMBOLS[change.verdict],
        plain=hide_folders(change.plain),
        exact=hide_folders(change.exact),
        part=shown,
        base=base or NO_VALUE,
        candidate=candidate or NO_VALUE,
        change=NO_VALUE if part is None else _signed(part.change),
        interval="" if part is None else interval(part.change_low, part.change_high),
        allowed=allowed,
        required=change.required,
        why=change.why,
        moves=_moves(change),
        rows=tuple(_part(one) for one in change.parts),
        facts=_facts(change),
        examples=tuple(_pair(one) for one in change.examples),
    )


def _moves(change: Change) -> str:
    if change.part is None:
        return ""
    where = "" if change.part.part == RATE_PART else f" of “{change.part.part}”"
    return (
        f"Single outcomes{where}: {change.newly_failing:,} newly failing, "
        f"{change.newly_passing:,} newly passing."
    )


def _part(part: PartChange) -> PartView:
    return PartView(
        part=_part_name(part.part),
        base=number(part.base),
        candidate=number(part.candidate),
        change=f"{_signed(part.change)} {interval(part.change_low, part.change_high)}".strip(),
        worsening=f"{_signed(part.worsening)} {interval(part.low, part.high)}".strip(),
        level=level(part.level),
        verdict=part.verdict.value,
        method=part.method,
    )


def _facts(change: Change) -> tuple[Fact, ...]:
    facts = [
        ("metric", change.metric.replace("_", " ")),
        ("probe set", change.probe_set),
        ("axis", change.axis or "none"),
        ("scorer", change.scorer or "none"),
        ("paired outcomes", f"{change.n:,}"),
        ("missing in a run", f"{change.n_missing:,}"),
        *((f"missing: {why}", f"{count:,}") for why, count in change.missing_reasons.items()),
    ]
    if change.part is not None:
        facts += [
            ("clusters", f"{change.clusters:,}"),
            ("p", p_value(change.p_value)),
            ("adjusted p", p_value(change.p_adjusted)),
        ]
    return tuple(facts)


def _pair(example: Any) -> PairView:
    sent: tuple[Fact, ...] = (("Sent", example.sent),)
    if example.sent_candidate != example.sent:
        sent = (("Sent by base", example.sent), ("Sent by candidate", example.sent_candidate))
    return PairView(
        kind=example.kind,
        prompt_id=example.prompt_id,
        sample=str(example.sample_index),
        template_id=example.template_id,
        group=example.group or "",
        sent=sent,
        answers=(_answer("Base", example.base), _answer("Candidate", example.candidate)),
    )


def _answer(side: str, answer: Answer) -> AnswerView:
    label = f", {answer.label}" if answer.label else ""
    state = "text" if answer.text else "empty"
    return AnswerView(side, state, answer.text or "", f"{number(answer.value)}{label}")


def _figures(comparison: Comparison) -> Mapping[str, Markup]:
    """Return the plot of each check's worsening, by its key."""
    drawn = {}
    for index, change in enumerate(comparison.changes, start=1):
        rows = _estimates(change)
        if any(one.value is not None for one in rows):
            key = f"change-{index}"
            limits = (-change.margin, change.margin)
            label = terminal_safe(f"Worsening of {change.title}, by part", one_line=True)
            svg = draw_panels(key, [Panel("", rows, limits)], label)
            drawn[key] = Markup(svg)  # noqa: S704 - drawn by us
    return drawn


def _estimates(change: Change) -> tuple[Estimate, ...]:
    parts: Sequence[PartChange] = change.parts
    return tuple(
        Estimate(
            part=one.part,
            value=one.worsening,
            low=one.low,
            high=one.high,
            level=one.level,
            n=change.n,
            n_missing=change.n_missing,
            clusters=change.clusters,
            method=one.method,
        )
        for one in parts
    )
