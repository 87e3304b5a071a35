"""What a comparison of two runs looks like on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from llmaudit.changes import RATE_PART, Change, ChangeVerdict, Comparison
from llmaudit.cli.output import open_console, safe_text
from llmaudit.report.comparison import CHANGE_SENTENCES, describe_change
from llmaudit.report.escaping import terminal_safe

_STYLES = {
    ChangeVerdict.REGRESSION: "bold red",
    ChangeVerdict.IMPROVEMENT: "green",
    ChangeVerdict.UNCHANGED: "green",
    ChangeVerdict.INCONCLUSIVE: "yellow",
    ChangeVerdict.NOT_TESTED: "dim",
}
_HEADINGS = ("check", "base", "candidate", "change", "allowed", "verdict")
_INDENT = 4
_GAP = 2


def print_comparison(
    found: Comparison,
    *,
    files: Sequence[Path] = (),
    quiet: bool = False,
    console: Console | None = None,
) -> None:
    """Print what differs, the table of checks, examples' numbers, and the verdict.

    Parameters
    ----------
    found : Comparison
    files : sequence of Path
        What was written.
    quiet : bool
        Only the verdict and the files.
    console : rich.console.Console, optional
        Standard output by default.
    """
    out = console or open_console()
    if not quiet:
        _print_sides(out, found)
        out.print()
        _print_table(out, found.changes)
        out.print()
    line = Text("Verdict: ") + Text(name_verdict(found.verdict), style=_STYLES[found.verdict])
    for file in files:
        line += Text(f"   {terminal_safe(str(file), one_line=True)}")
    out.print(line, soft_wrap=True)
    if not quiet:
        out.print(Text(CHANGE_SENTENCES[found.verdict]), soft_wrap=True)


def name_verdict(verdict: ChangeVerdict) -> str:
    """Return the verdict's word; a regression is in capitals: colour is not the only cue."""
    return verdict.value.upper() if verdict is ChangeVerdict.REGRESSION else verdict.value


def _print_sides(out: Console, found: Comparison) -> None:
    for name, side in (("base", found.base), ("candidate", found.candidate)):
        line = f"{name:9}  {side.model}  in {side.directory}, run {side.run_id}"
        out.print(safe_text(line), soft_wrap=True)
    if found.base.digest == found.candidate.digest:
        out.print(safe_text("both runs are of models with one digest"), soft_wrap=True)
    for what, base, candidate in found.differences:
        out.print(safe_text(f"differs    {what}: {base} -> {candidate}"), soft_wrap=True)
    for one in found.allowed:
        line = f"allowed    {one.what}: base {one.base}, candidate {one.candidate}; {one.effect}"
        out.print(safe_text(line, "yellow"), soft_wrap=True)
    for warning in found.warnings:
        out.print(safe_text(f"warning: {warning}", "yellow"), soft_wrap=True)


def _print_table(out: Console, changes: Sequence[Change]) -> None:
    cells = [_HEADINGS, *(_cells(change) for change in changes)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    out.print(Text(_join(_HEADINGS, widths)), soft_wrap=True)
    for change, row in zip(changes, cells[1:], strict=True):
        *others, verdict = row
        line = Text(_join((*others, ""), widths))
        line.pad_right(max(0, sum(widths[:-1]) + _GAP * len(others) - line.cell_len))
        out.print(line + Text(verdict, style=_STYLES[change.verdict]), soft_wrap=True)
        for part in textwrap.wrap(_remark(change), max(20, out.width - _INDENT)):
            out.print(Text(" " * _INDENT + part, style="dim"), soft_wrap=True)


def _cells(change: Change) -> tuple[str, ...]:
    title = change.title
    if change.part is not None and change.part.part != RATE_PART:
        title = f"{title} ({change.part.part})"
    row = (title, *describe_change(change), name_verdict(change.verdict))
    return tuple(terminal_safe(cell, one_line=True) for cell in row)


def _remark(change: Change) -> str:
    """Return what the verdict rests on, where the row does not say it."""
    said = [] if change.verdict is ChangeVerdict.UNCHANGED else [change.plain]
    if change.newly_failing or change.newly_passing:
        said.append(
            f"Outcomes newly failing: {change.newly_failing:,}; newly passing: "
            f"{change.newly_passing:,}."
        )
    return terminal_safe(" ".join(said), one_line=True)


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()
