"""Reads and writes the store of one run.

Durability: the file is in write-ahead mode with ``synchronous=NORMAL``. A record whose ``add_``
call has returned survives a killed process, so every result is stored as it arrives; after a
power cut the last of them may be gone, and are asked for again, but the file is whole. FULL
would cost a sync for each result: 5 ms were measured, 7 s in the quick suite.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from llmaudit.errors import StoreError
from llmaudit.records import Generation, Likelihood, ModelFacts, Prompt, Score, canonical_json
from llmaudit.store import columns
from llmaudit.store.database import create_database, open_database, set_aside_database
from llmaudit.store.failures import as_store_errors
from llmaudit.store.lock import DirectoryLock
from llmaudit.store.tables import (
    GENERATIONS,
    LIKELIHOODS,
    PROMPTS,
    SCORES,
    RecordT,
    Table,
    describe_difference,
    insert_records,
    select_records,
    select_rows,
)

STORE_NAME = "run.sqlite"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a run: a session's start or end, timing, a warning."""

    number: int
    time: str
    kind: str
    data: Mapping[str, Any]


class RunStore:
    """The records of one run. Made by :meth:`create` or :meth:`open`; a context manager.

    Every ``add_`` method is one transaction: all of its records are stored, or none. A record
    whose id is stored already is left out when its content is equal, and refused when it is not.
    Each ``add_`` method returns how many records were new.

    Attributes
    ----------
    path : Path
        The SQLite file.
    identity : dict
        What defines the run's requests, as given to :meth:`create`.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: DirectoryLock | None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        with as_store_errors(path, "read"):
            rows = connection.execute("SELECT identity FROM identity").fetchall()
        if len(rows) != 1:
            raise StoreError(f"{path} is damaged: it holds {len(rows)} identities, not 1.")
        self.identity = columns.decode_mapping(rows[0][0], f"{path}: identity")

    @classmethod
    def create(cls, directory: Path, identity: Mapping[str, Any]) -> RunStore:
        """Make the store of a new run and open it for writing.

        Parameters
        ----------
        directory : Path
            The run directory; made when it does not exist.
        identity : mapping
            What defines the run's requests, as plain JSON values.

        Raises
        ------
        StoreError
            If the directory already holds a store, is in use, or cannot be written.
        """
        path = directory / STORE_NAME
        with as_store_errors(directory, "make the run directory"):
            directory.mkdir(parents=True, exist_ok=True)
        lock = DirectoryLock(directory)
        try:
            connection = create_database(path, columns.encode_json(identity, f"{path}: identity"))
            return cls._with(path, connection, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False) -> RunStore:
        """Open the store of an existing run.

        Parameters
        ----------
        directory : Path
            The run directory.
        read_only : bool
            Take no lock and change nothing: for reports and checks, also while a run goes on.

        Raises
        ------
        StoreError
            If there is no store, it is damaged or foreign, or another process writes to it.
        """
        path = directory / STORE_NAME
        with as_store_errors(path, "open"):
            if not path.is_file():
                raise StoreError(f"{directory} holds no {STORE_NAME}: there is no run to open.")
        lock = None if read_only else DirectoryLock(directory)
        try:
            return cls._with(path, open_database(path, read_only=read_only), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def exists(cls, directory: Path) -> bool:
        """Say whether the directory holds a store, in whatever state."""
        return (directory / STORE_NAME).exists()

    @classmethod
    def set_aside(cls, directory: Path) -> Path | None:
        """Rename the store of a run so that a new one can be made; nothing is deleted.

        Returns
        -------
        Path or None
            The store's new path, or None where there was none.

        Raises
        ------
        StoreError
            If another process writes to it, or it cannot be renamed.
        """
        if not cls.exists(directory):
            return None
        lock = DirectoryLock(directory)
        try:
            return set_aside_database(directory / STORE_NAME)
        finally:
            lock.release()

    @classmethod
    def _with(
        cls, path: Path, connection: sqlite3.Connection, lock: DirectoryLock | None
    ) -> RunStore:
        try:
            return cls(path, connection, lock)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> RunStore:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the one file where possible, and let the lock go."""
        if self._lock is not None:
            with suppress(sqlite3.Error):  # What cannot be folded in now stays safe in the log.
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    # Writing

    def add_model_facts(self, facts: ModelFacts) -> int:
        """Store what is known of the model. A run has one model, and its facts do not change."""
        known = self.model_facts()
        if known == facts:
            return 0
        if known is not None:
            raise StoreError(
                f"{self.path} holds the facts of another model or of another setting: "
                f"{describe_difference(known, facts)}. Use another --out, or --fresh to start over."
            )
        text = columns.encode_json(facts, f"{self.path}: model facts")
        with self._transaction("store the model's facts in"):
            self._connection.execute("INSERT INTO model_facts VALUES (?, ?)", (facts.digest, text))
        return 1

    def add_prompts(self, prompts: Iterable[Prompt], sent: Mapping[str, str]) -> int:
        """Store prompts with the exact text that was sent for each, by prompt id."""
        batch = list(prompts)
        missing = [prompt.id for prompt in batch if prompt.id not in sent]
        if missing:
            raise StoreError(f"no sent text was given for the prompts {', '.join(missing[:5])}")
        return self._add(PROMPTS, batch, sent)

    def add_generations(self, generations: Iterable[Generation]) -> int:
        """Store one batch of generations."""
        return self._add(GENERATIONS, generations)

    def add_likelihoods(self, likelihoods: Iterable[Likelihood]) -> int:
        """Store one batch of likelihoods."""
        return self._add(LIKELIHOODS, likelihoods)

    def add_scores(self, scores: Iterable[Score]) -> int:
        """Store one batch of scores."""
        return self._add(SCORES, scores)

    def add_event(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Store that something happened now; ``data`` is plain JSON values."""
        text = columns.encode_json(data or {}, f"{self.path}: event {kind!r}")
        row = (datetime.now(UTC).isoformat(), kind, text)
        with self._transaction("store an event in"):
            self._connection.execute("INSERT INTO event (time, kind, data) VALUES (?, ?, ?)", row)

    # Reading

    def model_facts(self) -> ModelFacts | None:
        """Return what is known of the model, or None before it is stored."""
        rows = list(self._rows("SELECT digest, facts FROM model_facts"))
        if not rows:
            return None
        digest, stored = rows[0]
        where = f"{self.path}: model facts {digest!r:.80}"
        facts = columns.decode_object(ModelFacts, stored, where)
        if len(rows) > 1 or facts.digest != digest:
            raise StoreError(f"{where} are not those of one model with this digest")
        return facts

    def prompts(self) -> Iterator[Prompt]:
        """Give every prompt, ordered by id."""
        return self._records(PROMPTS)

    def sent(self) -> dict[str, str]:
        """Return the exact text that was sent for each prompt, by prompt id."""
        rows = self._rows("SELECT id, sent FROM prompt ORDER BY id")
        return {
            columns.decode_text(key, f"{self.path}: prompt"): columns.decode_text(
                text, f"{self.path}: prompt {key!r:.80}: sent"
            )
            for key, text in rows
        }

    def generations(self) -> Iterator[Generation]:
        """Give every generation, ordered by request id."""
        return self._records(GENERATIONS)

    def likelihoods(self) -> Iterator[Likelihood]:
        """Give every likelihood, ordered by request id."""
        return self._records(LIKELIHOODS)

    def scores(self, scorer_digest: str | None = None) -> Iterator[Score]:
        """Give every score, or those of one scorer, ordered by id."""
        if scorer_digest is None:
            return self._records(SCORES)
        return self._records(SCORES, "WHERE scorer_digest = ?", (scorer_digest,))

    def events(self) -> Iterator[Event]:
        """Give every event in the order in which they happened."""
        for number, time, kind, data in self._rows("SELECT * FROM event ORDER BY number"):
            where = f"{self.path}: event {number}"
            yield Event(
                number=number,
                time=columns.decode_text(time, where),
                kind=columns.decode_text(kind, where),
                data=columns.decode_mapping(data, where),
            )

    def done_request_ids(self) -> frozenset[str]:
        """Return the ids of all requests that have a result, be it an error."""
        rows = self._rows(
            "SELECT request_id FROM generation UNION ALL SELECT request_id FROM likelihood"
        )
        return frozenset(columns.decode_text(key, f"{self.path}: request") for (key,) in rows)

    def scored_request_ids(self, scorer_digest: str) -> frozenset[str]:
        """Return the ids of all requests that this scorer has dealt with."""
        rows = self._rows("SELECT request_id FROM score WHERE scorer_digest = ?", (scorer_digest,))
        return frozenset(columns.decode_text(key, f"{self.path}: score") for (key,) in rows)

    def content_digest(self) -> str:
        """Return the SHA-256 of all that was asked, answered and scored.

        Two runs with equal digests hold the same identity, model facts, prompts, texts sent,
        generations, likelihoods and scores, in whatever order they were stored. Events and the
        tracebacks of errors are left out: they differ between equal runs.
        """
        digest = hashlib.sha256()
        for kind, value in self._contents():
            line = canonical_json([kind, value])
            digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        return digest.hexdigest()

    def _contents(self) -> Iterator[tuple[str, Any]]:
        yield "identity", self.identity
        yield "model", columns.plain_value(self.model_facts())
        yield "sent", self.sent()
        for kind, records in (
            ("prompt", self.prompts()),
            ("generation", self.generations()),
            ("likelihood", self.likelihoods()),
            ("score", self.scores()),
        ):
            for record in records:
                value = columns.plain_value(record)
                if value.get("error"):
                    value["error"].pop("traceback")
                yield kind, value

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with as_store_errors(self.path, doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors.
                    self._connection.execute("ROLLBACK")
                raise

    def _add(
        self,
        table: Table[RecordT],
        records: Iterable[RecordT],
        sent: Mapping[str, str] | None = None,
    ) -> int:
        with self._transaction(f"store {table.name}s in"):
            return insert_records(self._connection, self.path, table, records, sent)

    def _records(
        self, table: Table[RecordT], condition: str = "", values: tuple[str, ...] = ()
    ) -> Iterator[RecordT]:
        return select_records(self._connection, self.path, table, condition, values)

    def _rows(self, statement: str, values: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
        return select_rows(self._connection, self.path, statement, values)
