"""Draws a sample by strata, so that every answer has a known chance of being labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def allocate(sizes: Sequence[int], urgency: Sequence[float], number: int) -> list[int]:
    """Return how many to draw of each stratum: at least one, and more where it is more urgent.

    What is left after one of each is shared out in proportion to size × urgency; a stratum that is
    full leaves its share to the others, and fractions go to the largest remainders.

    Parameters
    ----------
    sizes : sequence of int
        Each at least 1.
    urgency : sequence of float
        Each above 0.
    number : int
        At least as many as strata.

    Examples
    --------
    >>> allocate([100, 10, 1], [1.0, 10.0, 1.0], 20)
    [11, 8, 1]
    """
    drawn = [1] * len(sizes)
    if number >= sum(sizes):
        return list(sizes)
    pull = [size * need for size, need in zip(sizes, urgency, strict=True)]
    while (left := number - sum(drawn)) > 0:
        open_ones = [index for index, size in enumerate(sizes) if drawn[index] < size]
        total = sum(pull[index] for index in open_ones)
        exact = {index: left * pull[index] / total for index in open_ones}
        given = {index: math.floor(exact[index]) for index in open_ones}
        remainders = sorted(open_ones, key=lambda index: (given[index] - exact[index], index))
        for index in remainders[: left - sum(given.values())]:
            given[index] += 1
        for index in open_ones:
            drawn[index] = min(sizes[index], drawn[index] + given[index])
    return drawn


def rarity(size: int, whole: int) -> float:
    """Return how much more urgent a rare stratum is: the root of one over its share.

    Rare scores are where a classifier and people can differ by much, so the sample lies halfway
    between one in proportion and one of equal parts.
    """
    return math.sqrt(whole / size)


def draw(
    sizes: Sequence[int], drawn: Sequence[int], rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Return which members of each stratum are drawn, by position, each subset as likely as others.

    Parameters
    ----------
    sizes, drawn : sequences of int
        How many members each stratum has, and how many are drawn.
    rng : numpy.random.Generator
    """
    return [
        np.sort(rng.choice(size, number, replace=False))
        for size, number in zip(sizes, drawn, strict=True)
    ]
