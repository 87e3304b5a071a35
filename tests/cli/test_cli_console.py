"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing if quiet."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from llmaudit.cli import console as console_module
from llmaudit.cli.console import Listener
from llmaudit.cli.output import Output, describe_duration, open_console, print_table


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the progress display."""
    turned = Clock()
    monkeypatch.setattr(console_module, "time", turned)
    return turned


def console_of(*, terminal: bool, width: int = 100) -> tuple[Console, StringIO]:
    """Return a console that writes into a string."""
    out = StringIO()
    return Console(file=out, force_terminal=terminal, width=width, color_system=None), out


def test_plain_lines_come_every_fifteen_seconds(clock: Clock) -> None:
    console, out = console_of(terminal=False)
    with Listener(console=console) as listener:
        listener.note("loading a model")
        listener.begin("generations", 2_000, 500)
        for seconds in (10, 10, 5, 11):
            clock.now += seconds
            listener.advance(100, tokens=1_000)
        clock.now += 4
        listener.end()
    assert out.getvalue().splitlines() == [
        "loading a model",
        "generations: 500 of 2,000 are in the store already",
        # 200 results with 2,000 tokens in 20 seconds: 1,300 more at 10 a second.
        "generations: 700/2,000, 100 tokens/s, about 2 min left",
        # 400 with 4,000 tokens in 36 seconds: 1,100 more at 11.1 a second.
        "generations: 900/2,000, 111 tokens/s, about 99 s left",
        "generations: 900/2,000 in 40 s, 100 tokens/s",
    ]


def test_results_without_tokens_have_a_rate_of_their_own(clock: Clock) -> None:
    console, out = console_of(terminal=False)
    with Listener(console=console) as listener:
        listener.begin("scores", 30)
        clock.now += 20
        listener.advance(30)
        listener.end()
        listener.begin("report", 1)
        listener.end()
    assert out.getvalue().splitlines() == [
        "scores: 30/30, 1.5/s, about 0 s left",
        "scores: 30/30 in 20 s, 1.5/s",
        "report: 0 s",
    ]


def test_a_slow_model_is_not_said_to_stand_still(clock: Clock) -> None:
    console, out = console_of(terminal=False)
    with Listener(console=console) as listener:
        listener.begin("generations", 2)
        clock.now += 16
        listener.advance(1, tokens=8)
    assert out.getvalue() == "generations: 1/2, 0.5 tokens/s, about 16 s left\n"


def test_a_terminal_gets_a_bar(clock: Clock) -> None:
    console, out = console_of(terminal=True)
    with Listener(console=console) as listener:
        listener.begin("generations", 10, 2)
        clock.now += 2
        listener.advance(3, tokens=50)
        listener._bars.refresh()
        assert "5/10" in out.getvalue()
        assert "25 tokens/s" in out.getvalue()
        assert "generations: 5/10" not in out.getvalue()
        listener.end()
    assert "generations: 5/10 in 2 s, 25 tokens/s" in out.getvalue()


def test_quiet_shows_nothing() -> None:
    out = StringIO()
    with Listener(quiet=True, console=Console(file=out, force_terminal=True, quiet=True)) as one:
        one.note("a line")
        one.begin("generations", 10)
        one.advance()
        one.end()
    assert out.getvalue() == ""


def test_the_display_stops_when_something_breaks() -> None:
    console, _ = console_of(terminal=True)
    listener = Listener(console=console)
    with pytest.raises(ZeroDivisionError), listener:
        listener.begin("generations", 10)
        raise ZeroDivisionError
    assert not listener._bars.live.is_started


def test_what_is_told_cannot_steer_the_terminal() -> None:
    console, out = console_of(terminal=False, width=20)
    Listener(console=console).note("evil \x1b[31m [bold] " + "long " * 10)
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert "[bold]" in out.getvalue()


def test_durations() -> None:
    assert [describe_duration(s) for s in (0.4, 99, 100, 5_900, 20_000)] == [
        "0 s",
        "99 s",
        "2 min",
        "98 min",
        "6 h",
    ]


def test_where_nobody_watches_lines_are_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert open_console().width == 160
    print_table(["a", "number"], [["word " * 100, 1], [None, 22]], right=["number"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert [len(line.rstrip()) for line in lines] == [len(lines[0].rstrip())] * 3
    monkeypatch.setenv("COLUMNS", "70")
    assert open_console().width == 70


def test_a_reader_that_leaves_is_told_to_the_command_line() -> None:
    with pytest.raises(BrokenPipeError):
        Output(file=StringIO()).on_broken_pipe()
