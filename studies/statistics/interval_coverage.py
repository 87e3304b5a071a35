"""How often the simultaneous intervals of the product hold the truth of every part."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from designs import (
    Table,
    binary_rates,
    bootstrap,
    normal_means,
    paired_scores,
    skewed_means,
)

from llmaudit.stats import part_intervals

ALPHA = 0.05
CLUSTERS = (3, 4, 5, 6, 8, 10, 12, 20, 60)
GROUPS = 4

MEANS: dict[str, Callable[[int, int, np.random.Generator], Table]] = {
    "normal": normal_means,
    "exponential": skewed_means,
    "paired skewed scores": paired_scores,
}
RATES = ((8, 0.3), (8, 0.05), (20, 0.3), (20, 0.05), (60, 0.3), (60, 0.05), (200, 0.05))
CORRELATION = 0.2


def cover_means(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per number of clusters: coverage for each kind of outcome, 1 and 4 parts."""
    yield ["clusters", *(f"{kind}, {parts}" for kind, parts in _columns())]
    for clusters in CLUSTERS:
        row = [str(clusters)]
        for kind, parts in _columns():
            rng = np.random.default_rng([seed, clusters, parts, len(kind)])
            row.append(f"{_mean_coverage(kind, clusters, parts, audits, resamples, rng):.3f}")
        yield row


def _columns() -> list[tuple[str, int]]:
    columns = [(kind, parts) for kind in MEANS for parts in (1, GROUPS)]
    return [
        (kind, parts) for kind, parts in columns if not (kind.startswith("paired") and parts == 1)
    ]


def _mean_coverage(
    kind: str, clusters: int, parts: int, audits: int, resamples: int, rng: np.random.Generator
) -> float:
    covered = 0
    for _ in range(audits):
        table = MEANS[kind](clusters, parts, rng)
        drawn = bootstrap(table, resamples, rng)
        rules = part_intervals(drawn, proportion=False, bounds=(-1.0, 1.0))
        ends = np.array([rule.interval(ALPHA) for rule in rules])
        covered += bool(((ends[:, 0] <= table.truth) & (table.truth <= ends[:, 1])).all())
    return covered / audits


def cover_rates(audits: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: coverage of a rate's interval, and its misses by side."""
    yield ["clusters", "outcomes", "rate", "covered", "wholly below the truth", "wholly above"]
    for equal in (1, 0):
        for clusters, rate in RATES:
            rng = np.random.default_rng([seed, clusters, equal, round(1000 * rate)])
            below = above = 0
            for _ in range(audits):
                table = binary_rates(clusters, rate, 0 if equal else CORRELATION, rng, equal=equal)
                (rule,) = part_intervals(
                    bootstrap(table, 1, rng),
                    proportion=True,
                    bounds=(0.0, 1.0),
                    outcomes=table.outcomes,
                )
                low, high = rule.interval(ALPHA)
                below, above = below + (high < rate), above + (low > rate)
            each = "1" if equal else f"1 to 5, correlation {CORRELATION}"
            shares = (1 - (below + above) / audits, below / audits, above / audits)
            yield [str(clusters), each, f"{rate:g}", *(f"{share:.3f}" for share in shares)]
