"""The store's tables, as named migrations, and the checks a file must pass before it is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaudit.errors import StoreError
from llmaudit.store.failures import DAMAGED_REMEDY

APPLICATION_ID = 0x6C6C6D61
_NAMES_TABLE = "CREATE TABLE migration (position INTEGER PRIMARY KEY, name TEXT NOT NULL)"


@dataclass(frozen=True)
class Migration:
    """One step from an older schema to a newer one."""

    name: str
    statements: tuple[str, ...]


def _append_only(table: str) -> tuple[str, str]:
    """Return triggers that refuse every change to what a table holds."""
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    )


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "records",
        (
            "CREATE TABLE identity (identity TEXT NOT NULL)",
            "CREATE TABLE model_facts (digest TEXT PRIMARY KEY, facts TEXT NOT NULL)",
            "CREATE TABLE prompt (id TEXT PRIMARY KEY, probe_set TEXT, probe_set_digest TEXT, "
            'template_id TEXT, pair_id TEXT, axis TEXT, "group" TEXT, language TEXT, task TEXT, '
            "messages TEXT, plain TEXT, choices TEXT, tags TEXT, sent TEXT)",
            "CREATE TABLE generation (request_id TEXT PRIMARY KEY, prompt_id TEXT, "
            "sample_index INTEGER, text TEXT, finish TEXT, prompt_tokens INTEGER, "
            "new_tokens INTEGER, error TEXT)",
            "CREATE TABLE likelihood (request_id TEXT PRIMARY KEY, prompt_id TEXT, choice TEXT, "
            "logprob REAL, tokens INTEGER, error TEXT)",
            "CREATE TABLE score (id TEXT PRIMARY KEY, request_id TEXT, scorer TEXT, "
            "scorer_digest TEXT, value REAL, label TEXT, reason TEXT)",
            "CREATE INDEX score_by_scorer ON score (scorer_digest, request_id)",
            "CREATE TABLE event (number INTEGER PRIMARY KEY, time TEXT, kind TEXT, data TEXT)",
            *_append_only("identity"),
            *_append_only("model_facts"),
            *_append_only("prompt"),
            *_append_only("generation"),
            *_append_only("likelihood"),
            *_append_only("score"),
            *_append_only("event"),
        ),
    ),
    Migration(
        "answers of prompts",
        (
            "ALTER TABLE prompt ADD COLUMN expected TEXT",
            "ALTER TABLE prompt ADD COLUMN \"references\" TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE prompt ADD COLUMN false_references TEXT NOT NULL DEFAULT '[]'",
        ),
    ),
)
"""Every migration ever released, in order. Add to the end; never change one that has shipped."""


def build_schema(
    connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Make the tables in an empty database, in one transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_NAMES_TABLE)
    _apply(connection, migrations, 0)
    connection.execute("COMMIT")


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Bring a checked older file up to the newest schema, all or nothing."""
    done = applied_migrations(connection, path, migrations)
    if done == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection, migrations, done)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def check_file(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Refuse a file that is not an intact run store with exactly the tables it should have.

    Nothing in the file is changed, and no trigger or view of its own is ever run.

    Raises
    ------
    StoreError
        If the file is foreign, damaged, from a newer llmaudit, or has other tables.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is not a run store of llmaudit. {DAMAGED_REMEDY}")
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise StoreError(f"{path} is damaged: {state}. {DAMAGED_REMEDY}")
    found = _objects(connection)
    if ("table", "migration", _NAMES_TABLE) not in found:
        raise StoreError(f"{path} is damaged: its table of migrations is missing. {DAMAGED_REMEDY}")
    done = applied_migrations(connection, path, migrations)
    expected = _expected_objects(migrations[:done])
    if found != expected:
        names = ", ".join(sorted({name for _, name, _ in found ^ expected}))
        raise StoreError(
            f"{path} is damaged: these tables, indexes or triggers are missing, changed or should "
            f"not be there: {names}. {DAMAGED_REMEDY}"
        )


def applied_migrations(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> int:
    """Return how many migrations the file has seen.

    Raises
    ------
    StoreError
        If it has seen one that this version of llmaudit does not know.
    """
    rows = connection.execute("SELECT name FROM migration ORDER BY position").fetchall()
    names = [name for (name,) in rows]
    known = [migration.name for migration in migrations]
    if not names or names != known[: len(names)]:
        raise StoreError(
            f"{path} was written by another version of llmaudit: its schema has seen {names}, "
            f"this version knows {known}. Open it with the version that wrote it, or a newer one."
        )
    return len(names)


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration], already: int) -> None:
    """Run the migrations after the first ``already`` ones."""
    for position, migration in enumerate(migrations[already:], start=already):
        for statement in migration.statements:
            connection.execute(statement)
        connection.execute("INSERT INTO migration VALUES (?, ?)", (position, migration.name))


def _objects(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Return what the file's schema holds, apart from what SQLite makes by itself."""
    return set(
        connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
    )


def _expected_objects(migrations: Sequence[Migration]) -> set[tuple[str, str, str]]:
    """Return what a file with these migrations must hold, by making one in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        build_schema(connection, migrations)
        return _objects(connection)
    finally:
        connection.close()
