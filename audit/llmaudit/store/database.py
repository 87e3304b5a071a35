"""Makes, opens and sets aside the SQLite file of a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from llmaudit.errors import StoreError
from llmaudit.store.columns import MAX_VALUE_BYTES
from llmaudit.store.failures import as_store_errors
from llmaudit.store.schema import (
    MIGRATIONS,
    Migration,
    applied_migrations,
    build_schema,
    check_file,
    migrate,
)

_COMPANIONS = ("", "-wal", "-shm", "-journal")


def create_database(path: Path, identity: str | bytes) -> sqlite3.Connection:
    """Make a new store that holds ``identity`` and open it for writing.

    The file is made under another name and renamed, so that a half-made one never passes for a
    store.

    Raises
    ------
    StoreError
        If the file exists or cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with as_store_errors(path, "make"):
        if path.exists():
            raise StoreError(
                f"{path} exists: the directory already holds a run. Resume it, or start over with "
                f"--fresh, or choose another --out."
            )
        for companion in _COMPANIONS:
            partial.with_name(partial.name + companion).unlink(missing_ok=True)
        connection = _connect(partial, "rwc")
        try:
            build_schema(connection)
            connection.execute("INSERT INTO identity VALUES (?)", (identity,))
        finally:
            connection.close()
        partial.rename(path)
    return open_database(path, read_only=False)


def open_database(
    path: Path, *, read_only: bool, migrations: Sequence[Migration] = MIGRATIONS
) -> sqlite3.Connection:
    """Check a store and open it; an older one is brought up to date.

    A file opened read-only is never changed: an older one is brought up to date in memory.

    Raises
    ------
    StoreError
        If the file is not an intact run store, or cannot be read or written.
    """
    with as_store_errors(path, "open"):
        connection = _connect(path, "ro" if read_only else "rw")
        try:
            check_file(connection, path, migrations)
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                connection.execute("PRAGMA synchronous = NORMAL")
            elif applied_migrations(connection, path, migrations) < len(migrations):
                connection = _copy_to_memory(connection)
            migrate(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
        return connection


def set_aside_database(path: Path) -> Path:
    """Rename a store, in whatever state it is, to the first free name beside it.

    Returns
    -------
    Path
        The new path of the file.
    """
    number = 1
    while (target := path.with_name(f"{path.stem}-old-{number}{path.suffix}")).exists():
        number += 1
    with as_store_errors(path, "set aside"):
        for companion in _COMPANIONS:
            part = path.with_name(path.name + companion)
            if part.exists():
                part.rename(target.with_name(target.name + companion))
    return target


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file that may be hostile: no trigger or view of its own may call functions."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _copy_to_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(copy)
    connection.close()
    return copy
