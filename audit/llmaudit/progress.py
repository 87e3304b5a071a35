"""How a run tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of stages and of every result within them."""

    def note(self, text: str) -> None:
        """Something happened that is worth one line."""

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """A stage with ``total`` results begins; ``done`` of them are in the store already."""

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """Results of the stage arrived; ``tokens`` were generated for them."""

    def end(self) -> None:
        """The stage is over."""


class Silence:
    """Listens to nothing."""

    def note(self, text: str) -> None:
        """Ignore a line."""

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Ignore a stage's start."""

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """Ignore results."""

    def end(self) -> None:
        """Ignore a stage's end."""
