"""The tables of records: how records are added to them, and how they are read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmaudit.errors import StoreError
from llmaudit.records import Generation, Likelihood, Prompt, Score
from llmaudit.store.columns import decode_record, encode_record, encode_value
from llmaudit.store.failures import as_store_errors

_FETCH = 500
RecordT = TypeVar("RecordT", Prompt, Generation, Likelihood, Score)


@dataclass(frozen=True)
class Table(Generic[RecordT]):
    """One table of records: its name, its key, and the record that its columns make."""

    name: str
    key: str
    record: type[RecordT]

    @property
    def columns(self) -> str:
        """The record's fields as a list of SQL names; a table may have more columns."""
        return ", ".join(f'"{field.name}"' for field in fields(self.record))


PROMPTS = Table("prompt", "id", Prompt)
GENERATIONS = Table("generation", "request_id", Generation)
LIKELIHOODS = Table("likelihood", "request_id", Likelihood)
SCORES = Table("score", "id", Score)


def insert_records(
    connection: sqlite3.Connection,
    path: Path,
    table: Table[RecordT],
    records: Iterable[RecordT],
    sent: Mapping[str, str] | None = None,
) -> int:
    """Add records inside an open transaction and return how many were new.

    Parameters
    ----------
    connection : sqlite3.Connection
        An open store.
    path : Path
        Its file, for messages.
    table : Table
        Where the records belong.
    records : iterable
        What to add.
    sent : mapping of str to str, optional
        For prompts: the exact text that was sent for each id.

    Raises
    ------
    StoreError
        If a record cannot be stored as it is, or its id is stored with another content.
    """
    new = 0
    for record in records:
        key = str(getattr(record, table.key))
        row: tuple[Any, ...] = _encode(table, record, f"{path}: {table.name} {key!r:.80}")
        names = table.columns
        if sent is not None:
            row, names = (*row, encode_value(sent[key])), f"{names}, sent"
        marks = ", ".join("?" * len(row))
        into = f"INSERT INTO {table.name} ({names})"
        statement = f"{into} VALUES ({marks}) ON CONFLICT DO NOTHING"
        if connection.execute(statement, row).rowcount == 1:
            new += 1
        else:
            _check_equal(connection, path, table, record, row, names)
    return new


def select_records(
    connection: sqlite3.Connection,
    path: Path,
    table: Table[RecordT],
    condition: str = "",
    values: tuple[str, ...] = (),
) -> Iterator[RecordT]:
    """Give the records of a table, ordered by key, each one checked.

    Raises
    ------
    StoreError
        If the file cannot be read or holds something that is no such record.
    """
    statement = f"SELECT {table.columns} FROM {table.name} {condition} ORDER BY {table.key}"  # noqa: S608
    for row in select_rows(connection, path, statement, values):
        where = f"{path}: {table.name} {row[0]!r:.80}"
        record = decode_record(table.record, row, where)
        _check_sense(record, where)
        yield record


def select_rows(
    connection: sqlite3.Connection, path: Path, statement: str, values: tuple[str, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a query; what SQLite raises becomes a :class:`StoreError`."""
    with as_store_errors(path, "read"):
        cursor = connection.execute(statement, values)
        while rows := cursor.fetchmany(_FETCH):
            yield from rows


def describe_difference(known: Any, other: Any) -> str:
    """Name the fields in which two records of one kind differ, with both values cut short."""
    pairs = ((f.name, getattr(known, f.name), getattr(other, f.name)) for f in fields(known))
    return "; ".join(
        f"{name} is {ours!r:.80}, not {theirs!r:.80}"
        for name, ours, theirs in pairs
        if ours != theirs
    )


def _encode(table: Table[RecordT], record: RecordT, where: str) -> tuple[Any, ...]:
    """Return the row of a record, having made sure that it reads back as the same record."""
    row = encode_record(record)
    if decode_record(table.record, row, where) != record:
        raise StoreError(f"{where} cannot be stored as it is: {record!r:.300}")
    _check_sense(record, where)
    return row


def _check_equal(
    connection: sqlite3.Connection,
    path: Path,
    table: Table[RecordT],
    record: RecordT,
    row: tuple[Any, ...],
    names: str,
) -> None:
    """Refuse a record whose id is stored with another content."""
    where = f"{path}: {table.name} {row[0]!r:.80}"
    size = len(fields(record))
    statement = f"SELECT {names} FROM {table.name} WHERE {table.key} = ?"  # noqa: S608
    for stored in connection.execute(statement, row[:1]):
        known = decode_record(table.record, stored[:size], where)
        if known != record or stored[size:] != row[size:]:
            difference = describe_difference(known, record) or "another text was sent"
            raise StoreError(f"{where} is stored already with another content: {difference}")


def _check_sense(record: Prompt | Generation | Likelihood | Score, where: str) -> None:
    """Refuse a record whose value and error contradict each other."""
    if isinstance(record, Generation):
        senseless = (record.text is None) != (record.error is not None)
    elif isinstance(record, Likelihood):
        senseless = (record.logprob is None) != (record.error is not None)
    else:
        senseless = isinstance(record, Score) and record.value is None and record.reason is None
    if senseless:
        raise StoreError(f"{where} must hold either a value or why there is none: {record!r:.300}")
