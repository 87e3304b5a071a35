"""Reads YAML files that nobody has vouched for, and says exactly where they break their format.

The accepted YAML is a small, safe part of the language: one document of mappings, lists and plain
values. Anchors, aliases and tags are refused (they allow small files to grow without bound and to
name code), duplicate keys are refused (one of the two would be lost in silence), and only
``true``/``false``, ``null``/``~``, decimal integers and decimal fractions are anything but text:
``yes``, ``no``, ``1:30`` and ``2024-01-31`` stay what was written. Mapping keys are always text.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.yamlproblems import MAX_PROBLEMS, Fault, KeyPath, explain, quote

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 50
MAX_VALUES = 100_000

# libyaml's scanner where PyYAML was built with it: ten times faster than the Python one.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_BAD_IN_FILE = re.compile(f"[{_CONTROL}]")
_BAD_IN_VALUE = re.compile(f"[\r{_CONTROL}]")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,2})?")
_EXPONENT = re.compile(r"[-+]?[0-9]{1,18}[eE][-+]?[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one YAML file and where each key of it stands.

    Attributes
    ----------
    data : Any
        Dicts with text keys, lists, str, int, float, bool and None.
    path : Path
        The file it was read from.
    digest : str
        First 16 hex digits of the SHA-256 of the very bytes that ``data`` was made of.
    lines : mapping of key path to int
        Line (from 1) of each key and list item.
    """

    data: Any
    path: Path
    digest: str
    lines: Mapping[KeyPath, int] = field(repr=False)

    def line(self, key_path: KeyPath) -> int | None:
        """Return the line of a key, of its nearest ancestor if it is missing, None without any."""
        for length in range(len(key_path), -1, -1):
            if key_path[:length] in self.lines:
                return self.lines[key_path[:length]]
        return None

    def problem(self, key_path: KeyPath, problem: str, remedy: str) -> FileProblem:
        """Return a problem of this file at a key, with its line looked up."""
        return FileProblem(
            str(self.path), self.line(key_path), dotted_key(key_path), problem, remedy
        )


def dotted_key(key_path: KeyPath) -> str:
    """Return a key path as people write it: ``templates[2].slots.role``.

    Examples
    --------
    >>> dotted_key(("templates", 2, "slots", "role"))
    'templates[2].slots.role'
    """
    key = ""
    for part in key_path:
        key += f"[{part}]" if isinstance(part, int) else f".{quote(part, bare=True)}"
    return key.removeprefix(".")


def read_yaml(path: Path, *, max_bytes: int = MAX_BYTES) -> Document:
    """Read one YAML file that may be hostile.

    Parameters
    ----------
    path : Path
        A regular file, UTF-8.
    max_bytes : int
        Larger files are refused without being read.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, is too large, is not UTF-8 or not YAML, holds anchors, aliases,
        tags, duplicate keys, keys that are not words or whole numbers, control characters, more
        than one document, more than 50 levels or 100 000 values. Carries up to 100 problems.
    """
    document, problems = read_yaml_partly(path, max_bytes=max_bytes)
    if problems:
        raise InvalidFileError(problems)
    return document


def read_yaml_partly(
    path: Path, *, max_bytes: int = MAX_BYTES
) -> tuple[Document, list[FileProblem]]:
    """Read one YAML file to its end, with what is wrong with it where that did not stop reading.

    Raises
    ------
    InvalidFileError
        As :func:`read_yaml` does, but for anchors, aliases, tags, duplicate keys and control
        characters in values, which are returned. None stands where an alias stood.
    """
    document, problems = _read_content(path, _read_bytes(path, max_bytes))
    return document, list(problems)


@lru_cache(maxsize=64)
def _read_content(path: Path, content: bytes) -> tuple[Document, tuple[FileProblem, ...]]:
    """Return what a file's bytes say; a lexicon is read once for all the sets that it serves."""
    builder = _Builder(path)
    builder.read(_decode(path, content))
    document = Document(builder.root, path, _digest(content), builder.lines)
    return document, tuple(builder.problems)


def parse_yaml(text: str, path: Path) -> Any:
    """Return the data of YAML that may be hostile and is a part of the file that ``path`` names.

    Raises
    ------
    InvalidFileError
        As :func:`read_yaml` does; lines count from the first of ``text``.
    """
    builder = _Builder(path)
    builder.build(text)
    return builder.root


