"""Tables for narrow terminals: one column becomes headings, and only the first column is broken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmaudit.cli.output import open_console, safe_text

_GAP = 2
#: Columns where the output is no terminal: as many as it takes.
_NO_LIMIT = 10_000


def fits(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Say whether a table with a gap of two between columns is no wider than the terminal."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return sum(widths) + _GAP * len(widths) <= open_console(pipe_width=_NO_LIMIT).width


def print_grouped(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    by: str,
    right: Collection[str] = (),
    console: Console | None = None,
) -> None:
    """Print a table whose column ``by`` stands as a heading over the rows that share it.

    Parameters
    ----------
    columns : sequence of str
        The headings; the first column is folded where it does not fit, the others never are.
    rows : sequence of sequence of str
        Cells; rows of one group stand together.
    by : str
        The column that becomes headings.
    right : collection of str
        Columns that are aligned to the right.
    console : rich.console.Console, optional
        Standard output by default.
    """
    place = columns.index(by)
    kept = [name for name in columns if name != by]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in kept:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name != kept[0],
            overflow="fold",
        )
    for cells in _with_headings(rows, place):
        table.add_row(*cells)
    (console or open_console()).print(table)


def _with_headings(rows: Sequence[Sequence[str]], place: int) -> Iterator[list[Text]]:
    for group, members in groupby(rows, key=lambda row: row[place]):
        yield [safe_text(group, "bold")]
        for row in members:
            yield [safe_text(cell) for index, cell in enumerate(row) if index != place]
