"""From files that raters filled in to labels fit to be stored, or to all that is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaudit.errors import FileProblem, InvalidFileError, UsageError
from llmaudit.review.history import RATER, RaterLabels
from llmaudit.review.planning import ReviewPlan
from llmaudit.review.sheets import Sheet, SheetReader, Shown


@dataclass(frozen=True, slots=True)
class _Read:
    path: Path
    sheet: Sheet


def read_labels(
    plan: ReviewPlan,
    items: Mapping[str, Shown],
    paths: Sequence[Path],
    rater: str | None,
    *,
    settles: bool,
) -> list[RaterLabels]:
    """Read files of labels; nothing is returned unless all of them are without fault.

    Parameters
    ----------
    plan : ReviewPlan
    items : mapping of str to Shown
        What the plan's items look like to raters.
    paths : sequence of Path
    rater : str or None
        Whose labels all files hold; by default each is of the rater that its name names.
    settles : bool
        Whether these labels end disagreements.

    Raises
    ------
    InvalidFileError
        With every fault of every file.
    UsageError
        If two files are of one rater by their names, or a name cannot be a rater's.
    """
    reader = SheetReader(items)
    read = [_Read(path, reader.read(path)) for path in paths]
    by_rater: dict[str, list[_Read]] = {}
    for one in read:
        by_rater.setdefault(one.path.stem if rater is None else rater, []).append(one)
    for name, files in by_rater.items():
        if not RATER.fullmatch(name):
            raise UsageError(
                f"{name!r:.60} cannot be a rater's name: letters, digits, space, dot, - and _ "
                "can, 40 at most. Give one with --rater."
            )
        if rater is None and len(files) > 1:
            raise UsageError(f"two files are of rater {name!r} by their names; give --rater.")
        reader.problems.extend(_twice(files))
    if reader.problems:
        raise InvalidFileError(reader.problems)
    return [_labels(plan, name, files, settles=settles) for name, files in by_rater.items()]


def _twice(files: Sequence[_Read]) -> Iterable[FileProblem]:
    """Yield a problem for every item that several files of one rater label."""
    first: dict[str, str] = {}
    for one in files:
        for item in one.sheet.labels:
            if item in first:
                said = f"item {item} is labelled in {first[item]} already"
                remedy = "one rater labels an item once"
                yield FileProblem(one.path.name, None, "item", said, remedy)
            first.setdefault(item, one.path.name)


def _labels(plan: ReviewPlan, rater: str, files: Sequence[_Read], *, settles: bool) -> RaterLabels:
    labels = {item: label for one in files for item, label in one.sheet.labels.items()}
    order = [item for one in files for item in one.sheet.order]
    return RaterLabels(
        plan=plan.digest,
        rater=rater,
        settles=settles,
        labels=dict(sorted(labels.items())),
        notes=dict(sorted((k, v) for one in files for k, v in one.sheet.notes.items())),
        passed_over=() if settles else passed_over(plan, order, labels),
        files={one.path.name: _sha256(one.path) for one in files},
    )


def passed_over(
    plan: ReviewPlan, order: Sequence[str], labels: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the items without a label that their rater came past.

    What comes after the last labelled item of its construct, in an order that the plan drew, was
    not reached, and chance decided that. In a file with another order nobody knows what decided, so
    all other items of the constructs that were begun count as passed over.

    Parameters
    ----------
    plan : ReviewPlan
    order : sequence of str
        The items as the file has them.
    labels : mapping of str to str
    """
    constructs = {item: construct for item, (construct, _) in plan.items().items()}
    drawn = any(list(order) == plan.order(rater) for rater in range(1, plan.raters + 1))
    if not drawn:
        begun = {constructs[item] for item in labels}
        left = set(constructs) - set(labels)
        return tuple(sorted(item for item in left if constructs[item] in begun))
    found: list[str] = []
    waiting: dict[str, list[str]] = {}
    for item in order:
        if item in labels:
            found += waiting.pop(constructs[item], [])
        else:
            waiting.setdefault(constructs[item], []).append(item)
    return tuple(sorted(found))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
