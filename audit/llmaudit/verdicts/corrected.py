"""Intervals of disparities from which a scorer's own part has been taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from llmaudit.findings import Distribution, Measurement
from llmaudit.stats import combine_intervals, two_sided_quantile
from llmaudit.verdicts.uncertainty import part_uncertainties

Term = tuple[float, float, float]
"""A value, and the ends of its interval."""


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its interval; infinite ends where nothing bounds it."""

    value: float
    low: float
    high: float


def subtract_own(model: Measurement, own: Measurement, alpha: float) -> dict[str, Range]:
    """Return each part's value minus the scorer's own on neutral sentences.

    Both uncertainties are in the interval, simultaneous over the parts at 1 - ``alpha``. Parts
    that were not measured on both have none.
    """
    return _combine(model, [_scorer_terms(own, alpha, -1.0)], alpha)


def add_uncertainty(
    model: Measurement, others: Sequence[Measurement], alpha: float
) -> dict[str, Range]:
    """Return each part of a measurement with the uncertainty of others added to its own.

    Parameters
    ----------
    model : Measurement
    others : sequence of Measurement
        Of a scorer, independent of the model's and of each other. Of their values only the
        deviations count; a part that is the same in every cluster adds nothing.
    alpha : float
    """
    return _combine(model, [_scorer_terms(one, alpha, 0.0) for one in others], alpha)


def _combine(
    model: Measurement, others: Sequence[dict[str, list[Term]]], alpha: float
) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for part in part_uncertainties(model):
        value = part.observed.value
        if math.isnan(value) or any(part.part not in each for each in others):
            continue
        choices = [each[part.part] for each in others]
        ends = [
            combine_intervals([(rule.value, *rule.interval(alpha)), *chosen])
            for rule in part.rules
            for chosen in product(*choices)
        ]
        total = value + sum(terms[0][0] for terms in choices)
        found[part.part] = Range(total, min(low for low, _ in ends), max(high for _, high in ends))
    return found


def _scorer_terms(measured: Measurement, alpha: float, sign: float) -> dict[str, list[Term]]:
    """Return what a scorer's measurement adds to each part: observed, then at both extremes.

    With ``sign`` 0 only how far it deviates from its observed value. The ends are the standard
    error times the quantile of Student's t, Bonferroni over the parts: most carrier sentences show
    no difference at all, and resamples of so few that do have no studentised bootstrap.
    """
    if measured.observed is None:
        return {}
    found: dict[str, list[Term]] = {}
    given = (measured.observed, measured.lowest, measured.highest)
    for index, part in enumerate(measured.parts):
        centre = float(measured.observed.value[index])
        if math.isnan(centre) or measured.observed.clusters < 2:
            continue
        shift = centre if sign == 0 else 0.0
        found[part] = [_student_term(one, index, alpha, sign, shift) for one in given if one]
    return found


def _student_term(
    distribution: Distribution, index: int, alpha: float, sign: float, shift: float
) -> Term:
    value = (float(distribution.value[index]) - shift) * (sign or 1.0)
    error, parts = float(distribution.se[index]), len(distribution.value)
    half = two_sided_quantile(alpha / parts, distribution.clusters - 1) * error if error else 0.0
    return value, value - half, value + half
