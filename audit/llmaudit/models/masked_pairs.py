"""What two sentences have in common, token by token."""

from __future__ import annotations

from collections.abc import Sequence

Positions = tuple[int, ...]


def shared_positions(first: Sequence[int], second: Sequence[int]) -> tuple[Positions, Positions]:
    """Return where the longest common subsequence of two token sequences lies in each.

    Exchanging the two sequences exchanges the results: where several subsequences are equally
    long, which one is taken does not depend on the order of the arguments.

    Examples
    --------
    >>> shared_positions([1, 2, 3], [1, 4, 5, 3])
    ((0, 2), (0, 3))
    """
    if list(first) > list(second):
        theirs, ours = shared_positions(second, first)
        return ours, theirs
    start = _common_start(first, second)
    end = _common_start(first[start:][::-1], second[start:][::-1])
    a, b = first[start : len(first) - end], second[start : len(second) - end]
    pairs = [(at, at) for at in range(start)]
    pairs += [(start + i, start + j) for i, j in _align(a, b)]
    pairs += [(len(first) - at, len(second) - at) for at in range(end, 0, -1)]
    return tuple(i for i, _ in pairs), tuple(j for _, j in pairs)


def _common_start(first: Sequence[int], second: Sequence[int]) -> int:
    for at, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return at
    return min(len(first), len(second))


def _align(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of positions of a longest common subsequence, by dynamic programming."""
    longest = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) - 1, -1, -1):
        for j in range(len(second) - 1, -1, -1):
            longest[i][j] = (
                longest[i + 1][j + 1] + 1
                if first[i] == second[j]
                else max(longest[i + 1][j], longest[i][j + 1])
            )
    pairs, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if first[i] == second[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
