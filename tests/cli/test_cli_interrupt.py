"""Ctrl-C and faults of the program itself: code 4, a message, and a run that goes on afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from cli_cases import REFUSES, call, model_text, run_words
from click.testing import CliRunner

from llmaudit.cli.groups import MainGroup
from llmaudit.store import RunStore

#: Answers five requests, says so in a file, and then takes a minute for each.
SLOW_MODEL = """
    import signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    from pathlib import Path
    from llmaudit.cli import main
    from llmaudit.models.scripted import ScriptedModel

    answer = ScriptedModel._answer
    count = 0

    def slowly(self, request):
        global count
        count += 1
        if count > 5:
            Path({marker!r}).touch()
            time.sleep(60)
        return answer(self, request)

    ScriptedModel._answer = slowly
    main()
"""


def wait_for(marker: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the process has made a file, or fail when it ends without."""
    import time

    deadline = time.monotonic() + 120
    while not marker.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path, presses: int) -> None:
    words = run_words(tmp_path, model_text(REFUSES))
    marker = tmp_path / "marker"
    code = textwrap.dedent(SLOW_MODEL).format(marker=str(marker))
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(marker, process)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "llmaudit: stopped" in said
    assert "Traceback" not in said
    if presses == 1:
        assert "The same command goes on" in said
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        assert len(list(store.generations())) == 5
    assert not (tmp_path / "run" / "manifest.json").exists()
    resumed = call(*words)
    assert resumed.exit_code == 0, resumed.output
    assert "5 of 84 are in the store already" in resumed.stderr
    assert "generations: 84/84" in resumed.stderr


def ending_with(error: BaseException) -> click.Group:
    """Return a program whose one command ends with ``error``."""

    @click.group(cls=MainGroup)
    def program() -> None:
        """Do nothing."""

    @program.command()
    def end() -> None:
        """End."""
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "llmaudit: stopped."),
        (click.Abort(), "llmaudit: stopped."),
        (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (BrokenPipeError(), ""),
    ],
)
def test_no_end_but_a_verdict_has_code_1(error: BaseException, said: str) -> None:
    result = CliRunner().invoke(ending_with(error), ["end"])
    assert result.exit_code == 4
    assert said in result.stderr


def test_a_fault_of_the_program_shows_where_it_is() -> None:
    result = CliRunner().invoke(ending_with(ZeroDivisionError("a bug")), ["end"])
    assert "Traceback" in result.stderr
    assert "a fault of llmaudit itself" in result.stderr


def test_clicks_own_ways_to_end_stay_its_own() -> None:
    assert CliRunner().invoke(ending_with(click.exceptions.Exit(0)), ["end"]).exit_code == 0
    assert CliRunner().invoke(ending_with(click.UsageError("no")), ["end"]).exit_code == 2
