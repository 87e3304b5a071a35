"""Prints nested data for people: keys, indentation and wrapped text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding

from llmaudit.cli.output import open_console, safe_text

_STEP = 2


def print_outline(value: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a mapping as an outline; what is empty is left out, what is None is unknown.

    Parameters
    ----------
    value : mapping
        JSON values. Texts are hostile until escaped, so they are.
    console : rich.console.Console, optional
        Standard output by default, 100 columns wide where it is no terminal.
    """
    out = console or open_console(pipe_width=100)
    for depth, text in _lines(value, 0):
        for line in text.splitlines() or [""]:
            out.print(Padding(safe_text(line), (0, 0, 0, depth * _STEP)))


def _lines(value: Any, depth: int) -> Iterator[tuple[int, str]]:
    """Yield every line with its depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not _is_empty(inner):
                yield from _entry(f"{str(key).replace('_', ' ')}: ", inner, depth)
    else:
        for inner in value:
            yield from _entry("- ", inner, depth)


def _entry(mark: str, inner: Any, depth: int) -> Iterator[tuple[int, str]]:
    """Yield one entry: on the line of its key where it is short, indented below it otherwise."""
    if isinstance(inner, Mapping) and mark == "- ":
        first, *rest = list(_lines(inner, depth + 1)) or [(depth + 1, "")]
        yield depth, mark + first[1]
        yield from rest
    elif _is_plain_list(inner):
        yield depth, mark + ", ".join(map(_show, inner))
    elif isinstance(inner, Mapping | Sequence) and not isinstance(inner, str):
        yield depth, mark.rstrip()
        yield from _lines(inner, depth + 1)
    elif isinstance(inner, str) and "\n" in inner.strip():
        yield depth, mark.rstrip()
        yield depth + 1, inner.strip()
    else:
        yield depth, mark + _show(inner)


def _is_plain_list(inner: Any) -> bool:
    """Say whether a list is short enough for one line."""
    if not isinstance(inner, Sequence) or isinstance(inner, str):
        return False
    plain = all(isinstance(one, str | int | float) for one in inner)
    return plain and sum(len(str(one)) + 2 for one in inner) <= 80


def _is_empty(inner: Any) -> bool:
    return isinstance(inner, Mapping | Sequence) and not inner


def _show(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
