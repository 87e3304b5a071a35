"""What the sessions of a run were told about its policy, a day and a lock, and what they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from llmaudit.errors import UsageError
from llmaudit.findings import Timing
from llmaudit.review.history import KINDS as REVIEW_KINDS
from llmaudit.store import Event


@dataclass(frozen=True, slots=True)
class SessionLock:
    """The lock that a session was held to.

    Attributes
    ----------
    digest : str
        The lock's own.
    policy : str
        That of the policy it locks.
    scorers : mapping of str to str
        Name to digest of the scorers it locks.
    """

    digest: str
    policy: str
    scorers: Mapping[str, str]

    def covers(self, policy: str, scorers: Mapping[str, str]) -> bool:
        """Say whether a policy and the scorers used, by their digests, are those of the lock.

        A report can be made under another policy later, and scorers can be added.
        """
        locked = (self.scorers.get(name) == digest for name, digest in scorers.items())
        return policy == self.policy and all(locked)


def judged_on(events: Iterable[Event]) -> date:
    """Return the day on which the waivers of the run's own policy had to be in force.

    It is the day on which the last session began. Runs that are older than waivers are judged on
    the day of that session's event.

    Raises
    ------
    ValueError
        If the store names no day.
    """
    session = [event for event in events if event.kind == "session"][-1]
    return date.fromisoformat(str(session.data.get("judged_on", session.time[:10])))


def find_lock(events: Iterable[Event]) -> SessionLock | None:
    """Return the lock that every session of a run was held to; None where any was not.

    Raises
    ------
    KeyError, TypeError
        If the store holds what no run writes.
    """
    locks = [_read_lock(event.data) for event in events if event.kind == "session"]
    return locks[0] if locks and all(one == locks[0] for one in locks) else None


def _read_lock(session: Mapping[str, Any]) -> SessionLock | None:
    stored = session.get("lock")
    if stored is None:
        return None
    return SessionLock(str(stored["digest"]), str(stored["policy"]), dict(stored["scorers"]))


def refuse_begun_without(lock: SessionLock, events: Iterable[Event], where: Path) -> None:
    """Refuse to go on under a lock with a run that was begun without it.

    Its results may have been seen before the thresholds were fixed.

    Raises
    ------
    UsageError
        If an earlier session was held to no lock or to another one.
    """
    sessions = [event for event in events if event.kind == "session"]
    if sessions and find_lock(sessions) != lock:
        raise UsageError(
            f"the run in {where} was begun without this lock, so its thresholds may have been "
            f"chosen after seeing results. Use another --out, or --fresh to start over there."
        )


def read_timing(events: Sequence[Event]) -> Timing:
    """Add up what the sessions took; a review that came later is no part of the run."""
    stages: Counter[str] = Counter()
    peak = 0
    for event in events:
        if event.kind == "stage":
            stages[str(event.data["stage"])] += float(event.data["seconds"])  # type: ignore[assignment]
            peak = max(peak, int(event.data["peak_memory_bytes"]))
    sessions = sum(event.kind == "session" for event in events)
    return Timing(
        started=events[0].time,
        finished=[event.time for event in events if event.kind not in REVIEW_KINDS][-1],
        seconds=sum(stages.values()),
        stage_seconds=dict(stages),
        peak_memory_bytes=peak or None,
        sessions=sessions,
        judged_on=judged_on(events).isoformat(),
    )
