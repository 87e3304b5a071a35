"""How records become table rows and back, with every value that comes back checked.

A store may have been handed to us by anyone: whatever has the wrong type, size or name becomes a
:class:`StoreError` that says where it stands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

from llmaudit.errors import StoreError
from llmaudit.records import AdapterFacts, ErrorKind, Message, RequestError, Task, WeightFile

MAX_VALUE_BYTES = 64 * 2**20
_MAX_INT = 2**53
Reader = Callable[[Any], Any]
RecordT = TypeVar("RecordT")


class _BadValueError(ValueError):
    """A stored value that no record can hold."""


def encode_record(record: Any) -> tuple[Any, ...]:
    """Return the values of a record's fields as SQLite stores them, nested ones as JSON."""
    kind = type(record).__name__
    return tuple(
        encode_json(getattr(record, field.name), f"{kind}.{field.name}")
        if _is_json(field) and getattr(record, field.name) is not None
        else encode_value(getattr(record, field.name))
        for field in fields(record)
    )


def encode_json(value: Any, where: str) -> str | bytes:
    """Return a nested value as one JSON text.

    Raises
    ------
    StoreError
        If the value holds something that JSON cannot say, such as NaN.
    """
    try:
        text = json.dumps(plain_value(value), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise StoreError(f"{where} cannot be stored as JSON: {error}") from error
    encoded: str | bytes = encode_value(text)
    return encoded


def encode_value(value: Any) -> Any:
    """Return one value as SQLite stores it; text that is no valid Unicode becomes bytes."""
    if not isinstance(value, str):
        return value
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def plain_value(value: Any) -> Any:
    """Return ``value`` with its dataclasses, mappings and tuples as JSON objects and arrays."""
    if is_dataclass(value):
        return {field.name: plain_value(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    return value


def decode_record(kind: type[RecordT], row: Sequence[Any], where: str) -> RecordT:
    """Return the record that a table row holds.

    Raises
    ------
    StoreError
        If a value is not what the record's field may hold; ``where`` begins the message.
    """
    values = {}
    for field, stored in zip(_fields(kind), row, strict=True):
        value = _json(stored, where, field.name) if _is_json(field) else stored
        values[field.name] = _read(field, value, where)
    return kind(**values)


def decode_object(kind: type[RecordT], stored: Any, where: str) -> RecordT:
    """Return the record that a JSON column holds whole; fields with defaults may be absent."""
    value = _json(stored, where, "the JSON")
    try:
        record: RecordT = _object_reader(kind)(value)
    except _BadValueError as error:
        raise StoreError(f"{where}: {error}") from error
    return record


def decode_mapping(stored: Any, where: str) -> dict[str, Any]:
    """Return the JSON object that a column holds."""
    value = _json(stored, where, "the JSON")
    if not isinstance(value, dict):
        raise StoreError(f"{where}: the JSON is not an object")
    return value


def decode_text(stored: Any, where: str) -> str:
    """Return the text that a column holds."""
    try:
        return _text(stored)
    except _BadValueError as error:
        raise StoreError(f"{where}: {error}") from error


def _fields(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


def _is_json(field: Field[Any]) -> bool:
    return str(field.type) in _JSON_TYPES


def _read(field: Field[Any], value: Any, where: str) -> Any:
    try:
        return _READERS[str(field.type)](value)
    except _BadValueError as error:
        raise StoreError(f"{where}: {field.name}: {error}") from error


def _json(stored: Any, where: str, what: str) -> Any:
    """Parse a JSON column; NULL stays None."""
    if stored is None:
        return None
    try:
        return json.loads(_text(stored), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: {what} cannot be read: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise _BadValueError(f"{name} is not JSON")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise _BadValueError(f"bytes that are no text: {error}") from error
    if not isinstance(value, str):
        raise _BadValueError(f"expected text, found {type(value).__name__}")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_INT:
        raise _BadValueError(f"expected a whole number from 0, found {value!r:.80}")
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _BadValueError(f"expected a finite number, found {value!r:.80}")
    return float(value)


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _list_of(reader: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _BadValueError(f"expected a list, found {type(value).__name__}")
        return tuple(reader(item) for item in value)

    return read


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _BadValueError(f"expected an object, found {type(value).__name__}")
    return {key: _text(item) for key, item in value.items()}


def _choice_of(kind: type[Task] | type[ErrorKind]) -> Reader:
    def read(value: Any) -> Any:
        try:
            return kind(_text(value))
        except ValueError as error:
            raise _BadValueError(f"{value!r:.80} is none of {', '.join(kind)}") from error

    return read


def _object_reader(kind: type[Any]) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _BadValueError(f"expected an object, found {type(value).__name__}")
        wanted = {field.name: field for field in _fields(kind)}
        missing = {n for n, f in wanted.items() if f.default is MISSING} - value.keys()
        if missing or not value.keys() <= wanted.keys():
            raise _BadValueError(f"expected the keys {_names(wanted)}, found {_names(value)}")
        return kind(**{n: _READERS[str(wanted[n].type)](item) for n, item in value.items()})

    return read


def _names(keys: Iterable[str]) -> str:
    return f"{', '.join(sorted(keys)):.300}"


_READERS: dict[str, Reader] = {
    "str": _text,
    "str | None": _optional(_text),
    "int": _count,
    "int | None": _optional(_count),
    "float | None": _optional(_real),
    "Task": _choice_of(Task),
    "ErrorKind": _choice_of(ErrorKind),
    "Mapping[str, str]": _strings,
    "tuple[str, ...]": _list_of(_text),
    "tuple[Message, ...]": _list_of(_object_reader(Message)),
    "tuple[WeightFile, ...]": _list_of(_object_reader(WeightFile)),
    "RequestError | None": _optional(_object_reader(RequestError)),
    "AdapterFacts | None": _optional(_object_reader(AdapterFacts)),
}
_JSON_TYPES = frozenset(
    {"Mapping[str, str]", "tuple[str, ...]", "tuple[Message, ...]", "RequestError | None"}
)
