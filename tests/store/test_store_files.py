"""Stores that are old, locked, killed in mid-write, or on a full disk."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sample_records import fill_store, make_generation

from llmaudit.errors import StoreError
from llmaudit.store import RunStore
from llmaudit.store.database import open_database
from llmaudit.store.schema import MIGRATIONS, Migration, build_schema
from llmaudit.store.tables import PROMPTS, insert_records, select_records

IDENTITY = {"seed": 0}
OLD_FILE = Path(__file__).with_name("store-v1.sql")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of a finished run with a little of everything."""
    folder = tmp_path / "run"
    with RunStore.create(folder, IDENTITY) as store:
        fill_store(store)
    return folder


def _read_all(store: RunStore) -> None:
    """Read every value of a store."""
    store.content_digest()
    list(store.events())


# Creating and opening


def test_a_second_store_in_one_directory_is_refused(directory: Path) -> None:
    before = (directory / "run.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"already holds a run.*--fresh"):
        RunStore.create(directory, {"seed": 1})
    assert (directory / "run.sqlite").read_bytes() == before
    with RunStore.open(directory) as store:
        assert store.identity == IDENTITY


def test_a_missing_store_is_said(tmp_path: Path) -> None:
    assert not RunStore.exists(tmp_path)
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"holds no run\.sqlite"):
            RunStore.open(tmp_path / "nowhere", read_only=read_only)


def test_a_run_directory_under_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for directory in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StoreError, match="cannot make the run directory"):
            RunStore.create(directory, IDENTITY)
        with pytest.raises(StoreError):
            RunStore.open(directory)


def test_what_a_killed_creation_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite.partial").write_bytes(b"half of a store")
    (tmp_path / "run.sqlite.partial-journal").write_bytes(b"half of a journal")
    assert not RunStore.exists(tmp_path)
    with RunStore.create(tmp_path, IDENTITY):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.lock", "run.sqlite"]


def test_setting_aside_keeps_the_old_store(directory: Path) -> None:
    with RunStore.open(directory) as store:
        digest = store.content_digest()
        with pytest.raises(StoreError, match="in use by another process"):
            RunStore.set_aside(directory)
    old = RunStore.set_aside(directory)
    assert old == directory / "run-old-1.sqlite"
    assert RunStore.set_aside(directory) is None
    with RunStore.create(directory, {"seed": 1}) as store:
        assert list(store.generations()) == []
    assert RunStore.set_aside(directory) == directory / "run-old-2.sqlite"
    old.rename(directory / "run.sqlite")
    with RunStore.open(directory, read_only=True) as store:
        assert store.content_digest() == digest


# One writer


def test_one_writer_and_any_reader(directory: Path) -> None:
    with RunStore.open(directory) as writer:
        with pytest.raises(StoreError, match=rf"in use by another process.*{os.getpid()}"):
            RunStore.open(directory)
        with RunStore.open(directory, read_only=True) as reader:
            assert len(list(reader.generations())) == 300
            writer.add_generations([make_generation(300)])
            assert len(list(reader.generations())) == 301
            with pytest.raises(StoreError, match="readonly"):
                reader.add_generations([make_generation(301)])
    with RunStore.open(directory) as writer:
        assert len(list(writer.generations())) == 301


def test_a_writer_in_another_process_is_named(directory: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom llmaudit.store import RunStore\n"
        "store = RunStore.open(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match=f"process id {process.pid}"):
            RunStore.open(directory)
        process.kill()
    with RunStore.open(directory) as store:
        _read_all(store)


# Killed in mid-write

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sample_records import make_generation
from llmaudit.store import RunStore
store = RunStore.open(Path(sys.argv[1]))
batch = len(list(store.generations())) // 20
while True:
    store.add_generations([make_generation(n) for n in range(batch * 20, batch * 20 + 20)])
    batch += 1
    print(batch, flush=True)
"""


def test_killed_at_random_moments_the_store_holds_whole_batches(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    RunStore.create(directory, IDENTITY).close()
    chance = random.Random(7)  # noqa: S311
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 40)):
                said = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            said = max([said, *(int(line) for line in process.stdout)])
        with RunStore.open(directory, read_only=True) as store:
            stored = list(store.generations())
        assert len(stored) % 20 == 0
        assert said * 20 <= len(stored) <= (said + 1) * 20
        assert stored == [make_generation(n) for n in range(len(stored))]


# Full disk


def test_a_full_disk_is_said_and_what_was_stored_is_kept(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sample_records import make_generation
from llmaudit.store import RunStore
store = RunStore.create(Path(sys.argv[1]), {})
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for batch in range(1000):
    store.add_generations([make_generation(n) for n in range(batch * 20, batch * 20 + 20)])
    print(batch + 1, flush=True)
"""
    directory = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
    )
    assert "StoreError: cannot store generations in" in done.stderr
    assert "disk is full or a file size limit was reached" in done.stderr
    batches = int(done.stdout.split()[-1])
    assert 0 < batches < 1000
    with RunStore.open(directory) as store:
        assert list(store.generations()) == [make_generation(n) for n in range(batches * 20)]
        store.add_generations([make_generation(n) for n in range(20_000)])


