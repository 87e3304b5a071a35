"""Many requests at once behind an ordinary iterator, and the end of a run whose server is gone."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_FEWEST_IN_A_ROW = 8


@dataclass(frozen=True, slots=True)
class Ended:
    """The last thing that a stream gives: how it ended."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Workload(Generic[Job, Result]):
    """What to ask, and how.

    Attributes
    ----------
    jobs : iterable
    ask : callable
        Gives a job's results; what it raises ends the stream.
    failed : callable
        Says whether a result came to nothing because of the server.
    check : callable
        Asks the server something that it has answered before; raises where it does not.
    concurrency : int
        Jobs at once.
    """

    jobs: Iterable[Job]
    ask: Callable[[Job], Awaitable[list[Result]]]
    failed: Callable[[Result], bool]
    check: Callable[[], Awaitable[None]]
    concurrency: int


async def ask_all(work: Workload[Job, Result]) -> AsyncGenerator[Result, None]:
    """Yield the results of all jobs as they come.

    Failures are held back until something succeeds or until the server, asked by ``check``, turns
    out to be there: only then are they the fault of their requests. That is asked when as many
    have failed in a row as run at once (at least eight), and at the end. A server that is gone so
    ends the run, and what was held back has no record: it is asked again when the run goes on.
    """
    held: list[Result] = []
    async with aclosing(_as_finished(work)) as results:
        async for result in results:
            held.append(result)
            if work.failed(result):
                if len(held) < max(work.concurrency, _FEWEST_IN_A_ROW):
                    continue
                await work.check()
            for one in held:
                yield one
            held.clear()
    if held:
        await work.check()
    for one in held:
        yield one


async def _as_finished(work: Workload[Job, Result]) -> AsyncGenerator[Result, None]:
    """Yield the results of all jobs as they come, so many jobs at once as are allowed."""
    waiting = iter(work.jobs)
    running: list[asyncio.Future[list[Result]]] = []
    try:
        while True:
            places = work.concurrency - len(running)
            running += [
                asyncio.ensure_future(work.ask(job)) for job in itertools.islice(waiting, places)
            ]
            if not running:
                return
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task in finished]:
                running.remove(task)
                for result in task.result():
                    yield result
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def stream(make: Callable[[], AsyncGenerator[Result, None]], *, ahead: int) -> Iterator[Result]:
    """Yield what an asynchronous generator yields, which runs on a thread of its own.

    When the caller stops, or is stopped by Ctrl-C, every request in flight is cancelled and the
    thread is gone before control returns. A caller that only pauses makes it pause too.

    Parameters
    ----------
    make : callable
        Called on the thread; gives the generator.
    ahead : int
        How many results may wait for the caller.
    """
    results: queue.SimpleQueue[Result | Ended] = queue.SimpleQueue()
    begun: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]]
    begun = queue.SimpleQueue()
    places = asyncio.Semaphore(ahead)

    async def pump() -> None:
        task = asyncio.current_task()
        if task is not None:
            begun.put((asyncio.get_running_loop(), task))
        async with aclosing(make()) as items:
            async for item in items:
                await places.acquire()
                results.put(item)

    def work() -> None:
        try:
            asyncio.run(pump())
        except BaseException as error:
            results.put(Ended(error))
        else:
            results.put(Ended(None))

    thread = threading.Thread(target=work, name="llmaudit-server", daemon=True)
    thread.start()
    loop, task = begun.get()

    def tell(what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop may be closed already
            loop.call_soon_threadsafe(what)

    try:
        while not isinstance(item := results.get(), Ended):
            tell(places.release)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        tell(task.cancel)
        thread.join()
