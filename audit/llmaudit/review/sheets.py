"""Files for raters: the table of one rater, and reading it back without trusting anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmaudit.errors import FileProblem
from llmaudit.report.escaping import visible
from llmaudit.review.questions import QUESTIONS

COLUMNS = ("item", "question", "labels", "prompt", "answer", "label", "note")
NEEDED = ("item", "label")
MOST_SHOWN = 30_000
"""Letters of a text that are shown; spreadsheets cut cells at 32,767."""
MOST_NOTE = 1_000

_MOST_BYTES = 64 * 2**20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Shown:
    """One item as raters see it: nothing of scores, groups or where it comes from."""

    item: str
    construct: str
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one file says: labels and notes by item, and the items in the file's own order."""

    labels: Mapping[str, str]
    notes: Mapping[str, str]
    order: tuple[str, ...]


def shown_text(text: str) -> str:
    """Return a text as raters see it: nothing invisible in it, no longer than a cell may be."""
    safe = visible(text)
    return safe if len(safe) <= MOST_SHOWN else f"{safe[:MOST_SHOWN]} [cut]"


def write_sheet(items: Iterable[Shown]) -> str:
    """Return the table of one rater as CSV; no cell of it can be read as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in items:
        question = QUESTIONS[one.construct]
        labels = " | ".join(question.labels)
        cells = (one.item, question.text, labels, one.prompt, one.answer, "", "")
        writer.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


@dataclass
class SheetReader:
    """Reads files of labels; everything wrong in any of them is collected, with its line.

    Attributes
    ----------
    items : mapping of str to Shown
        Everything that could be labelled.
    problems : list of FileProblem
    """

    items: Mapping[str, Shown]
    problems: list[FileProblem] = field(default_factory=list)

    def read(self, path: Path) -> Sheet:
        """Return what a file says; what is wrong in it is left out and told in `problems`."""
        rows = self._rows(path)
        labels: dict[str, str] = {}
        notes: dict[str, str] = {}
        seen: dict[str, int] = {}
        for line, row in rows:
            item = row["item"].strip()
            if not self._is_known(path, line, item, row, seen):
                continue
            seen[item] = line
            label = row["label"].strip().lower()
            known = QUESTIONS[self.items[item].construct].labels
            if label and label not in known:
                self._tell(path, line, "label", f"unknown label {label!r:.60}", _one_of(known))
            elif label:
                labels[item] = label
            note = (row.get("note") or "").strip()
            if note:
                notes[item] = note[:MOST_NOTE]
        return Sheet(labels, notes, tuple(seen))

    def _rows(self, path: Path) -> list[tuple[int, dict[str, str]]]:
        """Return the rows of a file with the line each begins on."""
        text = self._text(path)
        if text is None:
            return []
        head = text.split("\n", 1)[0]
        comma = ";" if head.count(";") > head.count(",") else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
        found: list[tuple[int, dict[str, str]]] = []
        names: list[str] | None = None
        line = 1
        try:
            for cells in reader:
                if names is None:
                    names = [cell.strip().lower() for cell in cells]
                    if not self._has_columns(path, names):
                        return []
                elif any(cell.strip() for cell in cells):
                    if len(cells) == len(names):
                        found.append((line, dict(zip(names, cells, strict=True))))
                    else:
                        said = f"{len(cells)} cells where the first line has {len(names)}"
                        self._tell(path, line, "", said, "every row needs all columns")
                line = reader.line_num + 1
        except csv.Error as error:
            self._tell(path, line, "", f"this is no CSV: {error}", "save it as CSV in UTF-8")
        return found

    def _text(self, path: Path) -> str | None:
        try:
            if path.stat().st_size > _MOST_BYTES:
                self._tell(path, None, "", "larger than 64 MiB", "no file of labels is so large")
                return None
            return path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            self._tell(path, None, "", f"cannot be read: {error.strerror or error}", "")
        except UnicodeDecodeError as error:
            said = f"byte {error.start} is no UTF-8"
            self._tell(path, None, "", said, "save it as “CSV UTF-8”")
        return None

    def _has_columns(self, path: Path, names: Sequence[str]) -> bool:
        missing = [name for name in NEEDED if name not in names]
        twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
        if missing:
            self._tell(path, 1, "", f"no column {', '.join(missing)}", "keep the first line")
        if twice:
            self._tell(path, 1, "", f"column {', '.join(twice)} twice", "keep one of them")
        return not missing and not twice

    def _is_known(
        self, path: Path, line: int, item: str, row: Mapping[str, str], seen: Mapping[str, int]
    ) -> bool:
        """Say whether a row is about an item of the plan, once, and still with that item's text."""
        shown = self.items.get(item)
        if shown is None:
            said = f"unknown item {item!r:.60}" if item else "no item"
            remedy = "it is not of this run's last review plan; leave the ids as they were written"
            self._tell(path, line, "item", said, remedy)
            return False
        if item in seen:
            said = f"item {item} stands on line {seen[item]} already"
            self._tell(path, line, "item", said, "keep one of the rows")
            return False
        for column in ("prompt", "answer"):
            if column in row and _bare(row[column]) != _bare(getattr(shown, column)):
                said = f"the {column} is not that of item {item}"
                remedy = "the text was changed, or rows were mixed up; label in a fresh file"
                self._tell(path, line, column, said, remedy)
                return False
        return True

    def _tell(self, path: Path, line: int | None, key: str, said: str, remedy: str) -> None:
        self.problems.append(FileProblem(path.name, line, key, said, remedy))


def _one_of(labels: Iterable[str]) -> str:
    return f"one of: {', '.join(labels)}; empty where not labelled"


def _bare(text: str) -> str:
    """Return the letters of a text: spreadsheets change white space and drop the apostrophe."""
    return "".join(text.split()).lstrip("'")
