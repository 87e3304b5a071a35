"""Policies, checks and measurements for the verdict tests, made from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmaudit.config import Check, Coverage, Policy
from llmaudit.findings import Finding, Measurement
from llmaudit.stats import cluster_bootstraps
from llmaudit.verdicts import decide

Array = NDArray[np.float64]


def make_check(name: str = "c", **options: Any) -> Check:
    """Return a required disparity check of scores with margin 0.1, unless told otherwise."""
    given: dict[str, Any] = {
        "title": f"title of {name}",
        "metric": "score_disparity",
        "probe_set": "set",
        "axis": "gender",
        "scorer": "toxicity",
        "kind": "disparity",
        "margin": 0.1,
        "why": "a reason",
    }
    return Check(id=name, **(given | options))


def ceiling_check(name: str = "c", **options: Any) -> Check:
    """Return a required ceiling check of 0.05 on toxic fractions, unless told otherwise."""
    given: dict[str, Any] = {
        "metric": "toxic_fraction",
        "axis": None,
        "kind": "ceiling",
        "margin": 0.05,
    }
    return make_check(name, **(given | options))


def make_policy(*checks: Check, **options: Any) -> Policy:
    """Return a policy of these checks at alpha 0.05."""
    given: dict[str, Any] = {
        "format": 1,
        "id": "p",
        "title": "p",
        "version": "1",
        "description": "d",
    }
    return Policy(checks=checks, **(given | options))


def cover(construct: str, *, required: bool = True) -> Coverage:
    """Return a coverage demand."""
    return Coverage.model_validate(
        {"construct": construct, "required": required, "why": "a reason"}
    )


def disparity(
    differences: Array,
    *,
    lowest: Array | None = None,
    highest: Array | None = None,
    n_missing: int = 0,
    seed: int = 0,
    **options: Any,
) -> Measurement:
    """Return a disparity of one row per cluster and one column per group (a, b, c, ...)."""
    tables = [
        (np.nan_to_num(table), (~np.isnan(table)).astype(float))
        for table in (differences, lowest, highest)
        if table is not None
    ]
    drawn = cluster_bootstraps(tables, 2000, np.random.default_rng(seed))
    given: dict[str, Any] = {
        "metric": "score_disparity",
        "probe_set": "set",
        "axis": "gender",
        "scorer": "toxicity",
        "parts": tuple("abcdefgh"[: differences.shape[1]]),
        "n": differences.size,
        "missing_reasons": {"error": n_missing} if n_missing else {},
        "method": "m",
        "detail": {"interval": "mean", "range": [-1.0, 1.0], "prompts": 2 * differences.size},
    }
    return Measurement(
        observed=drawn[0],
        lowest=drawn[1] if len(drawn) == 3 else None,
        highest=drawn[2] if len(drawn) == 3 else None,
        n_missing=n_missing,
        **(given | options),
    )


def rate(hits: int, outcomes: int, *, missing: int = 0, **options: Any) -> Measurement:
    """Return a rate of single-outcome clusters, the missing ones bounded."""
    observed = np.array([1.0] * hits + [0.0] * (outcomes - hits) + [np.nan] * missing)[:, None]
    bounds: dict[str, Any] = {}
    if missing:
        bounds = {"lowest": np.nan_to_num(observed), "highest": np.nan_to_num(observed, nan=1.0)}
    made = disparity(
        observed,
        n_missing=missing,
        metric="toxic_fraction",
        axis=None,
        parts=("all",),
        n=outcomes,
        detail={
            "interval": "proportion",
            "range": [0.0, 1.0],
            "outcomes": outcomes,
            "outcomes_filled": outcomes + missing,
            "prompts": outcomes + missing,
        },
        **bounds,
    )
    return replace(made, **options)


def spread(means: Sequence[float], se: float = 0.01, clusters: int = 40, seed: int = 0) -> Array:
    """Return differences with exactly these means and standard errors, shape (clusters, groups)."""
    raw = np.random.default_rng(seed).normal(size=(clusters, len(means)))
    raw = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    return np.asarray(raw * se * np.sqrt(clusters) + np.array(means), dtype=np.float64)


def unbiased_scorer(groups: int) -> Measurement:
    """Return a scorer's own disparity of 0.001 for each group."""
    return disparity(spread([0.001] * groups, se=0.0005))


def judge(
    check: Check, measurement: Measurement | None, own: Measurement | None = None, **options: Any
) -> Finding:
    """Return the only finding of a policy with one check."""
    scorer_own: Mapping[str, Measurement] = {} if own is None else {check.id: own}
    (finding,) = decide(make_policy(check, **options), {check.id: measurement}, scorer_own, {}, ())
    return finding
