"""What a finished run looks like on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from llmaudit.cli.output import open_console, print_json, safe_text
from llmaudit.cli.remarks import describe_finding
from llmaudit.findings import Finding, Run, Timing
from llmaudit.records import Verdict
from llmaudit.report import results_json
from llmaudit.report.escaping import terminal_safe
from llmaudit.report.rounds import rounds_line
from llmaudit.report.waivers import waiver_views
from llmaudit.report.wording import interval, margin, number, states, waiver

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_TESTED: "dim",
}
_HEADINGS = ("check", "estimate", "margin", "verdict")
_GAP = 2
_INDENT = 4
#: A title is cut to this where the terminal is too narrow for all of it.
_SHORTEST_TITLE = 16
#: Fewer columns than this beside the table, and remarks go below their checks.
_REMARK_WIDTH = 40


def print_results(run: Run) -> None:
    """Print the content of ``results.json`` on standard output."""
    print_json(results_json(run))


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
    out = console or open_console()
    if not quiet:
        _say(out, _model_parts(run))
        _say(out, _run_parts(run))
        for warning in run.warnings:
            out.print(safe_text(f"warning: {warning}", "yellow"))
        out.print()
        rows = [_row(finding, str(run.suite["id"]), run.timing) for finding in run.findings]
        for line in _table(rows, out.width):
            out.print(line, soft_wrap=True)
        out.print()
        for one in waiver_views(run):
            if not one.needed:
                out.print(safe_text(f"waiver of {one.check} (owner {one.owner}): not needed"))
    line = Text("Verdict: ") + Text(_name(run.verdict), style=_STYLES[run.verdict])
    if waived := sum(finding.waiver is not None for finding in run.findings):
        line += Text(f" ({_count(waived, 'finding')} waived)")
    if report is not None:
        line += Text(f"   report: {terminal_safe(str(report), one_line=True)}")
    out.print(line, soft_wrap=True)


def _say(out: Console, parts: Sequence[str]) -> None:
    """Print parts with dots between them, and go to a new line between two parts only."""
    lines: list[str] = []
    for part in (terminal_safe(part, one_line=True) for part in parts if part):
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= out.width:
            lines[-1] = joined
        else:
            lines.append(part if not lines else f"  {part}")
    for line in lines:
        out.print(Text(line), soft_wrap=True)


def _name(verdict: Verdict) -> str:
    """Return the verdict's word; a failure is in capitals, so that colour is not the only cue."""
    return verdict.value.upper() if verdict is Verdict.FAIL else verdict.value


def _model_parts(run: Run) -> list[str]:
    model = run.model
    parts = [f"{model.name}  {model.source}", model.weight_format]
    if model.weights:
        more = f" and {len(model.weights) - 1} more" if len(model.weights) > 1 else ""
        parts.append(f"sha256 {model.weights[0].sha256[:8]}…{more}")
    return [*parts, model.licence]


def _run_parts(run: Run) -> list[str]:
    counts, (minutes, seconds) = run.counts, divmod(round(run.timing.seconds), 60)
    return [
        f"suite {run.suite['id']}",
        f"{counts.requests:,} requests",
        rounds_line(run.rounds) if run.rounds else "",
        f"seed {run.config['seed']}",
        _setting(run),
        f"locked by {run.lock}" if run.lock else "",
        f"{minutes} min {seconds} s",
        states(counts),
    ]


def _setting(run: Run) -> str:
    """Return number format and device; a model without either has no such line."""
    if run.model.kind == "scripted":
        return ""
    threads = run.environment.get("threads", "")
    beside = f" ({_count(int(threads), 'thread')})" if str(threads).isdigit() else ""
    return f"{run.model.dtype} on {run.model.device}{beside}"


def _count(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


@dataclass(frozen=True)
class _Row:
    """One check: its cells, the style of its verdict, and what the verdict rests on."""

    cells: tuple[str, str, str, str]
    style: str
    remark: str


def _row(finding: Finding, suite: str, timing: Timing) -> _Row:
    verdict = _name(finding.verdict) + (" (waived)" if finding.waiver else "")
    cells = (finding.title, _estimate(finding), _margin(finding), verdict)
    title, estimate, limit, shown = (terminal_safe(cell, one_line=True) for cell in cells)
    told = (waiver(finding.waiver).removesuffix("."), describe_finding(finding, suite, timing))
    remark = terminal_safe("; ".join(filter(None, told)), one_line=True)
    return _Row((title, estimate, limit, shown), _STYLES[finding.verdict], remark)


def _estimate(finding: Finding) -> str:
    one = finding.estimate
    if one is None or one.value is None:
        return ""
    return f"{number(one.value)} {interval(one.low, one.high)}".rstrip()


def _margin(finding: Finding) -> str:
    """Return the margin as the policy means it, with the ideal before it where it is not 0."""
    if finding.margin is None:
        return ""
    if finding.kind == "disparity" and finding.ideal:
        return f"{finding.ideal:g} ± {finding.margin:g}"
    return margin(finding)


def _table(rows: Sequence[_Row], width: int) -> list[Text]:
    """Return the lines of the table: remarks beside the verdicts, or below where it is narrow."""
    cells = (_HEADINGS, *(row.cells for row in rows))
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    rest = sum(widths[1:]) + _GAP * (len(widths) - 1)
    widths[0] = max(_SHORTEST_TITLE, min(widths[0], width - rest))
    beside = width - widths[0] - rest - _GAP
    lines = [Text(_join(_HEADINGS, widths).rstrip())]
    for row in rows:
        lines += _row_lines(row, widths, beside if beside >= _REMARK_WIDTH else 0, width)
    return lines


def _row_lines(row: _Row, widths: Sequence[int], beside: int, width: int) -> list[Text]:
    """Return the lines of one check; ``beside`` is the room for its remark, 0 to put it below."""
    title, *others = row.cells
    head, *more = textwrap.wrap(title, widths[0]) or [""]
    start = _join((head, *others[:-1], ""), widths)
    first = Text(start) + Text(others[-1], style=row.style)
    first.rstrip()
    lines = [first, *(Text(f"  {part}") for part in more)]
    if not row.remark:
        return lines
    if beside:
        column = sum(widths) + _GAP * len(widths)
        told = textwrap.wrap(f"({row.remark})", beside)
        first.pad_right(max(0, column - first.cell_len))
        first.append(told[0])
        return lines + [Text(" " * column + part) for part in told[1:]]
    told = textwrap.wrap(row.remark, max(20, width - _INDENT))
    return lines + [Text(" " * _INDENT + part, style="dim") for part in told]


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return cells side by side, each but the last padded to its width."""
    *padded, last = (
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return (" " * _GAP).join((*padded, last.rstrip()))
