"""Reads texts that people have labelled, from CSV or JSON Lines; a fault is never skipped.

Every file has ``text`` and ``label`` (0 or 1) and may have ``group``, ``axis``, ``template``,
``prompt``, ``reference`` and ``language``. All faults of all files come in one error, each with its
place.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.errors import FileProblem, InvalidFileError

REQUIRED = ("text", "label")
OPTIONAL = ("group", "axis", "template", "prompt", "reference", "language")
LONGEST_FIELD = 2**24
"""Characters of one CSV field; more is taken for a quotation mark that was never closed."""

_MOST_PROBLEMS = 100
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text with what people said of it.

    Attributes
    ----------
    text : str
    positive : bool
        Whether it has what the scorer looks for: a high value would be right.
    source : str
        The set that it belongs to.
    group, axis : str
        Whom it is about; empty where nobody says.
    template : str
        What it was made from: texts of one template depend on each other. Empty: it stands alone.
    prompt, reference, language : str
        What it answers, what it is compared with, and its language; empty where nobody says.
    terms : tuple of str
        The words that name the group in it, where they are known.
    """

    text: str
    positive: bool
    source: str = ""
    group: str = ""
    axis: str = ""
    template: str = ""
    prompt: str = ""
    reference: str = ""
    language: str = ""
    terms: tuple[str, ...] = ()


def read_labelled(files: Iterable[tuple[str, Path]]) -> tuple[LabelledText, ...]:
    """Return the labelled texts of several files, in order.

    Parameters
    ----------
    files : iterable of (str, Path)
        The name of the set that a file belongs to, and the file. Files of one name make one set.

    Raises
    ------
    InvalidFileError
        If anything is wrong with any file, or if all the texts have one label.
    """
    rows: list[LabelledText] = []
    problems: list[FileProblem] = []
    named = list(files)
    for source, path in named:
        for found in _read_file(source, path):
            if isinstance(found, FileProblem):
                problems.append(found)
            else:
                rows.append(found)
    if not problems and len({row.positive for row in rows}) < 2:
        label = int(rows[0].positive)
        places = ", ".join(str(path) for _, path in named)
        wanted = "how well classes are told apart needs texts of both"
        problems.append(FileProblem(places, None, "label", f"every label is {label}", wanted))
    if problems:
        raise InvalidFileError(_shortened(problems))
    return tuple(rows)


def _shortened(problems: Sequence[FileProblem]) -> list[FileProblem]:
    """Return the first problems, and how many more there are."""
    more = len(problems) - _MOST_PROBLEMS
    kept = list(problems[:_MOST_PROBLEMS])
    if more > 0:
        last = kept[-1]
        kept.append(FileProblem(last.file, None, "", f"and {more:,} more problems", ""))
    return kept


def _read_file(source: str, path: Path) -> Iterator[LabelledText | FileProblem]:
    """Yield what a file holds, and every fault of it."""
    place = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        yield FileProblem(place, None, "", f"cannot be read: {error.strerror}", "")
        return
    wrong = list(_undecodable(place, data))
    if wrong:
        yield from wrong
        return
    text = data.decode("utf-8-sig")
    if not text.strip():
        yield FileProblem(place, None, "", "holds nothing", "give texts with their labels")
        return
    read = _json_records if text.lstrip().startswith("{") else _csv_records
    count = 0
    for found in read(place, text):
        count += 1
        yield found if isinstance(found, FileProblem) else _labelled(source, place, *found)
    if not count:
        yield FileProblem(place, 1, "", "has a header and no texts", "")


def _undecodable(place: str, data: bytes) -> Iterator[FileProblem]:
    """Yield every line that is no UTF-8."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at column {error.start + 1} is no UTF-8"
            yield FileProblem(place, number, "", found, "save the file as UTF-8")


Record = tuple[int, dict[str, Any]]
"""The line that a record begins on, and what it says by column."""


def _json_records(place: str, text: str) -> Iterator[Record | FileProblem]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            remedy = "JSON Lines holds one object on each line"
            yield FileProblem(place, number, "", f"is no JSON: {error}", remedy)
            continue
        if isinstance(found, dict):
            yield number, found
        else:
            yield FileProblem(place, number, "", "is no JSON object", 'write {"text": ..., ...}')


def _csv_records(place: str, text: str) -> Iterator[Record | FileProblem]:
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header: list[str] | None = None
        before = 0
        try:
            for cells in reader:
                line, before = before + 1, reader.line_num
                if not cells:
                    continue
                if header is None:
                    header = [cell.strip() for cell in cells]
                    faults = list(_header_faults(place, line, header))
                    if faults:
                        yield from faults
                        return
                elif len(cells) == len(header):
                    yield line, dict(zip(header, cells, strict=True))
                else:
                    yield _wrong_length(place, line, len(cells), len(header))
        except csv.Error as error:
            remedy = "a field with a quotation mark or a comma stands in quotation marks, and a "
            remedy += "quotation mark in it is written twice"
            yield FileProblem(place, before + 1, "", f"is no CSV: {error}", remedy)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Allow long texts while a file is read; the limit belongs to the whole process."""
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _header_faults(place: str, line: int, header: Sequence[str]) -> Iterator[FileProblem]:
    for name in REQUIRED:
        if name not in header:
            shown = ", ".join(header[:20])
            yield FileProblem(place, line, name, "column is missing", f"the columns are: {shown}")
    for name in (*REQUIRED, *OPTIONAL):
        if header.count(name) > 1:
            yield FileProblem(place, line, name, "column stands twice", "")


def _wrong_length(place: str, line: int, cells: int, columns: int) -> FileProblem:
    problem = f"has {cells} cells where the header has {columns}"
    return FileProblem(place, line, "", problem, "put texts with commas in quotation marks")


def _labelled(
    source: str, place: str, line: int, record: dict[str, Any]
) -> LabelledText | FileProblem:
    """Return one record as a labelled text, or the first thing that is wrong with it."""
    text = record.get("text")
    if not isinstance(text, str):
        return FileProblem(
            place, line, "text", f"is {_told(text)}", "give the text that was labelled"
        )
    label = record.get("label")
    known = None if isinstance(label, bool) else _LABELS.get(str(label).strip())
    if known is None:
        return FileProblem(place, line, "label", f"is {_told(label)}", "write 0 or 1")
    others: dict[str, Any] = {}
    for name in OPTIONAL:
        value = record.get(name)
        if not isinstance(value, str | None):
            return FileProblem(
                place, line, name, f"is {_told(value)}", "write text or leave it out"
            )
        others[name] = (value or "").strip() if name != "prompt" else value or ""
    return LabelledText(
        text,
        known == 1,
        source,
        group=others["group"],
        axis=others["axis"],
        template=others["template"],
        prompt=others["prompt"],
        reference=others["reference"],
        language=others["language"],
    )


def _told(value: Any) -> str:
    """Return a value for a message."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return repr(value[:40]) if value.strip() else "empty"
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
