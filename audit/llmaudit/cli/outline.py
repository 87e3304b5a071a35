"""Prints nested data for people: keys, indentation and wrapped text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from llmaudit.cli.output import open_console
from llmaudit.report.escaping import terminal_safe

_STEP = 2
_ITEM = "- "
#: A list of plain values with more characters than this gets a line for each.
_SHORT = 80


def print_outline(
    value: Mapping[str, Any], *, none: str = "none", console: Console | None = None
) -> None:
    """Print a mapping as an outline; what is empty is left out.

    Parameters
    ----------
    value : mapping
        JSON values. Texts are hostile until escaped, so they are.
    none : str
        The word for a value that is None.
    console : rich.console.Console, optional
        Standard output by default, 100 columns wide where it is no terminal.
    """
    out = console or open_console(pipe_width=100)
    for depth, text in _lines(value, 0, none):
        indent = " " * (depth * _STEP)
        hanging = indent + " " * (_STEP if text.startswith(_ITEM) else 0)
        for line in text.splitlines() or [""]:
            wrapped = textwrap.wrap(
                terminal_safe(line, one_line=True),
                max(20, out.width),
                initial_indent=indent,
                subsequent_indent=hanging,
                break_on_hyphens=False,
            )
            for part in wrapped or [""]:
                out.print(Text(part), soft_wrap=True)


def _lines(value: Any, depth: int, none: str) -> Iterator[tuple[int, str]]:
    """Yield every line with its depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not _is_empty(inner):
                yield from _entry(f"{str(key).replace('_', ' ')}: ", inner, depth, none)
    else:
        for inner in value:
            yield from _entry(_ITEM, inner, depth, none)


def _entry(mark: str, inner: Any, depth: int, none: str) -> Iterator[tuple[int, str]]:
    """Yield one entry: on the line of its key where it is short, indented below it otherwise."""
    if isinstance(inner, Mapping) and mark == _ITEM:
        first, *rest = list(_lines(inner, depth + 1, none)) or [(depth + 1, "")]
        yield depth, mark + first[1]
        yield from rest
    elif _is_plain_list(inner):
        yield depth, mark + ", ".join(_show(one, none) for one in inner)
    elif isinstance(inner, Mapping | Sequence) and not isinstance(inner, str):
        yield depth, mark.rstrip()
        yield from _lines(inner, depth + 1, none)
    elif isinstance(inner, str) and "\n" in inner.strip():
        yield depth, mark.rstrip()
        yield depth + 1, inner.strip()
    else:
        yield depth, mark + _show(inner, none)


def _is_plain_list(inner: Any) -> bool:
    """Say whether a list is short enough for one line."""
    if not isinstance(inner, Sequence) or isinstance(inner, str):
        return False
    plain = all(isinstance(one, str | int | float) and "\n" not in str(one) for one in inner)
    return plain and sum(len(str(one)) + 2 for one in inner) <= _SHORT


def _is_empty(inner: Any) -> bool:
    return isinstance(inner, Mapping | Sequence) and not inner


def _show(value: Any, none: str) -> str:
    if value is None:
        return none
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
