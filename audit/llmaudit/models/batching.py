"""Cutting requests into batches: by length, within a token budget, the same way every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Logits held at once, in numbers: batches stay below this many positions x vocabulary.
LOGIT_BUDGET = 2**27

#: The first batch has one part in so many of the budget.
_FIRST_PART = 32
#: How many budgets of work there must be for that.
_MANY = 3
#: What is left over joins the last batch if it is at most one part in so many of the budget.
_REST_PART = 8


def token_budget_batches(
    items: Iterable[Item],
    *,
    length: Callable[[Item], int],
    budget: int,
    order: Callable[[Item], tuple[object, ...]],
) -> Iterator[list[Item]]:
    """Yield batches whose padded size (rows x longest row) stays within about ``budget``.

    The longest items come first, so that memory runs out early or not at all. Where there is work
    for many batches the first is a small one, so that the first results do not wait for the
    reading of a large one. A small rest joins the last batch, which may then be one part in
    ``_REST_PART`` too large. The plan depends on the items alone: a resumed run that plans over
    the same items gets the same batches.

    Parameters
    ----------
    items : iterable
    length : callable
        Tokens that one item takes up, padding apart.
    budget : int
        Tokens per batch; an item longer than this gets a batch of its own.
    order : callable
        Breaks ties between items of equal length.
    """
    batch: list[Item] = []
    ordered = sorted(items, key=lambda item: (-length(item), *order(item)))
    many = sum(map(length, ordered)) > _MANY * budget
    room = budget // _FIRST_PART if many else budget
    for index, item in enumerate(ordered):
        if batch:
            longest, rest = length(batch[0]), len(ordered) - index
            if longest * (len(batch) + 1) > room and longest * rest > room // _REST_PART:
                yield batch
                batch, room = [], budget
        batch.append(item)
    if batch:
        yield batch


def run_isolating_failures(
    batch: Sequence[Item],
    compute: Callable[[Sequence[Item]], list[Result]],
    failed: Callable[[Item, Exception], Result],
) -> list[Result]:
    """Compute a batch; when it fails, halve it until the items at fault stand alone.

    Out of memory and a fault in one row are met the same way: smaller batches go on, and only an
    item that fails by itself becomes a recorded failure.

    Parameters
    ----------
    batch : sequence
    compute : callable
        Results of a batch, any number per item.
    failed : callable
        The recorded failure of one item that could not be computed alone.
    """
    try:
        return compute(batch)
    except Exception as error:
        if len(batch) == 1:
            return [failed(batch[0], error)]
    _release_memory()
    half = len(batch) // 2
    first = run_isolating_failures(batch[:half], compute, failed)
    return first + run_isolating_failures(batch[half:], compute, failed)


def _release_memory() -> None:
    """Give cached accelerator memory back after a failed batch."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
