"""What a run asks next: all of its plan at once, or in rounds until its checks are settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from llmaudit.asking import never_late
from llmaudit.budgets import generations_of, seconds_of
from llmaudit.gathering import play_stored, read_store
from llmaudit.looks import Cell, Design
from llmaudit.planning import Plan
from llmaudit.progress import Progress
from llmaudit.records import Task
from llmaudit.rounds import Played
from llmaudit.store import RunStore


@dataclass(frozen=True)
class Asking:
    """What has to be asked and scored now; ``late`` says when the time for it is over."""

    plan: Plan
    label: str = ""
    late: Callable[[], bool] = never_late


def sample_until_settled(
    store: RunStore, plan: Plan, budget: str | None, tell: Progress
) -> Iterator[Asking]:
    """Yield what to ask until nothing more is; each must be asked and scored before the next.

    Parameters
    ----------
    store : RunStore
    plan : Plan
        Without a design all of it is asked at once.
    budget : str or None
        How many generations or how much time the rounds after the first may take.
    tell : Progress
    """
    design = plan.design
    if design is None:
        yield Asking(plan)
        return
    yield Asking(plan.narrow({(cell, 1) for cell in design.cells()}), "round 1: ")
    purse, refused = _Purse(store, plan, design, budget), set[Cell]()
    while True:
        played = play_stored(read_store(store), plan.policy, refused)
        _record(store, played)
        if not played.wanted:
            tell.note(f"{_say_state(played)}; {_say_end(refused)}")
            return
        taken = purse.choose(played)
        refused |= set(played.wanted) - set(taken)
        if taken:
            tell.note(f"{_say_state(played)}; next: {_say_cells(taken)}")
            number = len(played.rounds) + 1
            portions = {(cell, played.reached[cell] + 1) for cell in taken}
            yield Asking(plan.narrow(portions), f"round {number}: ", purse.late())


class _Purse:
    """Decides which cells can be asked on within the budget."""

    def __init__(self, store: RunStore, plan: Plan, design: Design, budget: str | None) -> None:
        self._store, self._design = store, design
        self._tasks = {planned.facts.id: planned.facts.task for planned in plan.sets}
        self._generations, self._seconds = generations_of(budget), seconds_of(budget)

    def choose(self, played: Played) -> list[Cell]:
        """Return the wanted cells that can be paid for, in order; others are passed over."""
        if self._generations is not None:
            made = sum(part.generations for one in played.rounds for part in one.parts)
            return self._fill(played, self._generations - made, self._generations_of)
        if self._seconds is not None:
            each = self._spent() / max(1, len(self._store.done_request_ids()))
            left = self._seconds - self._spent()
            return self._fill(
                played, left, lambda cell, number: each * self._requests(cell, number)
            )
        return list(played.wanted)

    def late(self) -> Callable[[], bool]:
        """Return what says, from now on, whether the time is over."""
        if self._seconds is None:
            return never_late
        end = time.monotonic() + self._seconds - self._spent()
        return lambda: time.monotonic() > end

    def _fill(self, played: Played, left: float, cost: Callable[[Cell, int], float]) -> list[Cell]:
        taken = []
        for cell in played.wanted:
            price = cost(cell, played.reached[cell] + 1)
            if left > 0 and price <= left:
                taken.append(cell)
                left -= price
        return taken

    def _requests(self, cell: Cell, number: int) -> int:
        return self._design.requests(cell, number)

    def _generations_of(self, cell: Cell, number: int) -> float:
        generated = self._tasks[cell.probe_set] is Task.GENERATE
        return self._requests(cell, number) if generated else 0

    def _spent(self) -> float:
        """Return the seconds that all sessions of the run have asked and scored."""
        stages = (event.data for event in self._store.events() if event.kind == "stage")
        return sum(float(one["seconds"]) for one in stages if one["stage"] != "report")


def _record(store: RunStore, played: Played) -> None:
    """Store the rounds that are not stored yet."""
    known = {event.data["number"] for event in store.events() if event.kind == "round"}
    for one in played.rounds:
        if one.number not in known:
            store.add_event("round", asdict(one))


def _say_state(played: Played) -> str:
    """Return how many checks the rounds have settled and left open."""
    settled = sum(len(one.settled) for one in played.rounds)
    last = played.rounds[-1]
    given_up = {name for one in played.rounds for name in one.given_up}
    return (
        f"round {last.number} is done; checks settled: {settled}, open: {len(last.still_open)}, "
        f"given up: {len(given_up)}"
    )


def _say_cells(cells: Sequence[Cell]) -> str:
    axes: dict[str, list[str]] = {}
    for cell in cells:
        axes.setdefault(cell.probe_set, []).append(cell.axis)
    return ", ".join(
        f"{name} ({', '.join(found)})" if any(found) else name for name, found in axes.items()
    )


def _say_end(refused: set[Cell]) -> str:
    if refused:
        return f"the budget does not reach for {_say_cells(sorted(refused))}"
    return "nothing more is asked"
