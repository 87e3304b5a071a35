"""In what portions the probe sets of an adaptive run are asked, fixed before its first request.

A portion is a number of whole templates with all of their prompts. A look at a probe set is made
when a portion has been answered, and sees all portions up to it. Which templates a look sees
depends on the probe set alone and never on an answer, so every look is a fair sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmaudit.errors import StoreError
from llmaudit.records import Prompt
from llmaudit.stats import AT_ONCE, FEW_CLUSTERS, MOST_LOOKS, Spending, look_sizes, spend_linearly

NO_AXIS = ""
"""Stands for the axis of prompts that name no group."""


@dataclass(frozen=True)
class Look:
    """A look at a part of a probe set.

    ``templates`` are those that count at this look, None for all. ``spending`` is what judging by
    it may spend of a check's alpha, ``growth`` how many times as many templates the last look has.
    """

    number: int = 1
    templates: frozenset[str] | None = None
    spending: Spending = AT_ONCE
    growth: float = 1.0


WHOLE = Look()
"""The only look at a probe set that is asked at once."""


@dataclass(frozen=True, order=True)
class Cell:
    """The prompts of one axis of one probe set: what is asked on or left alone by itself."""

    probe_set: str
    axis: str


@dataclass(frozen=True)
class Portion:
    """What a look adds: its templates, and by axis how many prompts and requests they make."""

    templates: tuple[str, ...]
    prompts: Mapping[str, int]
    requests: Mapping[str, int]


@dataclass(frozen=True)
class Design:
    """The portions of every probe set, by its id; part of the identity of an adaptive run."""

    portions: Mapping[str, tuple[Portion, ...]]

    def plain(self) -> dict[str, Any]:
        """Return the design as JSON values."""
        return {name: [asdict(one) for one in portions] for name, portions in self.portions.items()}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Design:
        """Return the design that `plain` wrote down."""
        return cls(
            {
                name: tuple(
                    Portion(tuple(one["templates"]), one["prompts"], one["requests"])
                    for one in portions
                )
                for name, portions in plain.items()
            }
        )

    def cells(self) -> tuple[Cell, ...]:
        """Return every cell, in the suite's order."""
        return tuple(
            Cell(name, axis)
            for name, portions in self.portions.items()
            for axis in dict.fromkeys(axis for one in portions for axis in one.prompts)
        )

    def looks(self, probe_set: str) -> int:
        """Return how many looks there are at a probe set."""
        return len(self.portions[probe_set])

    def look(self, probe_set: str, number: int) -> Look:
        """Return one look at a probe set, the first being number 1."""
        portions = self.portions[probe_set]
        seen = [name for one in portions[:number] for name in one.templates]
        sizes = [
            sum(len(one.templates) for one in portions[:count])
            for count in range(1, len(portions) + 1)
        ]
        shares = spend_linearly(sizes)
        return Look(
            number,
            frozenset(seen) if number < len(portions) else None,
            Spending(shares[number - 1], shares[-1]),
            sizes[-1] / sizes[number - 1],
        )

    def prompts(self, cell: Cell, number: int) -> int:
        """Return how many prompts a portion adds to a cell."""
        return self.portions[cell.probe_set][number - 1].prompts.get(cell.axis, 0)

    def requests(self, cell: Cell, number: int) -> int:
        """Return how many requests a portion adds to a cell."""
        return self.portions[cell.probe_set][number - 1].requests.get(cell.axis, 0)

    def answered(self, prompts: Iterable[Prompt]) -> set[tuple[Cell, int]]:
        """Return the portions whose every request has its result.

        Parameters
        ----------
        prompts : iterable of Prompt
            That of each result.
        """
        number = self.portion_of()
        found = Counter((cell_of(one), number[one.probe_set, one.template_id]) for one in prompts)
        return {
            (cell, one)
            for cell in self.cells()
            for one in range(1, self.looks(cell.probe_set) + 1)
            if found[cell, one] >= self.requests(cell, one)
        }

    def portion_of(self) -> dict[tuple[str, str], int]:
        """Return, by probe set and template, the number of the portion that it is in."""
        return {
            (name, template): number
            for name, portions in self.portions.items()
            for number, one in enumerate(portions, start=1)
            for template in one.templates
        }


def read_design(identity: Mapping[str, Any]) -> Design | None:
    """Return the design in a run's identity; None for a run that was asked at once.

    Raises
    ------
    StoreError
        If what stands there is no design.
    """
    plain = identity.get("rounds")
    try:
        return None if plain is None else Design.read(plain)
    except (AttributeError, KeyError, TypeError) as error:
        raise StoreError(f"the store does not describe the run's rounds: {error!r}") from error


def cell_of(prompt: Prompt) -> Cell:
    """Return the cell that a prompt is in."""
    return Cell(prompt.probe_set, prompt.axis or NO_AXIS)


def divide_prompts(
    prompts: Sequence[Prompt], order: Sequence[str], requests: Mapping[str, int]
) -> tuple[Portion, ...]:
    """Divide a probe set's prompts into portions.

    The first portion has at least ten templates of every axis: with fewer clusters, intervals are
    too narrow for skewed data. A set that cannot be divided so is one portion.

    Parameters
    ----------
    prompts : sequence of Prompt
    order : sequence of str
        The templates, so that the first few cover the whole evenly.
    requests : mapping of prompt id to int
        How many requests each prompt makes.
    """
    sizes = next(
        sizes
        for most in range(MOST_LOOKS, 0, -1)
        if len(sizes := look_sizes(len(order), FEW_CLUSTERS, most)) == 1
        or _are_many(prompts, order[: sizes[0]])
    )
    starts = (0, *sizes[:-1])
    return tuple(
        _portion(prompts, order[start:end], requests)
        for start, end in zip(starts, sizes, strict=True)
    )


def _are_many(prompts: Iterable[Prompt], templates: Sequence[str]) -> bool:
    """Return whether every axis has enough of these templates for a look of its own."""
    pairs = {(prompt.axis, prompt.template_id) for prompt in prompts}
    counted = Counter(axis for axis, template in pairs if template in set(templates))
    return min(counted[axis] for axis, _ in pairs) >= FEW_CLUSTERS


def _portion(
    prompts: Iterable[Prompt], templates: Sequence[str], requests: Mapping[str, int]
) -> Portion:
    wanted = set(templates)
    mine = [prompt for prompt in prompts if prompt.template_id in wanted]
    asked: Counter[str] = Counter()
    for prompt in mine:
        asked[prompt.axis or NO_AXIS] += requests[prompt.id]
    return Portion(
        tuple(templates), dict(Counter(prompt.axis or NO_AXIS for prompt in mine)), dict(asked)
    )
