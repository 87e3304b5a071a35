"""A run with a real model is killed at five random points and must end as if it never was."""

from __future__ import annotations

import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmaudit.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from llmaudit.store import RunStore

pytestmark = pytest.mark.usefixtures("smollm2")

_COMMAND = (
    sys.executable,
    "-c",
    "from llmaudit.cli import main; main()",
    "run",
    *("--model", "smollm2-135m", "--suite", "quick", "--limit", "8"),
    *("--max-new-tokens", "10", "--batch-tokens", "1000", "--quiet"),
)


def _start(directory: Path) -> subprocess.Popen[bytes]:
    # The command stands in the report, so both runs are told the same one.
    directory.parent.mkdir(exist_ok=True)
    command = [*_COMMAND, "--out", directory.name]
    return subprocess.Popen(
        command, cwd=directory.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _finish(directory: Path) -> None:
    process = _start(directory)
    _, said = process.communicate(timeout=600)
    assert (directory / "manifest.json").exists(), said.decode()
    assert process.returncode in {EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE}, said.decode()


def _stored(directory: Path) -> int:
    """Return how many results the store holds by now; 0 before there is one."""
    try:
        connection = sqlite3.connect(f"file:{directory}/run.sqlite?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    try:
        tables = ("generation", "likelihood", "score")
        counts = (f"SELECT count(*) FROM {table}" for table in tables)  # noqa: S608
        return sum(connection.execute(count).fetchone()[0] for count in counts)
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def _kill_at(directory: Path, results: int) -> None:
    """Start the run, or go on with it, and kill it once it holds that many results."""
    process = _start(directory)
    try:
        while process.poll() is None and _stored(directory) < results:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def _report(directory: Path) -> str:
    """Return the report without what tells of time: a section, and marked words elsewhere."""
    text = (directory / "report.html").read_text(encoding="utf-8")
    text = re.sub(r'<span class="clock">.*?</span>', "", text)
    without, found = re.subn(r'<section id="timing".*?</section>', "", text, flags=re.DOTALL)
    assert found == 1
    return without


def _results(directory: Path) -> dict[str, object]:
    results: dict[str, object] = json.loads((directory / "results.json").read_text("utf-8"))
    del results["timing"]
    return results


def _content_digest(directory: Path) -> str:
    with RunStore.open(directory, read_only=True) as store:
        return store.content_digest()


def test_killed_run_resumes_to_the_records_and_report_of_a_whole_one(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    _finish(whole)
    total = _stored(whole)
    draw = random.SystemRandom()
    points = sorted(draw.randrange(1, total) for _ in range(5))
    for point in points:
        _kill_at(killed, point)
        assert not (killed / "manifest.json").exists(), points
    _finish(killed)
    assert _stored(killed) == total, points
    assert _content_digest(killed) == _content_digest(whole), points
    assert _results(killed) == _results(whole), points
    assert _report(killed) == _report(whole), points
    with RunStore.open(killed, read_only=True) as store:
        sessions = [event for event in store.events() if event.kind == "session"]
    assert len(sessions) > 1, points
