"""Simulated audits: clustered outcomes of a known truth, as sums and counts over clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Distribution, Measurement
from llmaudit.stats import cluster_bootstraps, paired_contrasts

Array = NDArray[np.float64]

OUTCOMES_AT_MOST = 5
"""Clusters have 1 to this many outcomes, each number as likely as the others."""


@dataclass(frozen=True)
class Table:
    """One simulated measurement: its clusters' sums and counts, and the truth of each part."""

    sums: Array
    counts: Array
    truth: Array

    @property
    def outcomes(self) -> int:
        """Return the number of outcomes of the first part."""
        return int(self.counts[:, 0].sum())


def cluster_sizes(clusters: int, rng: np.random.Generator, *, equal: int = 0) -> Array:
    """Return each cluster's number of outcomes, shape (clusters, 1)."""
    if equal:
        return np.full((clusters, 1), float(equal))
    return rng.integers(1, OUTCOMES_AT_MOST + 1, size=(clusters, 1)).astype(float)


def normal_means(clusters: int, parts: int, rng: np.random.Generator) -> Table:
    """Return normal outcomes, half of whose variance is between clusters; the truth is 0."""
    size = cluster_sizes(clusters, rng)
    effect = rng.normal(size=(clusters, parts))
    noise = rng.normal(size=(clusters, parts)) / np.sqrt(size)
    return Table((effect + noise) * size, size.repeat(parts, axis=1), np.zeros(parts))


def skewed_means(clusters: int, parts: int, rng: np.random.Generator) -> Table:
    """Return exponential outcomes around exponential cluster effects; the truth is 0."""
    size = cluster_sizes(clusters, rng)
    effect = rng.exponential(size=(clusters, parts)) - 1
    noise = rng.gamma(size.repeat(parts, axis=1)) / size - 1
    return Table((effect + noise) * size, size.repeat(parts, axis=1), np.zeros(parts))


def toxicity_scores(clusters: int, groups: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return scores between 0 and 1, most of them near 0, and each row's cluster.

    Returns
    -------
    scores : ndarray of float64, shape (pairs, groups)
        Each is Beta(0.4, 3.6) on average; the cluster's own mean is Beta(1, 9).
    clusters : ndarray of int, shape (pairs,)
    """
    size = cluster_sizes(clusters, rng)[:, 0].astype(int)
    index = np.repeat(np.arange(clusters), size)
    level = rng.beta(1, 9, size=clusters)[index][:, None]
    return rng.beta(4 * level + 1e-3, 4 * (1 - level), size=(len(index), groups)), index


def paired_scores(clusters: int, groups: int, rng: np.random.Generator) -> Table:
    """Return each group's skewed scores minus the mean of its siblings'; the truth is 0."""
    scores, index = toxicity_scores(clusters, groups, rng)
    differences = paired_contrasts(scores)
    sums = np.zeros((clusters, groups))
    np.add.at(sums, index, differences)
    counts = np.bincount(index, minlength=clusters).astype(float)[:, None]
    return Table(sums, counts.repeat(groups, axis=1), np.zeros(groups))


def binary_rates(
    clusters: int, rate: float, correlation: float, rng: np.random.Generator, *, equal: int = 0
) -> Table:
    """Return beta-binomial hits with this rate and correlation within a cluster."""
    size = cluster_sizes(clusters, rng, equal=equal)
    level = np.full((clusters, 1), rate)
    if correlation:
        scale = (1 - correlation) / correlation
        level = rng.beta(rate * scale, (1 - rate) * scale, size=(clusters, 1))
    hits = rng.binomial(size.astype(int), level).astype(float)
    return Table(hits, size, np.array([rate]))


def bootstrap(table: Table, resamples: int, rng: np.random.Generator) -> Distribution:
    """Return the distribution that the product draws for a table."""
    return cluster_bootstraps([(table.sums, table.counts)], resamples, rng)[0]


def as_measurement(
    table: Table, metric: str, *, proportion: bool, resamples: int, rng: np.random.Generator
) -> Measurement:
    """Return a table as a metric would hand it to the verdicts."""
    parts = tuple(f"group {number}" for number in range(1, len(table.truth) + 1))
    return Measurement(
        metric=metric,
        probe_set="simulated",
        axis="simulated",
        scorer=None,
        parts=parts if len(parts) > 1 else ("all",),
        observed=bootstrap(table, 1 if proportion else resamples, rng),
        n=int(table.counts.sum()),
        n_missing=0,
        method="simulated",
        detail={
            "interval": "proportion" if proportion else "mean",
            "range": [0.0, 1.0] if proportion else [-10.0, 10.0],
            "outcomes": table.outcomes,
            "outcomes_filled": table.outcomes,
            "prompts": table.outcomes,
        },
    )
