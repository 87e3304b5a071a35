"""What a run's store says of its review: plans and labels as events, each sealed by the next.

Every event of a review holds the digest of the one before, and the report prints the last digest.
So labels can be replaced, by a later event that everybody sees, but not changed or taken away.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from llmaudit.errors import StoreError
from llmaudit.records import canonical_json
from llmaudit.review.planning import ReviewPlan, check_plan, read_plan
from llmaudit.review.questions import QUESTIONS

PLAN, LABELS = "review plan", "review labels"
KINDS = frozenset({PLAN, LABELS})
RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")


class Event(Protocol):
    """An event of a store, as far as it matters here."""

    @property
    def kind(self) -> str:
        """What kind of event it is."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """What it holds."""
        ...


@dataclass(frozen=True, slots=True)
class RaterLabels:
    """What one rater said, from one import.

    ``passed_over`` are items without a label that came before labelled ones. ``settles`` says that
    these labels end disagreements of others. ``files`` are names and SHA-256 of what was read.
    """

    plan: str
    rater: str
    settles: bool
    labels: Mapping[str, str]
    notes: Mapping[str, str]
    passed_over: tuple[str, ...]
    files: Mapping[str, str]

    def event(self, previous: str) -> dict[str, Any]:
        """Return it as the data of an event that follows another."""
        return {**asdict(self), "previous": previous}


@dataclass(frozen=True, slots=True)
class History:
    """The review of a run: its last plan, and each rater's last labels under it.

    ``plans`` counts all plans, ``replaced`` the imports that later ones replaced. ``last`` is the
    digest of the last event.
    """

    plan: ReviewPlan | None = None
    plans: int = 0
    raters: Mapping[str, RaterLabels] = field(default_factory=dict)
    replaced: int = 0
    last: str = ""


def plan_event(plan: ReviewPlan, previous: str) -> dict[str, Any]:
    """Return a plan as the data of an event that follows another."""
    return {"plan": asdict(plan), "digest": plan.digest, "previous": previous}


def digest_of(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an event's data."""
    return hashlib.sha256(canonical_json(data).encode("utf-8", "surrogatepass")).hexdigest()


def read_history(events: Iterable[Event], run: str, answers: Collection[str]) -> History:
    """Return the review that a store holds, every part of it checked.

    Parameters
    ----------
    events : iterable of Event
        In the order in which they happened; other kinds are passed over.
    run : str
        The run's id.
    answers : collection of str
        The request ids of its generations.

    Raises
    ------
    StoreError
        If an event was changed or taken away, or a plan is not what its seed draws.
    """
    history = History()
    for event in events:
        if event.kind not in KINDS:
            continue
        if event.data.get("previous") != history.last:
            raise StoreError("the stored review was changed: an event does not follow the last.")
        if event.kind == PLAN:
            plan = read_plan(event.data)
            check_plan(plan, run, answers)
            raters: dict[str, RaterLabels] = {}
            counts = history.plans + 1, history.replaced
        else:
            found = _read_labels(event.data, history.plan)
            raters = {**history.raters, found.rater: found}
            plan = history.plan  # type: ignore[assignment]
            counts = history.plans, history.replaced + (found.rater in history.raters)
        history = History(plan, counts[0], raters, counts[1], digest_of(event.data))
    return history


def _read_labels(data: Mapping[str, Any], plan: ReviewPlan | None) -> RaterLabels:
    try:
        found = RaterLabels(
            plan=str(data["plan"]),
            rater=str(data["rater"]),
            settles=data["settles"] is True,
            labels={str(key): str(value) for key, value in data["labels"].items()},
            notes={str(key): str(value) for key, value in data["notes"].items()},
            passed_over=tuple(str(one) for one in data["passed_over"]),
            files={str(key): str(value) for key, value in data["files"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the store holds review labels that are none: {error!r}") from error
    if plan is None or found.plan != plan.digest:
        raise StoreError("the store holds review labels of no plan, or of another one.")
    items = plan.items()
    unknown = ({*found.labels, *found.passed_over, *found.notes} - set(items)) | {
        item for item, label in found.labels.items() if label not in _labels_of(items, item)
    }
    if unknown or not RATER.fullmatch(found.rater):
        raise StoreError(f"the stored labels of rater {found.rater!r:.60} are not of their plan.")
    return found


def _labels_of(items: Mapping[str, tuple[str, str]], item: str) -> Collection[str]:
    return QUESTIONS[items[item][0]].labels if item in items else ()
