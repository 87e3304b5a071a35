"""How a run tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of stages and of every result within them."""

    def note(self, text: str) -> None:
        """Take one line that is worth reading."""

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """Begin a stage of ``total`` results, ``done`` of which are in the store already."""

    def advance(self, count: int = 1, tokens: int = 0) -> None:
        """Count results that arrived, and the tokens that were generated for them."""

    def end(self) -> None:
        """End the stage."""


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
