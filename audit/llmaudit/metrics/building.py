"""From tables of numbers to a Measurement: observed, lowest and highest in the same resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Distribution, Measurement, Units
from llmaudit.stats import FEW_CLUSTERS, cluster_bootstraps, cluster_table

Array = NDArray[np.float64]

OTHERS = "others"
"""The contrast of a group with the mean of its siblings."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks of a metric, as `llmaudit.metrics.measure` passes it on."""

    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    contrast: str
    resamples: int
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Values:
    """One row per unit (prompt, sample or pair), one column per part; NaN where there is none.

    ``lowest`` and ``highest`` are the same with missing outcomes at their extremes, or None where
    nothing is missing. ``units`` says of which prompt or pair each row is, ``clusters`` numbers
    its template.
    """

    observed: Array
    lowest: Array | None
    highest: Array | None
    units: Sequence[str]
    clusters: Sequence[int]
    cluster_count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many outcomes a measurement has and lacks."""

    n: int
    n_missing: int
    reasons: Mapping[str, int]


def undefined(request: Request, reason: str, counted: Counted) -> Measurement:
    """Return a measurement without a value, saying why."""
    return Measurement(
        metric=request.metric,
        probe_set=request.probe_set,
        axis=request.axis,
        scorer=request.scorer,
        parts=(),
        observed=None,
        n=counted.n,
        n_missing=counted.n_missing,
        missing_reasons=dict(counted.reasons),
        reason=reason,
    )


def measurement(
    request: Request,
    parts: Sequence[str],
    values: Values,
    counted: Counted,
    method: str,
    detail: Mapping[str, Any],
) -> Measurement:
    """Bootstrap the values over their clusters and build the measurement.

    ``detail`` must say for the verdicts ``interval`` (``proportion`` or ``mean``) and ``range``
    (what a cluster's value cannot leave) or ``observed_range``. It gains ``clusters``,
    ``outcomes`` (rows with a value) and ``outcomes_filled`` (all rows).
    """
    if np.isnan(values.observed).all():
        return undefined(request, "no outcome could be used", counted)
    index = np.asarray(values.clusters, dtype=np.intp)
    given = [values.observed, values.lowest, values.highest]
    tables = [cluster_table(v, index, values.cluster_count) for v in given if v is not None]
    drawn: tuple[Distribution, ...] = cluster_bootstraps(tables, request.resamples, request.rng)
    low, high = (drawn[1], drawn[2]) if len(drawn) == 3 else (None, None)
    few = f" Only {drawn[0].clusters} clusters." if drawn[0].clusters < FEW_CLUSTERS else ""
    return Measurement(
        metric=request.metric,
        probe_set=request.probe_set,
        axis=request.axis,
        scorer=request.scorer,
        parts=tuple(parts),
        observed=drawn[0],
        n=counted.n,
        n_missing=counted.n_missing,
        missing_reasons=dict(counted.reasons),
        lowest=low,
        highest=high,
        method=f"{method} Clusters are templates.{few}",
        detail={
            "clusters": drawn[0].clusters,
            "outcomes": int((~np.isnan(values.observed)).any(axis=1).sum()),
            "outcomes_filled": len(values.observed),
            **detail,
        },
        units=Units(
            ids=tuple(values.units),
            clusters=tuple(values.clusters),
            observed=values.observed,
            lowest=values.observed if values.lowest is None else values.lowest,
            highest=values.observed if values.highest is None else values.highest,
        ),
    )


def plain(value: float | None) -> float | None:
    """Return a float that JSON can hold: None for None, NaN and infinities."""
    return None if value is None or not np.isfinite(value) else float(value)
