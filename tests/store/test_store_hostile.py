"""Stores that are damaged or were made to do harm: each is refused, with its file and place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_records import fill_store, make_generation

from llmaudit.errors import StoreError
from llmaudit.store import RunStore


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of a finished run with a little of everything."""
    folder = tmp_path / "run"
    with RunStore.create(folder, {"seed": 0}) as store:
        fill_store(store)
    return folder


def _read_all(store: RunStore) -> None:
    """Read every value of a store."""
    store.content_digest()
    list(store.events())
    store.done_request_ids()
    store.scored_request_ids("digest-toxicity")


def _replace(content: bytes) -> Callable[[Path], None]:
    """Return a function that puts another content in a file's place."""

    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:12288] = bytes(4096)
    path.write_bytes(content)


def _change(*statements: str) -> Callable[[Path], None]:
    """Return a function that runs SQL on a file behind the store's back."""

    def change(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return change


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (_replace(b""), "not a run store"),
    "text": (_replace(b"hello" * 999), "not a database"),
    "truncated": (_truncate, "damaged|malformed"),
    "scrambled": (_scramble, "damaged|malformed"),
    "foreign": (_change("PRAGMA application_id = 5"), "not a run store"),
    "lost table": (_change("DROP TABLE score"), "missing, changed.*score"),
    "lost trigger": (_change("DROP TRIGGER score_no_update"), "score_no_update"),
    "new trigger": (
        _change("CREATE TRIGGER bad AFTER INSERT ON score BEGIN SELECT 1; END"),
        "should not be there: bad",
    ),
    "view": (_change("CREATE VIEW spy AS SELECT 1"), "should not be there: spy"),
    "column": (_change("ALTER TABLE score ADD COLUMN more TEXT"), "changed.*score"),
    "no migrations": (_change("DROP TABLE migration"), "table of migrations is missing"),
    "empty migrations": (_change("DELETE FROM migration"), "another version"),
    "future": (_change("INSERT INTO migration VALUES (99, 'flying')"), "'flying'.*newer one"),
    "identity lost": (
        _change("DROP TRIGGER identity_no_delete", "DELETE FROM identity"),
        "identity_no_delete",
    ),
    "two identities": (_change("INSERT INTO identity VALUES ('{}')"), "holds 2 identities"),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("read_only", [True, False])
def test_damaged_stores_are_refused_and_left_as_they_are(
    directory: Path, name: str, read_only: bool
) -> None:
    path = directory / "run.sqlite"
    damage, problem = DAMAGES[name]
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=problem) as caught:
        RunStore.open(directory, read_only=read_only)
    assert str(path) in str(caught.value)
    if name != "two identities":
        assert path.read_bytes() == before
    if not read_only:
        assert RunStore.set_aside(directory) is not None


