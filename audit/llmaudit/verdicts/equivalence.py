"""The textbook equivalence test of a disparity, printed beside its verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from llmaudit.findings import Distribution, Measurement
from llmaudit.stats import equivalence_interval, equivalence_p
from llmaudit.verdicts.claims import Limits


def describe_equivalence(
    measurement: Measurement, limits: Limits, alpha: float
) -> dict[str, dict[str, Any]]:
    """Return for each part TOST's p and its interval at level 1 - 2 ``alpha``.

    The verdict does not rest on it: it is the test that standards name, without correction over
    groups and checks and with a t distribution in place of the bootstrap. Where outcomes are
    missing, p is the largest of those with them observed, lowest and highest, and the interval
    reaches over all three.

    Parameters
    ----------
    measurement : Measurement
    limits : Limits
        Those of a disparity: with a low and a high end.
    alpha : float
        The policy's, unadjusted.
    """
    given = (measurement.observed, measurement.lowest, measurement.highest)
    distributions = [one for one in given if one is not None]
    return {
        part: _part([_summary(one, index) for one in distributions], limits, alpha)
        for index, part in enumerate(measurement.parts)
    }


def _summary(distribution: Distribution, index: int) -> tuple[float, float, float]:
    """Return value, standard error and degrees of freedom of one part."""
    df = distribution.clusters - 1 if distribution.df is None else distribution.df[index]
    return float(distribution.value[index]), float(distribution.se[index]), float(df)


def _part(summaries: list[tuple[float, float, float]], limits: Limits, alpha: float) -> Any:
    low = -math.inf if limits.low is None else limits.low
    p = max(equivalence_p(*summary, low, limits.high) for summary in summaries)
    if not np.isfinite(summaries).all():
        return {"p": p, "interval": None}
    ends = [equivalence_interval(*summary, alpha) for summary in summaries]
    return {"p": p, "interval": [min(end[0] for end in ends), max(end[1] for end in ends)]}