def test_a_store_that_cannot_be_made_leaves_none(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from llmaudit.store import RunStore
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
RunStore.create(Path(sys.argv[1]), {})
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True
    )
    assert "StoreError: cannot make" in done.stderr
    assert not RunStore.exists(tmp_path)


# Old files


def _make_old_file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(OLD_FILE.read_text("utf-8"))
    connection.close()


def test_a_file_of_the_first_release_still_opens(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    _make_old_file(directory / "run.sqlite")
    for read_only in (True, False, True):
        with RunStore.open(directory, read_only=read_only) as store:
            assert store.identity == {"seed": 0, "suite": "quick"}
            assert [p.group for p in store.prompts()] == ["woman", "man"]
            assert store.sent() == {"p1": "user: Hello", "p2": "user: Hello"}
            assert [(g.text, g.error is None) for g in store.generations()] == [
                ("Good day.", True),
                (None, False),
            ]
            assert [x.logprob for x in store.likelihoods()] == [-0.25]
            assert [s.value for s in store.scores()] == [0.125]
            assert [e.kind for e in store.events()] == ["session_started"]
            facts = store.model_facts()
            assert facts is not None
            assert facts.parameters == 100


def test_migrations_bring_old_files_up_to_date(directory: Path) -> None:
    path = directory / "run.sqlite"
    newer = (*MIGRATIONS, Migration("more", ("CREATE TABLE more (x TEXT)",)))
    before = path.read_bytes()
    reader = open_database(path, read_only=True, migrations=newer)
    assert reader.execute("SELECT count(*) FROM more").fetchone() == (0,)
    assert reader.execute("SELECT count(*) FROM generation").fetchone() == (300,)
    reader.close()
    assert path.read_bytes() == before
    open_database(path, read_only=False, migrations=newer).close()
    again = open_database(path, read_only=False, migrations=newer)
    names = again.execute("SELECT name FROM migration ORDER BY position").fetchall()
    assert names == [*((each.name,) for each in MIGRATIONS), ("more",)]
    again.close()
    with pytest.raises(StoreError, match="another version of llmaudit"):
        RunStore.open(directory)


def test_prompts_of_a_file_before_answers_were_stored_have_none(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    old = sqlite3.connect(path, isolation_level=None)
    build_schema(old, MIGRATIONS[:1])
    row = "'p', 's', 'd', 't', 'x', NULL, NULL, 'en', 'choices', '[]', '', '{}', '{}', 'sent'"
    old.execute(f"INSERT INTO prompt VALUES ({row})")  # noqa: S608
    old.close()
    opened = open_database(path, read_only=False)
    (prompt,) = select_records(opened, path, PROMPTS)
    assert (prompt.id, prompt.expected, prompt.references) == ("p", None, ())
    new = replace(prompt, id="q", expected="yes", references=("a", "b"), false_references=("c",))
    opened.execute("BEGIN")
    insert_records(opened, path, PROMPTS, [new], {"q": "sent"})
    opened.execute("COMMIT")
    assert list(select_records(opened, path, PROMPTS)) == [prompt, new]
    opened.close()


def test_a_migration_that_breaks_changes_nothing(directory: Path) -> None:
    path = directory / "run.sqlite"
    broken = (*MIGRATIONS, Migration("broken", ("CREATE TABLE more (x TEXT)", "CREATE TABLE (")))
    with pytest.raises(StoreError, match="syntax error"):
        open_database(path, read_only=False, migrations=broken)
    with RunStore.open(directory) as store:
        assert len(list(store.generations())) == 300
