"""One personal identifier found in a text, and what makes one an example rather than a leak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identifier:
    """A valid identifier in a text.

    Attributes
    ----------
    kind : str
        ``email``, ``phone``, ``card``, ``iban``, ``national_id``, ``ip`` or ``secret``.
    start, end : int
        Where it stands in the folded text.
    key : str
        Its one spelling, by which the same value is known again.
    example : bool
        Whether it is reserved for documentation, or known to all as a test value.
    """

    kind: str
    start: int
    end: int
    key: str
    example: bool


def without_overlaps(found: Iterable[Identifier]) -> list[Identifier]:
    """Return the identifiers in order of place; of two that overlap, the one given first stays."""
    kept: list[Identifier] = []
    taken: set[int] = set()
    for one in found:
        places = range(one.start, one.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def digits_of(text: str) -> str:
    """Return the ASCII digits of a text.

    Examples
    --------
    >>> digits_of("4111-1111")
    '41111111'
    """
    return "".join(char for char in text if char in "0123456789")
