"""Rows through vLLM's engine: enough at once to keep it busy, each handed on when finished."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Generic, TypeVar

from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.serving import fail_row
from llmaudit.models.stepping import SampleRow

#: Sequences that vLLM computes at once, where the token budget allows as many.
MOST_SEQUENCES = 256
#: Requests handed to vLLM at once: as many again wait within it for a free place.
_WINDOW = 2 * MOST_SEQUENCES
#: So many requests failing one after another, each alone, mean that the engine is broken.
_MOST_FAILURES = 3

Row = TypeVar("Row", SampleRow, LikelihoodRow)
#: The tokens of a row's prompt, and the keyword arguments of its ``vllm.SamplingParams``.
Asked = tuple[tuple[int, ...], dict[str, Any]]


def run_rows(
    engine: Any, rows: Sequence[Row], ask: Callable[[Row], Asked]
) -> Iterator[tuple[Row, Any]]:
    """Put every row to the engine, and yield each when it is finished.

    When a step fails, its requests are tried again, half as many at a time, so that a request at
    fault comes to stand alone and the others go on.

    Parameters
    ----------
    engine : vllm.LLMEngine
        With nothing to do.
    rows : sequence
    ask : callable
        What to ask the engine for a row.

    Yields
    ------
    row, output
        The output is a ``vllm.RequestOutput``, or None where ``row.error`` says why there is none.

    Raises
    ------
    Exception
        What vLLM raised, when nothing can be computed any more.
    """
    work = _Work(engine, rows, ask)
    try:
        while work.waiting or work.flying:
            yield from ((row, None) for row in work.launch())
            if work.flying:
                yield from work.step()
        yield from work.settle()
    finally:
        work.recall()


class _Work(Generic[Row]):
    """Rows that wait, rows that the engine has, and rows that failed alone since it last worked."""

    def __init__(self, engine: Any, rows: Sequence[Row], ask: Callable[[Row], Asked]) -> None:
        self.waiting: deque[Row] = deque(rows)
        self.flying: dict[str, Row] = {}
        self._failed: list[Row] = []
        self._engine = engine
        self._ask: Callable[[Row], Asked] = ask
        self._window = _WINDOW
        self._numbers = count()

    def launch(self) -> Iterator[Row]:
        """Hand rows to the engine until it has enough; yield those that it refuses."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        while self.waiting and len(self.flying) < self._window:
            row, name = self.waiting.popleft(), f"llmaudit-{next(self._numbers)}"
            try:
                tokens, settings = self._ask(row)
                kind = RequestOutputKind.FINAL_ONLY
                parameters = SamplingParams(detokenize=False, output_kind=kind, **settings)
                self._engine.add_request(name, tokens_input(list(tokens)), parameters)
                self.flying[name] = row
            except Exception as error:
                yield fail_row(row, error)

    def step(self) -> Iterator[tuple[Row, Any]]:
        """Let the engine compute one step; yield what it finished."""
        try:
            outputs = self._engine.step()
        except Exception as error:
            self._retreat(error)
            return
        for output in outputs:
            if output.finished:
                yield from self.settle()
                self._window = min(_WINDOW, 2 * self._window)
                yield self.flying.pop(output.request_id), output

    def settle(self) -> Iterator[tuple[Row, None]]:
        """Yield the rows that failed alone: the fault was theirs, since the engine goes on."""
        while self._failed:
            yield self._failed.pop(0), None

    def recall(self) -> list[Row]:
        """Take back from the engine what it has not finished."""
        with suppress(Exception):  # a broken engine has nothing to give back
            self._engine.abort_request(list(self.flying))
        rows = list(self.flying.values())
        self.flying.clear()
        return rows

    def _retreat(self, error: Exception) -> None:
        """After a failed step, try fewer rows at once; one that fails alone is at fault."""
        tried = self.recall()
        if len(tried) > 1:
            self.waiting.extendleft(reversed(tried))
            self._window = len(tried) // 2
            return
        self._failed += [fail_row(row, error) for row in tried]
        if len(self._failed) >= _MOST_FAILURES:
            raise error
