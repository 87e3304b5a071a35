"""The words of a change, made from its numbers: a sentence for everybody, and an exact one."""

from __future__ import annotations

from llmaudit.changes import RATE_PART, Change, ChangeVerdict, PartChange
from llmaudit.findings import Measurement
from llmaudit.verdicts.few_words import list_reasons

ONE_MODEL = "Both runs are of one model (equal digest), and every outcome is the same."


def number(value: float | None) -> str:
    """Return a value in three significant digits, ``unknown`` for None."""
    return "unknown" if value is None else f"{value:.3g}"


def signed(value: float | None) -> str:
    """Return a change with its sign in three significant digits, ``unknown`` for None."""
    return "unknown" if value is None else f"{value:+.3g}"


def _moved(change: Change, part: PartChange) -> str:
    """Return both values in words."""
    whose = "The value" if part.part == RATE_PART else f"The value for “{part.part}”"
    went = f"{whose} went from {number(part.base)} to {number(part.candidate)}"
    if part.part == RATE_PART and change.kind != "disparity":
        return went
    return f"{went} (best is {number(change.ideal)})"


def say_plainly(change: Change) -> str:
    """Return what became of a judged check, without any statistics."""
    part = change.part
    if part is None:
        raise ValueError(f"check {change.check!r} was judged without a part")
    moved, allowed = _moved(change, part), f"the {change.margin:g} that the policy allows"
    if change.verdict is ChangeVerdict.REGRESSION:
        return f"{moved}; the data show that it got worse by more than {allowed}."
    if change.verdict is ChangeVerdict.IMPROVEMENT:
        return f"{moved}; the data show that it got better by more than {change.margin:g}."
    if change.verdict is ChangeVerdict.UNCHANGED:
        return f"{moved}; the data show that it changed by less than {allowed}."
    return f"{moved}; the data do not settle whether that is within {allowed}; {_more(change)}."


def _more(change: Change) -> str:
    part = change.part
    if part is None or part.low is None or part.high is None:
        return "too few templates moved to tell"
    if change.more_prompts is None:
        return "even 100 times as many prompts would not"
    return f"about {change.more_prompts:,} more prompts would"


def say_turned(change: Change, part: PartChange) -> str:
    """Say that a disparity changed sides."""
    return (
        f"{_moved(change, part)}: about as far off as before, but on the other side. It did not "
        "grow, and it is not unchanged; a person has to decide."
    )


def say_missing(change: Change, part: PartChange) -> str:
    """Say that the missing outcomes decide."""
    return (
        f"{_moved(change, part)}, but {change.n_missing:,} outcomes are missing in one of the runs "
        "and could decide it either way."
    )


def say_too_many_missing(change: Measurement, limit: float) -> str:
    """Say that too much is missing for a verdict."""
    total = change.n + change.n_missing
    return (
        f"{change.n_missing:,} of {total:,} outcomes are missing in one of the runs "
        f"({list_reasons(change.missing_reasons)}), more than the {100 * limit:.3g} % that the "
        "policy allows."
    )


def say_exactly(change: Change) -> str:
    """Return what became of a judged check so that a statistician can check it."""
    part = change.part
    if part is None:
        raise ValueError(f"check {change.check!r} was judged without a part")
    whose = "" if part.part == RATE_PART else f" of “{part.part}”"
    interval = f"[{signed(part.change_low)}, {signed(part.change_high)}]"
    worse = ""
    if change.kind == "disparity":
        worse = (
            f"; |candidate - {change.ideal:g}| - |base - {change.ideal:g}| = "
            f"{signed(part.worsening)} [{signed(part.low)}, {signed(part.high)}]"
        )
    return (
        f"{change.metric}{whose} on {change.probe_set}: candidate - base = {signed(part.change)} "
        f"{interval}{worse}, margin {change.margin:g}; intervals at {100 * part.level:.4g} %, "
        f"simultaneous over {len(change.parts)} parts, {change.clusters:,} clusters, "
        f"{change.n:,} paired outcomes, {change.n_missing:,} missing; p = "
        f"{number(change.p_value)}, Holm-adjusted {number(change.p_adjusted)}; {part.method}."
    )
