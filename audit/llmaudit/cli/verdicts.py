"""What a finished run looks like on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmaudit.records import Finding, Run, Verdict
from llmaudit.report import results_json, terminal_safe
from llmaudit.report.wording import interval, margin, number

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_TESTED: "dim",
}


def print_results(run: Run) -> None:
    """Print the content of ``results.json`` on standard output."""
    text = json.dumps(results_json(run), indent=1, sort_keys=True, ensure_ascii=True)
    Console(soft_wrap=True, highlight=False, markup=False, emoji=False).print(text)


def print_run(
    run: Run, *, report: Path | None = None, quiet: bool = False, console: Console | None = None
) -> None:
    """Print the model, the run, the table of checks, the verdict and the report's path.

    Parameters
    ----------
    run : Run
    report : Path, optional
        The report's path; not printed where nothing was written.
    quiet : bool
        Only the verdict and the path.
    console : rich.console.Console, optional
        Standard output by default.
    """
    out = console or Console(highlight=False)
    if not quiet:
        _say(out, _model_line(run))
        _say(out, _run_line(run))
        for warning in run.warnings:
            _say(out, f"warning: {warning}", style="yellow")
        out.print()
        out.print(_table(run))
        out.print()
    line = Text("Verdict: ") + Text(_name(run.verdict), style=_STYLES[run.verdict])
    if report is not None:
        line += Text(f"   report: {terminal_safe(str(report), one_line=True)}")
    out.print(line, soft_wrap=True)


def _say(out: Console, text: str, style: str = "") -> None:
    out.print(Text(terminal_safe(text, one_line=True), style=style), soft_wrap=True)


def _name(verdict: Verdict) -> str:
    """Return the verdict's word; a failure is in capitals, so that colour is not the only cue."""
    return verdict.value.upper() if verdict is Verdict.FAIL else verdict.value


def _model_line(run: Run) -> str:
    model = run.model
    parts = [model.source, model.weight_format]
    if model.weights:
        more = f" and {len(model.weights) - 1} more" if len(model.weights) > 1 else ""
        parts.append(f"sha256 {model.weights[0].sha256[:8]}…{more}")
    return f"{model.name}  {' · '.join((*parts, model.licence))}"


def _run_line(run: Run) -> str:
    counts, minutes = run.counts, divmod(round(run.timing.seconds), 60)
    threads = run.environment.get("threads", "")
    device = f"{run.model.dtype} on {run.model.device}{f' ({threads} threads)' if threads else ''}"
    return " · ".join(
        (
            f"suite {run.suite['id']}",
            f"{counts.requests:,} requests",
            f"seed {run.config['seed']}",
            device,
            f"{minutes[0]} min {minutes[1]} s",
            f"{counts.errors} errors, {counts.empty} empty answers",
        )
    )


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    table.add_column("check", no_wrap=True)
    table.add_column("estimate", no_wrap=True)
    table.add_column("margin", no_wrap=True)
    table.add_column("verdict", ratio=1)
    for finding in run.findings:
        table.add_row(
            Text(terminal_safe(finding.title, one_line=True)),
            Text(_estimate(finding)),
            Text(margin(finding)),
            _verdict(finding),
        )
    return table


def _estimate(finding: Finding) -> str:
    one = finding.estimate
    if one is None or one.value is None:
        return ""
    return f"{number(one.value)} {interval(one.low, one.high)}"


def _verdict(finding: Finding) -> Text:
    text = Text(_name(finding.verdict), style=_STYLES[finding.verdict])
    remark = _remark(finding)
    return text + Text(f"  ({remark})", style="default") if remark else text


def _remark(finding: Finding) -> str:
    """Return what the verdict rests on, in a few words."""
    if finding.verdict is Verdict.NOT_TESTED:
        return terminal_safe(finding.reason, one_line=True)
    part = finding.estimate.part if finding.estimate else "all"
    about = "" if part == "all" else f"{terminal_safe(part, one_line=True)} differs most"
    if finding.verdict is Verdict.INCONCLUSIVE:
        if finding.more_prompts:
            return f"about {finding.more_prompts:,} more prompts would settle it"
        return terminal_safe(finding.reason, one_line=True)
    if finding.verdict is Verdict.FAIL and finding.scorer_own is not None:
        return f"{about}; larger than the scorer's own {number(abs(finding.scorer_own))}"
    return about if finding.verdict is Verdict.FAIL else ""
