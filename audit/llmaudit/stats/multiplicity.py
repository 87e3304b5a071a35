"""Holm's correction, with the level of each hypothesis, and Benjamini and Hochberg's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HolmStep:
    """What Holm's procedure made of one hypothesis.

    Attributes
    ----------
    adjusted : float
        Adjusted p; at most alpha exactly when ``rejected``.
    rejected : bool
    level : float
        The alpha this hypothesis was held against: alpha / (m - k) at the k-th step, and the
        level of the step where the procedure stopped for every one that came after it.
    """

    adjusted: float
    rejected: bool
    level: float


def holm(p_values: Sequence[float], alpha: float) -> tuple[HolmStep, ...]:
    """Run Holm's (1979) step-down procedure, keeping each hypothesis' level.

    The level is why this is not a call of statsmodels, which gives adjusted p-values only; the
    tests hold the two against each other.

    Examples
    --------
    >>> [round(step.level, 4) for step in holm([0.001, 0.04, 0.3], 0.05)]
    [0.0167, 0.025, 0.025]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    steps: dict[int, HolmStep] = {}
    adjusted, stopped = 0.0, None
    for rank, index in enumerate(order):
        left = len(p_values) - rank
        adjusted = max(adjusted, min(1.0, left * p_values[index]))
        if stopped is None and p_values[index] > alpha / left:
            stopped = alpha / left
        level = alpha / left if stopped is None else stopped
        steps[index] = HolmStep(adjusted, stopped is None, level)
    return tuple(steps[index] for index in range(len(p_values)))


def false_discovery_rates(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return Benjamini and Hochberg's (1995) q of each p.

    Of all the hypotheses whose q is at most x, a share of at most x is expected to be true. For
    looking around, not for verdicts.

    Examples
    --------
    >>> [round(q, 4) for q in false_discovery_rates([0.01, 0.5, 0.04])]
    [0.03, 0.5, 0.06]
    """
    if not p_values:
        return ()
    from scipy import stats

    return tuple(float(q) for q in stats.false_discovery_control(list(p_values), method="bh"))
