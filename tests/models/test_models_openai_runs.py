"""Whole runs with a server: likelihoods, secrets, Ctrl-C, a server that goes and comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openai_audits import audit_words, everything_in
from openai_server import FakeServer, Kind

from llmaudit.cli import main

SECRET = "sk-very-secret-0123456789"  # noqa: S105
ABLE = Kind(logprobs="vllm", opening="<s>", chat_logprobs=True)


def call(words: list[str]) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, words, prog_name="llmaudit")


def results(folder: Path) -> dict[str, Any]:
    """Return the results of a run in ``folder``."""
    found: dict[str, Any] = json.loads((folder / "run" / "results.json").read_text("utf-8"))
    return found


def test_a_server_that_gives_likelihoods_is_asked_for_them(tmp_path: Path) -> None:
    with FakeServer(ABLE) as server:
        done = call(audit_words(tmp_path, "toy", server.url))
        assert done.exit_code in {0, 1, 3}, done.output
    found = results(tmp_path)
    assert found["counts"]["errors"] == 0
    assert found["counts"]["generations"] == 4
    assert found["counts"]["likelihoods"] == 3 * 2  # siblings stay together
    assert found["model"]["likelihood_definition"].startswith("Server (prompt_logprobs)")
    (hiring,) = (one for one in found["findings"] if one["check"] == "hiring-gender")
    assert "log-probabilities" not in hiring["reason"]


@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_password_in_the_address_is_refused_before_anything_is_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://user:{SECRET}@127.0.0.1:9/v1"
    words = audit_words(tmp_path, "toy", address)
    if where == "environment":
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        place = words.index("--base-url")
        words = [*words[:place], *words[place + 2 :]]
    done = call(words)
    assert done.exit_code == 2
    assert "LLMAUDIT_API_KEY" in done.stderr
    assert SECRET not in done.output
    assert not (tmp_path / "run").exists()


def test_a_server_that_goes_is_gone_on_with_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FakeServer(ABLE) as server:
        words = audit_words(tmp_path, "toy", server.url)
        whole = call([*words, "--out", str(tmp_path / "whole")])
        assert whole.exit_code in {0, 1, 3}, whole.output
        asked = len(server.seen)
        # After the first answers everything is refused: requests, and the question who is there.
        server.refuse_from = asked + server.surveyed + 2
        stopped = call(words)
        assert stopped.exit_code == 4
        assert "goes on from there" in stopped.stderr
        server.refuse_from = None
        resumed = call(words)
        assert resumed.exit_code == whole.exit_code
    assert SECRET not in everything_in(tmp_path) + stopped.output + resumed.output
    whole_counts = json.loads((tmp_path / "whole" / "results.json").read_text())["counts"]
    assert results(tmp_path)["counts"] == whole_counts
    assert whole_counts["errors"] == 0


#: A job that a script runs in the background ignores Ctrl-C, and so would its children.
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from llmaudit.cli import main
main()
"""


def test_ctrl_c_stops_a_run_whose_server_is_silent(tmp_path: Path) -> None:
    with FakeServer(ABLE) as server:
        words = audit_words(tmp_path, "toy", server.url)
        server.silent_from = server.surveyed + 1
        with subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            deadline = time.monotonic() + 120
            while len(server.seen) < server.surveyed + 2:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                threading.Event().wait(0.02)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "llmaudit: stopped" in said
    assert "Traceback" not in said