def digest_file(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of a file's bytes.

    Raises
    ------
    InvalidFileError
        If the file cannot be read or is larger than 8 MiB.
    """
    return _digest(_read_bytes(path, MAX_BYTES))


def validate(document: Document, model: type[M]) -> M:
    """Turn a document into a pydantic model, strictly: no value is converted on the quiet.

    Raises
    ------
    InvalidFileError
        With every problem found: file, line, key, what is wrong and what to do.
    """
    content, faults = fit(document.data, model)
    if content is None:
        raise InvalidFileError(document.problem(*fault) for fault in faults)
    return content


def fit(data: Any, model: type[M]) -> tuple[M | None, list[Fault]]:
    """Return data as a pydantic model; or None, and why it is none."""
    import json

    from pydantic import ValidationError

    if data is None:
        return None, [((), "the file is empty", "write its keys")]
    try:
        # From JSON, strict validation still takes lists for tuples and names for enum members.
        return model.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, explain(error, data, model)


def load_yaml(path: Path, model: type[M]) -> M:
    """Read and validate a file: :func:`read_yaml`, then :func:`validate`."""
    return validate(read_yaml(path), model)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _refusal(path: Path, problem: str, remedy: str, line: int | None = None) -> InvalidFileError:
    return InvalidFileError([FileProblem(str(path), line, "", problem, remedy)])


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return a regular file's bytes, or refuse it before reading more than ``max_bytes``."""
    try:
        # A named pipe or device would block or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refusal(path, "is not a regular file", "give the path of a YAML file")
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise _refusal(path, "there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(path, f"cannot be read: {reason}", "check the path and rights") from None
    if len(content) > max_bytes:
        raise _refusal(path, f"is larger than {max_bytes} bytes", "split it into smaller files")
    return content


def _decode(path: Path, content: bytes) -> str:
    """Return the text of a file, refusing what is not UTF-8 or not printable."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise _refusal(path, found, "save the file as UTF-8", line) from None
    bad = _BAD_IN_FILE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        found = f"control character U+{ord(bad.group()):04X}"
        raise _refusal(path, found, "remove it", line)
    return text


def _resolve(text: str) -> Any:
    """Return the value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text) or _EXPONENT.fullmatch(text):
        return float(text)
    return text


@dataclass(slots=True)
class _Frame:
    """A mapping or list being filled; ``key`` is the mapping key whose value comes next."""

    value: dict[str, Any] | list[Any]
    path: KeyPath
    key: str | None = None

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


class _Builder:
    """Builds data from YAML events: no recursion, and every refusal at the first chance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: Any = None
        self.lines: dict[KeyPath, int] = {(): 1}
        self.frames: list[_Frame] = []
        self.problems: list[FileProblem] = []
        self.values = 0
        self.documents = 0

    def build(self, text: str) -> None:
        """Read all events of ``text``; raise with every problem found."""
        self.read(text)
        if self.problems:
            raise InvalidFileError(self.problems)

    def read(self, text: str) -> None:
        """Read all events of ``text``; raise what makes reading on useless, collect the rest."""
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or str(error)
            remedy = "check quotes and indentation here and just above; quote text that has ': '"
            self._stop(f"not YAML: {what}", remedy, mark.line + 1 if mark else None)

    def _note(self, problem: str, remedy: str, line: int | None) -> None:
        key = dotted_key(self._next_path()) if self.frames else ""
        self.problems.append(FileProblem(str(self.path), line, key, problem, remedy))
        if len(self.problems) >= MAX_PROBLEMS:
            raise InvalidFileError(self.problems)

    def _stop(self, problem: str, remedy: str, line: int | None) -> None:
        self._note(problem, remedy, line)
        raise InvalidFileError(self.problems)

    def _take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.NodeEvent):
            self._check_node(event, line)
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(line)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.frames.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._stop("a second document begins", "keep one document per file", line)

    def _check_node(self, event: Any, line: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            self._stop(f"more than {MAX_VALUES} values", "split it into smaller files", line)
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            found = f"anchor &{quote(event.anchor, bare=True)} is not allowed"
            self._note(found, "write the value out where it is used", line)
        if getattr(event, "tag", None) is not None:
            found = f"tag {quote(event.tag, bare=True)} is not allowed"
            self._note(found, "remove it; put text in quotes", line)

    def _take_alias(self, line: int) -> None:
        self._note("an alias (*name) is not allowed", "write the value out", line)
        if self.frames and self.frames[-1].awaits_key:
            self._stop("a key must be text", "write the key out", line)
        self._add(None, line)

    def _take_scalar(self, event: Any, line: int) -> None:
        bad = _BAD_IN_VALUE.search(event.value)
        if bad:
            self._note(f"control character U+{ord(bad.group()):04X}", "remove it", line)
        plain = not event.style
        if self.frames and self.frames[-1].awaits_key:
            self._take_key(event.value, plain, line)
        else:
            self._add(_resolve(event.value) if plain else event.value, line)

    def _take_key(self, text: str, plain: bool, line: int) -> None:
        frame = self.frames[-1]
        value = _resolve(text) if plain else text
        path = (*frame.path, text)
        if value is None or isinstance(value, float):
            self._note(f"key {quote(text)} is not text", "put the key in quotes", line)
        if text in frame.value:
            first = self.lines[path]
            self._note(f"key {quote(text)} is already on line {first}", "keep only one", line)
        frame.key = text
        self.lines.setdefault(path, line)

    def _next_path(self) -> KeyPath:
        """Return the path of the value that comes next."""
        frame = self.frames[-1]
        if isinstance(frame.value, list):
            return (*frame.path, len(frame.value))
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _add(self, value: Any, line: int) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        if isinstance(frame.value, list):
            self.lines[self._next_path()] = line
            frame.value.append(value)
        elif frame.key is not None:
            frame.value[frame.key] = value
            frame.key = None

    def _open(self, value: dict[str, Any] | list[Any], line: int) -> None:
        if len(self.frames) >= MAX_DEPTH:
            self._stop(f"nested deeper than {MAX_DEPTH} levels", "flatten it", line)
        if self.frames and self.frames[-1].awaits_key:
            self._stop("a key must be text, not a list or mapping", "quote the key", line)
        path = self._next_path() if self.frames else ()
        self._add(value, line)
        self.frames.append(_Frame(value, path))
