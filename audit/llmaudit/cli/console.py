"""Live progress on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from llmaudit.cli.output import Output, describe_duration
from llmaudit.report.escaping import terminal_safe

#: Seconds between two lines where there is no terminal.
_LINE_EVERY = 15.0


class Listener:
    """Shows stages and results as they come; a context manager.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.
    console : rich.console.Console, optional
        Where to write; standard error by default.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Output(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._stage, self._total, self._done = "", 0, 0
        self._tokens, self._started, self._said, self._fresh = 0, 0.0, 0.0, 0

    def __enter__(self) -> Self:
        """Start the display."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the display, whatever happened."""
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print one line."""
        line = Text(terminal_safe(text, one_line=True))
        # Only a terminal's bar needs lines that are broken; a log keeps them whole.
        self._console.print(line, highlight=False, soft_wrap=not self._live)

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Begin a stage."""
        self._stage, self._total, self._done = stage, total, done
        self._tokens, self._fresh = 0, 0
        self._started = self._said = time.monotonic()
        if self._live:
            self._task = self._bars.add_task(stage, total=total, completed=done, speed="")
        elif done:
            self.note(f"{stage}: {done:,} of {total:,} are in the store already")

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """Count results."""
        self._done += count
        self._fresh += count
        self._tokens += tokens
        if self._task is not None:
            self._bars.update(self._task, completed=self._done, speed=self._speed())
        elif time.monotonic() - self._said > _LINE_EVERY:
            self._said = time.monotonic()
            self.note(f"{self._stage}: {self._progress()}")

    def end(self) -> None:
        """End the stage with one line of what it came to."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        seconds = time.monotonic() - self._started
        rate = f", {self._speed()}" if self._speed() else ""
        # A stage of one piece has nothing to count.
        counts = f"{self._done:,}/{self._total:,} in " if self._total != 1 else ""
        self.note(f"{self._stage}: {counts}{describe_duration(seconds)}{rate}")

    def _speed(self) -> str:
        seconds = time.monotonic() - self._started
        if not self._fresh or seconds <= 0:
            return ""
        if self._tokens:
            rate = self._tokens / seconds
            return f"{rate:,.0f} tokens/s" if rate >= 10 else f"{rate:.1f} tokens/s"
        return f"{self._fresh / seconds:,.1f}/s"

    def _progress(self) -> str:
        seconds = time.monotonic() - self._started
        left = seconds / max(self._fresh, 1) * (self._total - self._done)
        counts = f"{self._done:,}/{self._total:,}"
        return f"{counts}, {self._speed()}, about {describe_duration(left)} left"
