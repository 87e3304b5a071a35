"""Results of a background event loop behind an iterator: order, pauses, ends and failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence

import pytest

from llmaudit.models.openai_streaming import Workload, ask_all, stream


def no_thread_left() -> bool:
    """Say whether every thread that asks servers is gone."""
    return all(one.name != "llmaudit-server" for one in threading.enumerate())


def test_everything_comes_in_order_and_the_thread_goes() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(50):
            yield number

    assert list(stream(numbers, ahead=3)) == list(range(50))
    assert no_thread_left()


def test_it_works_within_a_running_event_loop() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        yield 7

    async def as_in_a_notebook() -> list[int]:
        return list(stream(numbers, ahead=1))

    assert asyncio.run(as_in_a_notebook()) == [7]


def test_a_caller_that_pauses_makes_it_pause() -> None:
    made: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def numbers() -> AsyncGenerator[int, None]:
        loops.append(asyncio.get_running_loop())
        for number in range(1_000):
            made.append(number)
            yield number

    async def turn_often() -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    results = stream(numbers, ahead=3)
    assert next(results) == 0
    asyncio.run_coroutine_threadsafe(turn_often(), loops[0]).result()
    assert len(made) == 1 + 3 + 1  # taken, waiting, and one that waits for a place
    results.close()  # type: ignore[attr-defined]
    assert no_thread_left()


def test_an_error_comes_after_the_results_before_it() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError("a bug")

    results = stream(numbers, ahead=3)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError, match="a bug"):
        next(results)
    assert no_thread_left()


def test_stopping_cancels_what_waits_for_ever() -> None:
    cancelled = threading.Event()

    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    results = stream(numbers, ahead=3)
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]
    assert cancelled.is_set()
    assert no_thread_left()


class Gone(Exception):  # noqa: N818 - what a check raises
    """The server is gone."""


def run_all(
    outcomes: Sequence[bool], *, there: Sequence[bool], concurrency: int = 1
) -> tuple[list[int], int]:
    """Ask for all outcomes (True: a success); return what came, and how often was checked."""
    answers = iter(there)
    checks, found = 0, []

    async def ask(job: int) -> list[int]:
        return [job]

    async def check() -> None:
        nonlocal checks
        checks += 1
        if not next(answers):
            raise Gone

    work = Workload(range(len(outcomes)), ask, lambda job: not outcomes[job], check, concurrency)

    async def collect() -> None:
        async for result in ask_all(work):
            found.append(result)  # noqa: PERF401 - what came before an error counts

    try:
        asyncio.run(collect())
    except Gone:
        found.append(-1)
    return found, checks


@pytest.mark.parametrize(
    ("outcomes", "there", "came", "checks"),
    [
        ([True] * 3, [], [0, 1, 2], 0),
        ([False] * 7 + [True], [], list(range(8)), 0),
        ([True, False], [True], [0, 1], 1),
        ([True, False], [False], [0, -1], 1),
        ([False] * 8, [True], list(range(8)), 1),
        ([False] * 9, [True, True], list(range(9)), 2),
        ([False] * 9, [True, False], [*range(8), -1], 2),
        ([False] * 20, [False], [-1], 1),
        ([True] + [False] * 20, [False], [0, -1], 1),
    ],
)
def test_failures_in_a_row_are_held_back_until_the_server_is_known_to_be_there(
    outcomes: list[bool], there: list[bool], came: list[int], checks: int
) -> None:
    assert run_all(outcomes, there=there) == (came, checks)


def test_more_at_once_are_more_in_a_row() -> None:
    assert run_all([False] * 10 + [True], there=[], concurrency=12)[1] == 0
    found, checks = run_all([False] * 24, there=[True, True], concurrency=12)
    assert sorted(found) == list(range(24))
    assert checks == 2
