"""Where commands print: standard output, wide where nobody watches, and safe for a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmaudit.report.escaping import terminal_safe

#: Columns where the output is no terminal, so that programs and logs get whole lines.
PIPE_WIDTH = 160
_NEVER_FOLDED = 10_000


class Output(Console):
    """A console that says when its reader has left; rich's own ends with the code of a failure."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line's one place for errors."""
        self.quiet = True
        raise BrokenPipeError


def open_console(*, pipe_width: int = PIPE_WIDTH) -> Console:
    """Return a console on standard output, ``pipe_width`` columns wide where it is no terminal."""
    console = Output(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = pipe_width
    return console


def safe_text(text: object, style: str = "") -> Text:
    """Return ``text`` as one line that cannot steer the terminal."""
    return Text(terminal_safe(str(text), one_line=True), style=style)


def print_json(value: Any) -> None:
    """Print a value as JSON in ASCII, in one piece, whatever the terminal's width."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False)
    open_console().print(text, soft_wrap=True)


def print_line(text: object, *, indent: int = 0, style: str = "") -> None:
    """Print one line, never broken by us."""
    open_console().print(Text(" " * indent) + safe_text(text, style), soft_wrap=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()
) -> None:
    """Print a table without rules; through a pipe each row is one line.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : iterable of sequence
        Cells; None is an empty one.
    right : iterable of str
        Headings of the columns that are aligned to the right.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    aligned = set(right)
    for place, name in enumerate(columns):
        table.add_column(
            name,
            justify="right" if name in aligned else "left",
            no_wrap=place == 0 or name in aligned,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(safe_text("" if cell is None else cell) for cell in row))
    console = open_console(pipe_width=_NEVER_FOLDED)
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():  # without the blanks up to the widest row
        console.print(Text(line.rstrip()), soft_wrap=True)


def describe_duration(seconds: float) -> str:
    """Return a time in the largest unit that still says something.

    Examples
    --------
    >>> describe_duration(42.4), describe_duration(400), describe_duration(36_000)
    ('42 s', '7 min', '10 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.0f} h"
