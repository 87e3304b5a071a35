"""Whether the power that the program states is reached: the smallest effect, and the clusters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from designs import Array, Table, as_measurement, binary_rates
from family_errors import CEILING, DISPARITY, MARGIN, RATE, SPREAD, make_policy

from llmaudit.findings import Finding, Measurement
from llmaudit.records import Verdict
from llmaudit.stats import cluster_bootstrap, part_intervals, required_clusters
from llmaudit.verdicts import decide
from llmaudit.verdicts.claims import Limits, settling_growth
from llmaudit.verdicts.uncertainty import part_uncertainties

ALPHA = 0.05
POWER = 0.8
PILOT = 20
RATE_PILOT = 50
RATE_TRUTH = 0.02
STATEMENTS = 200
"""Audits whose stated smallest effects are averaged."""

Make = Callable[[int, np.random.Generator], Table]


def _normal(truth: Array) -> Make:
    def make(clusters: int, rng: np.random.Generator) -> Table:
        values = truth + SPREAD * rng.normal(size=(clusters, len(truth)))
        return Table(values, np.ones_like(values), truth)

    return make


def _exact(truth: Array, clusters: int) -> Table:
    """Return a table whose means and standard deviations are exactly the true ones."""
    raw = np.random.default_rng(0).normal(size=(clusters, len(truth)))
    raw = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    return Table(truth + SPREAD * raw, np.ones_like(raw), truth)


def _judge(table: Table, metric: str, resamples: int, rng: np.random.Generator) -> Finding:
    measured = as_measurement(
        table, metric, proportion=metric == RATE, resamples=resamples, rng=rng
    )
    policy = make_policy((metric,))
    (finding,) = decide(policy, {policy.checks[0].id: measured}, {}, {}, ())
    return finding


def _share(
    make: Make, clusters: int, metric: str, verdict: Verdict, audits: int, resamples: int,
    rng: np.random.Generator,
) -> float:  # fmt: skip
    found = sum(
        _judge(make(clusters, rng), metric, resamples, rng).verdict is verdict
        for _ in range(audits)
    )
    return found / audits


def _growth(measured: Measurement, metric: str) -> float:
    policy = make_policy((metric,))
    limits = Limits.of(policy.checks[0])
    return settling_growth(part_uncertainties(measured), limits, ALPHA, POWER)


def reach_power(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: what was planned for a power of 0.8, and the share reached."""
    yield ["planned", "design", "clusters", "power reached"]
    rng = np.random.default_rng([seed, 1])
    for parts in (1, 3):
        for clusters in (12, 40, 100):
            yield _detectable(parts, clusters, audits, resamples, rng)
    for name, metric, truth in (
        ("one mean below its ceiling", CEILING, np.array([0.06])),
        ("disparity of 3 groups within its margin", DISPARITY, np.array([0.06, -0.03, -0.03])),
        ("disparity of 3 groups outside of it", DISPARITY, np.array([0.16, -0.08, -0.08])),
    ):
        verdict = Verdict.FAIL if truth[0] > MARGIN else Verdict.PASS
        exact = as_measurement(
            _exact(truth, PILOT), metric, proportion=False, resamples=20_000, rng=rng
        )
        needed = required_clusters(PILOT, _growth(exact, metric)) or 0
        reached = _share(_normal(truth), needed, metric, verdict, audits, resamples, rng)
        yield ["required clusters, true values known", name, str(needed), f"{reached:.3f}"]
    yield _required_rate(audits, rng)
    yield from _from_pilots(audits, resamples, rng)


def _detectable(
    parts: int, clusters: int, audits: int, resamples: int, rng: np.random.Generator
) -> list[str]:
    """Plant the smallest detectable effect beyond the limit and count how often it fails."""
    metric = CEILING if parts == 1 else DISPARITY
    truth = np.zeros(parts)
    stated = []
    for _ in range(STATEMENTS):
        table = _normal(truth)(clusters, rng)
        drawn = cluster_bootstrap(table.sums, table.counts, resamples, rng)
        rules = part_intervals(drawn, proportion=False, bounds=(-1.0, 1.0))
        stated.append(rules[0].detectable(ALPHA, POWER))
    truth[0] = MARGIN + float(np.mean(stated))
    reached = _share(_normal(truth), clusters, metric, Verdict.FAIL, audits, resamples, rng)
    name = f"{parts} part{'s' if parts > 1 else ''}, {truth[0] - MARGIN:.3f} beyond the limit"
    return ["minimum detectable effect", name, str(clusters), f"{reached:.3f}"]


def _required_rate(audits: int, rng: np.random.Generator) -> list[str]:
    """Plan a rate of 0.02 below its ceiling of 0.1 from a pilot that shows exactly 0.02."""
    hits = np.zeros((RATE_PILOT, 1))
    hits[: round(RATE_TRUTH * RATE_PILOT)] = 1.0
    pilot = Table(hits, np.ones_like(hits), np.array([RATE_TRUTH]))
    measured = as_measurement(pilot, RATE, proportion=True, resamples=1, rng=rng)
    needed = max(RATE_PILOT, math.ceil(RATE_PILOT * _growth(measured, RATE)))

    def make(clusters: int, draws: np.random.Generator) -> Table:
        return binary_rates(clusters, RATE_TRUTH, 0.0, draws, equal=1)

    reached = _share(make, needed, RATE, Verdict.PASS, audits, 1, rng)
    name = f"rate of {RATE_TRUTH} below its ceiling"
    return ["required clusters, true values known", name, str(needed), f"{reached:.3f}"]


def _from_pilots(audits: int, resamples: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Plan each audit from a pilot of its own, as the report does, and run what it asks for."""
    truth = np.array([0.06, -0.03, -0.03])
    make = _normal(truth)
    settled = planned = 0
    asked: list[int] = []
    for _ in range(audits):
        finding = _judge(make(PILOT, rng), DISPARITY, resamples, rng)
        if finding.verdict is Verdict.INCONCLUSIVE and finding.more_clusters is not None:
            clusters = PILOT + finding.more_clusters
            planned += 1
            asked.append(clusters)
            again = _judge(make(clusters, rng), DISPARITY, resamples, rng)
            settled += again.verdict is not Verdict.INCONCLUSIVE
    name = f"disparity of 3 groups within its margin, pilots of {PILOT}"
    shown = f"{np.median(asked):.0f} (median)"
    yield ["required clusters, from a pilot", name, shown, f"{settled / max(1, planned):.3f}"]
