"""Reads a file as far as it is sound, so that all of its faults are told at once.

A key that nobody knows must not hide a slot that nobody fills. What breaks the schema is taken out
or replaced by something harmless, and what is left is checked like a sound file. Nothing that was
mended so is ever used: a file with any fault is refused.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmaudit.errors import FileProblem
from llmaudit.probesets.parts import Part
from llmaudit.yamlfile import Document, fit, read_yaml_partly
from llmaudit.yamlproblems import UNKNOWN_KEY, Fault, KeyPath

PartT = TypeVar("PartT", bound=Part)

#: What stands in for a key of a file that is missing or wrong; no check looks at these.
_STANDINS: Mapping[str, Any] = {
    "format": 1,
    "title": "x",
    "version": "1.0.0",
    "licence": "x",
    "author": "x",
    "construct": "disparity",
    "known_limits": ["x"],
    "sources": [],
    "slurs": [],
    "metrics": [],
    "datasheet": {
        "intended_use": "x",
        "not_for": "x",
        "composition": "x",
        "collection": "x",
        "known_limits": ["x"],
    },
}
_OPTIONAL = frozenset(
    {"written", "checked", "translation_of", "other_languages", "names", "reference", "signals"}
)
_ITEMS: Mapping[str, Mapping[str, Any]] = {
    "templates": {"prompt": "x"},
    "wrappers": {"technique": "x", "title": "x", "prompt": "{request}"},
    "groups": {"label": "x"},
}


@dataclass(frozen=True, slots=True)
class Reading(Generic[PartT]):
    """What could be made of a file.

    Attributes
    ----------
    document : Document
        The file.
    content : PartT or None
        What is left of it; None where too much is wrong to check the rest.
    problems : tuple of FileProblem
        What was found so far.
    mended : frozenset of tuple
        The key paths of list items that had to be replaced.
    """

    document: Document
    content: PartT | None
    problems: tuple[FileProblem, ...]
    mended: frozenset[KeyPath] = frozenset()

    def tell(self, faults: Iterable[Fault]) -> Iterator[FileProblem]:
        """Yield what checks found as problems, without what is of our own making."""
        for path, problem, remedy in faults:
            if path[:2] not in self.mended or path[2:] == ("id",):
                yield self.document.problem(path, problem, remedy)


def read_partly(path: Path, model: type[PartT]) -> Reading[PartT]:
    """Read a file as far as it fits its model.

    Raises
    ------
    InvalidFileError
        If the file is no YAML that is accepted at all.
    """
    document, problems = read_yaml_partly(path)
    content, faults = fit(document.data, model)
    told = {problem.line for problem in problems}
    found = [document.problem(*fault) for fault in faults]
    everything = (*problems, *(each for each in found if each.line not in told))
    if content is not None or not faults:
        return Reading(document, content, everything)
    data, mended = _mend(document.data, faults)
    return Reading(document, fit(data, model)[0], everything, frozenset(mended))


def _mend(data: Any, faults: Sequence[Fault]) -> tuple[Any, set[KeyPath]]:
    """Return a copy of a file's data without what is wrong, and the list items replaced in it.

    None stands for data of which too much is wrong.
    """
    mended: set[KeyPath] = set()
    if not isinstance(data, dict):
        return None, mended
    whole = copy.deepcopy(data)
    for path, problem, _ in faults:
        key = str(path[0]) if path else ""
        item = path[1] if len(path) > 1 else None
        if key in _ITEMS and isinstance(item, int):
            if problem.startswith(UNKNOWN_KEY) and (key, item) not in mended:
                _remove(whole, path)
            else:
                mended.add((key, item))
                whole[key][item] = {"id": _id_of(data[key][item], key, item), **_ITEMS[key]}
        elif problem.startswith(UNKNOWN_KEY):
            _remove(whole, path)
        elif key in _STANDINS:
            whole[key] = _STANDINS[key]
        elif key in _OPTIONAL:
            whole.pop(key, None)
        else:
            return None, mended
    return whole, mended


def _id_of(item: Any, key: str, place: int) -> str:
    """Return an item's own id, so that it is still held against the others, or one of ours."""
    given = item.get("id") if isinstance(item, dict) else None
    plain = isinstance(given, str) and given.replace("-", "").isalnum() and given.islower()
    return given if plain and isinstance(given, str) else f"{key}-{place}"


def _remove(data: Any, path: KeyPath) -> None:
    """Take a key out; where a mended part has no such place, it is out already."""
    try:
        for part in path[:-1]:
            data = data[part]
        del data[path[-1]]
    except (KeyError, IndexError, TypeError):
        return
