"""The budget of an adaptive run: a number of generations, or a time."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from llmaudit.errors import UsageError

_GENERATIONS = re.compile(r"([1-9][0-9]{0,11})-generations?")
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def generations_of(budget: str | None) -> int | None:
    """Return the generations that a budget allows; None where it does not count them."""
    found = _GENERATIONS.fullmatch(budget or "")
    return int(found[1]) if found else None


def seconds_of(budget: str | None) -> int | None:
    """Return the seconds that a budget allows; None where it does not count them."""
    found = _TIME.fullmatch(budget or "")
    return int(found[1]) * _SECONDS[found[2]] if found else None


def check_budget(budget: str) -> str:
    """Return a budget as it was given.

    Raises
    ------
    UsageError
        If it is neither a number of generations nor a time.

    Examples
    --------
    >>> [check_budget(one) for one in ("20000-generations", "30m")]
    ['20000-generations', '30m']
    """
    if generations_of(budget) is None and seconds_of(budget) is None:
        raise UsageError(
            f"the budget {budget!r} is neither a number of generations, such as "
            f"20000-generations, nor a time, such as 90s, 30m, 2h or 1d"
        )
    return budget


Budget = Annotated[str, AfterValidator(check_budget)]
"""A budget in a configuration."""
