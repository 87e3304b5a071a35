"""What is said of each group beside its disparity: effect sizes, and the test of no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Measurement
from llmaudit.metrics.building import OTHERS, Request, Values, plain
from llmaudit.stats import (
    Effect,
    cluster_table,
    effect_sizes,
    false_discovery_rates,
    sign_flip_p,
)

Array = NDArray[np.float64]

RESAMPLES = 2_000
"""Resamples for the intervals of effect sizes, which decide nothing."""

PERMUTATIONS = 9_999
"""Sign patterns of a permutation test; with the data's own they are 10,000."""

ALPHA = 0.05
"""One minus the level of the effect sizes' intervals, each by itself."""


def describe_groups(
    groups: Sequence[str], parts: Sequence[str], request: Request, grid: Array, values: Values
) -> Mapping[str, Any]:
    """Return per group: n, mean, and how it differs from its siblings.

    Parameters
    ----------
    groups, parts : sequence of str
        All groups, and those that are held against others.
    request : Request
    grid : ndarray of float64, shape (pairs, groups)
        Each group's value in each pair.
    values : Values
        The contrasts of the parts, for the permutation test.

    Returns
    -------
    mapping of group to mapping
        ``n`` and ``mean``; for a part also ``hedges_g``, ``cliffs_delta`` and ``wasserstein_1``,
        each with a 95 % interval of its own under ``..._interval`` (None where there is none),
        and ``no_difference_p``, the p of the sign-flip permutation test over clusters.
    """
    # A generator of its own: the disparity's interval does not depend on what is said beside it.
    (rng,) = request.rng.spawn(1)
    clusters = np.asarray(values.clusters, dtype=np.intp)
    sums = cluster_table(values.observed, clusters, values.cluster_count)[0]
    p_values = dict(zip(parts, sign_flip_p(sums, PERMUTATIONS, rng), strict=True))
    described: dict[str, Any] = {}
    for index, group in enumerate(groups):
        own = grid[:, index]
        known = own[~np.isnan(own)]
        described[group] = {
            "n": len(known),
            "mean": plain(float(known.mean())) if len(known) else None,
        }
        if group in p_values:
            rest = _siblings(groups, index, request.contrast)
            found = effect_sizes(
                own,
                grid[:, rest],
                clusters,
                values.cluster_count,
                alpha=ALPHA,
                resamples=RESAMPLES,
                rng=rng,
            )
            described[group] |= {
                **_entry("hedges_g", found.hedges_g),
                **_entry("cliffs_delta", found.cliffs_delta),
                **_entry("wasserstein_1", found.wasserstein_1),
                "no_difference_p": float(p_values[group]) if len(known) else None,
            }
    return described


def _siblings(groups: Sequence[str], index: int, contrast: str) -> list[int]:
    if contrast != OTHERS:
        return [list(groups).index(contrast)]
    return [other for other in range(len(groups)) if other != index]


def _entry(name: str, effect: Effect) -> dict[str, Any]:
    interval = None if effect.interval is None else [plain(end) for end in effect.interval]
    return {name: plain(effect.value), f"{name}_interval": interval}


def add_discovery_rates(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Return measurements that no check judges with ``no_difference_q`` beside each group's p.

    Benjamini and Hochberg's q over every group of every measurement given: of the groups whose q is
    at most x, a share of at most x is expected not to differ.
    """
    places = [
        (index, group, entry["no_difference_p"])
        for index, measured in enumerate(measurements)
        for group, entry in measured.detail.get("groups", {}).items()
        if entry.get("no_difference_p") is not None
    ]
    rates = false_discovery_rates([p for _, _, p in places])
    found: dict[int, dict[str, float]] = {}
    for (index, group, _), q in zip(places, rates, strict=True):
        found.setdefault(index, {})[group] = q
    return tuple(
        _with_rates(measured, found[index]) if index in found else measured
        for index, measured in enumerate(measurements)
    )


def _with_rates(measured: Measurement, rates: Mapping[str, float]) -> Measurement:
    groups = {
        group: {**entry, "no_difference_q": rates[group]} if group in rates else entry
        for group, entry in measured.detail["groups"].items()
    }
    return replace(measured, detail={**measured.detail, "groups": groups})
