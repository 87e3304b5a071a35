"""Cutting likelihood rows into batches that have long prefixes in common and little padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.prefixes import PASS_COST, common_length, worthwhile_prefix


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one batch may hold: tokens (rows x longest row), and positions read at the head."""

    tokens: int
    reads: int


@dataclass(eq=False, slots=True)
class _Sequence:
    """Rows that read the same tokens; ``first`` is the first position that any of them reads."""

    ids: tuple[int, ...]
    first: int
    rows: list[LikelihoodRow] = field(default_factory=list)
    reads: int = 0


def group_rows(rows: Sequence[LikelihoodRow], limits: BatchLimits) -> list[list[LikelihoodRow]]:
    """Cut rows into batches at the least cost, the longest first.

    Two orders are tried: by length, where padding is least, and by tokens, where neighbours share
    the longest prefixes. Each is cut at the best places, and the cheaper plan is taken. It depends
    on the rows alone, so a resumed run plans the same batches. A row beyond the limits gets a
    batch of its own.
    """
    by_ids: dict[tuple[int, ...], _Sequence] = {}
    for row in sorted(rows, key=lambda row: (row.input_ids, row.request.id)):
        first = len(row.context_ids) - 1
        sequence = by_ids.setdefault(row.input_ids, _Sequence(row.input_ids, first))
        sequence.first = min(sequence.first, first)
        sequence.rows.append(row)
        sequence.reads += len(row.continuation_ids)
    orders: tuple[Callable[[_Sequence], Any], ...] = (
        lambda sequence: (-len(sequence.ids), sequence.ids),
        lambda sequence: sequence.ids,
    )
    plans = [_cut(sorted(by_ids.values(), key=order), limits) for order in orders]
    _, batches = min(plans, key=lambda plan: plan[0])
    batches.sort(key=lambda batch: -len(batch) * max(len(sequence.ids) for sequence in batch))
    return [[row for sequence in batch for row in sequence.rows] for batch in batches]


def _cut(ordered: Sequence[_Sequence], limits: BatchLimits) -> tuple[int, list[list[_Sequence]]]:
    """Return the least cost of cutting an ordered list into runs, and the runs."""
    alike = [0, *(common_length((a.ids, b.ids)) for a, b in pairwise(ordered))]
    best, start = [0], [0]
    for end in range(1, len(ordered) + 1):
        options = _costs(ordered, alike, end, limits)
        cost, begin = min((best[begin] + cost, begin) for begin, cost in options)
        best.append(cost)
        start.append(begin)
    runs, end = [], len(ordered)
    while end:
        runs.append(list(ordered[start[end] : end]))
        end = start[end]
    return best[-1], runs


def _costs(
    ordered: Sequence[_Sequence], alike: Sequence[int], end: int, limits: BatchLimits
) -> list[tuple[int, int]]:
    """Return (begin, cost in positions) of every batch within the limits that stops at ``end``."""
    common = shortest = longest = len(ordered[end - 1].ids)
    first, reads = ordered[end - 1].first, 0
    options: list[tuple[int, int]] = []
    for begin in range(end - 1, -1, -1):
        one, rows = ordered[begin], end - begin
        length = len(one.ids)
        longest, shortest = max(longest, length), min(shortest, length)
        first, reads = min(first, one.first), reads + one.reads
        if rows > 1:
            common = min(common, alike[begin + 1])
            if rows * longest > limits.tokens or reads > limits.reads:
                break
        shared = worthwhile_prefix(min(common, first), shortest, rows)
        passes = 2 if shared else 1
        options.append((begin, shared + rows * (longest - shared) + passes * PASS_COST))
    return options
