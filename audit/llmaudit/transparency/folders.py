"""Keeps the folders of one machine out of a report that others will read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_START = r"(?:(?<=^)|(?<=[\s='\"(\[:,]))"
_POSIX = re.compile(_START + r"(?:~|(?=/))(?:/[^\s/'\"(),;]+)+/?", re.MULTILINE)
_WINDOWS = re.compile(_START + r"[A-Za-z]:\\[^\s'\"(),;]+", re.MULTILINE)


def _last_part(match: re.Match[str]) -> str:
    parts = [part for part in re.split(r"[/\\]", match[0]) if part]
    if len(parts) == 1 and parts[0] != "~" and not match[0].startswith("~"):
        return match[0]
    return f"…/{parts[-1]}"


def hide_folders(text: str) -> str:
    """Return ``text`` with every absolute path cut down to its last part.

    Addresses (``https://…``) and relative paths stay as they are.

    Examples
    --------
    >>> hide_folders("llmaudit run --model /home/ada/models/tiny --out runs/tiny")
    'llmaudit run --model …/tiny --out runs/tiny'
    """
    return _WINDOWS.sub(_last_part, _POSIX.sub(_last_part, text))


def hide_folders_in(value: Any) -> Any:
    """Return plain data (mappings, sequences, scalars) with the folders of every string hidden.

    What is neither plain nor a string becomes its text, so the result is always JSON.
    """
    if isinstance(value, Mapping):
        return {str(key): hide_folders_in(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [hide_folders_in(inner) for inner in items]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hide_folders(str(value))