PROMPT = (
    "INSERT INTO prompt (id, probe_set, probe_set_digest, template_id, pair_id, axis, "
    '"group", language, task, messages, plain, choices, tags, sent) '
    "VALUES ('x', 's', 'd', 't', 'p', NULL, NULL, 'en', "
)
HOSTILE = {
    "INSERT INTO generation VALUES ('x', 'p', 'many', 't', 'stop', 1, 1, NULL)": "sample_index",
    "INSERT INTO generation VALUES ('x', 'p', -1, 't', 'stop', 1, 1, NULL)": "whole number from 0",
    "INSERT INTO generation VALUES ('x', 'p', 1.5, 't', 'stop', 1, 1, NULL)": "sample_index",
    "INSERT INTO generation VALUES ('x', 'p', 1, x'80', 'stop', 1, 1, NULL)": "text: bytes",
    "INSERT INTO generation VALUES ('x', 'p', 1, x'ff00', 's', 1, 1, NULL)": "text: bytes",
    "INSERT INTO generation VALUES ('x', 'p', 1, NULL, NULL, 1, 1, NULL)": "a value or why",
    "INSERT INTO generation VALUES ('x', 'p', 1, NULL, NULL, 1, 1, '{')": "error cannot be read",
    "INSERT INTO generation VALUES ('x', 'p', 1, NULL, NULL, 1, 1, '[]')": "error: expected an",
    "INSERT INTO generation VALUES ('x', 'p', 1, NULL, NULL, 1, 1, '{\"kind\": \"boom\"}')": (
        "expected the keys"
    ),
    "INSERT INTO generation VALUES ('x', 'p', 1, NULL, NULL, 1, 1, "
    '\'{"kind": "boom", "message": ""}\')': "'boom' is none of",
    "INSERT INTO generation VALUES (NULL, 'p', 1, 't', 's', 1, 1, NULL)": "request_id: expected",
    "INSERT INTO likelihood VALUES ('x', 'p', 'yes', 'low', 1, NULL)": "logprob: expected a",
    "INSERT INTO likelihood VALUES ('x', 'p', 'yes', 9e999, 1, NULL)": "finite number, found inf",
    "INSERT INTO score VALUES ('x', 'g', 's', 'digest-toxicity', NULL, NULL, NULL)": "a value or",
    "INSERT INTO score VALUES (5, x'ff', 's', 'digest-toxicity', 1, NULL, NULL)": "bytes",
    f"{PROMPT}'dance', '[]', '', '{{}}', '{{}}', '')": ("task: 'dance' is none of"),
    f"{PROMPT}'choices', '{{}}', '', '{{}}', '{{}}', '')": ("messages: expected a list"),
    f"{PROMPT}'choices', '[3]', '', '{{}}', '{{}}', '')": ("messages: expected an object"),
    f"{PROMPT}'choices', '[]', '', '[]', '{{}}', '')": ("choices: expected an object"),
    f"{PROMPT}'choices', '[]', '', '{{}}', '{{}}', NULL)": ("sent: expected text"),
    "INSERT INTO model_facts SELECT 'other', facts FROM model_facts": "not those of one model",
    "INSERT INTO event VALUES (NULL, 't', 'k', '[]')": "the JSON is not an object",
    "INSERT INTO event VALUES (NULL, 't', NULL, '{}')": "expected text, found NoneType",
    "INSERT INTO event VALUES (NULL, 't', 'k', CAST(x'7b22ff227d' AS TEXT))": "decode|read",
}


@pytest.mark.parametrize("statement", HOSTILE)
def test_hostile_values_are_refused_with_their_place(directory: Path, statement: str) -> None:
    path = directory / "run.sqlite"
    _change(statement)(path)
    with (
        RunStore.open(directory, read_only=True) as store,
        pytest.raises(StoreError, match=HOSTILE[statement]) as caught,
    ):
        _read_all(store)
    assert str(path) in str(caught.value)


def test_deeply_nested_json_is_refused(directory: Path) -> None:
    _change("INSERT INTO event VALUES (NULL, 't', 'k', replace(hex(zeroblob(50000)), '0', '['))")(
        directory / "run.sqlite"
    )
    with (
        RunStore.open(directory, read_only=True) as store,
        pytest.raises(StoreError, match="cannot be read"),
    ):
        _read_all(store)


def test_values_beyond_the_size_limit_are_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmaudit.store.database.MAX_VALUE_BYTES", 10_000)
    with (
        RunStore.open(directory) as store,
        pytest.raises(StoreError, match="larger than a store may hold"),
    ):
        store.add_generations([make_generation(900, text="x" * 20_000)])


def test_tables_are_append_only(directory: Path) -> None:
    connection = sqlite3.connect(directory / "run.sqlite")
    tables = ("identity", "model_facts", "prompt", "generation", "likelihood", "score", "event")
    for table in tables:
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
    with pytest.raises(sqlite3.IntegrityError, match="score is append-only"):
        connection.execute("UPDATE score SET value = 0")
    connection.close()


def test_facts_that_are_none_are_refused(tmp_path: Path) -> None:
    for number, (facts, problem) in enumerate(
        {
            '{"evil": 1}': "expected the keys",
            "NaN": "NaN is not JSON",
            "[": "cannot be read",
        }.items()
    ):
        with RunStore.create(tmp_path / str(number), {}) as store:
            _change(f"INSERT INTO model_facts VALUES ('aaaa', '{facts}')")(store.path)  # noqa: S608
            with pytest.raises(StoreError, match=problem):
                store.model_facts()


def test_the_identity_must_be_an_object(tmp_path: Path) -> None:
    RunStore.create(tmp_path, {}).close()
    (tmp_path / "run.sqlite").rename(tmp_path / "other.sqlite")
    with pytest.raises(StoreError, match="the JSON is not an object"):
        RunStore.create(tmp_path, [])  # type: ignore[arg-type]
