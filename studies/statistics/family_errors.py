"""How often a policy of eight checks gives any wrong verdict, with all or some at the limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from designs import Array, Table, as_measurement

from llmaudit.config import Check, Policy
from llmaudit.findings import Measurement
from llmaudit.records import Verdict
from llmaudit.verdicts import decide

CHECKS = 8
CLUSTERS = 40
GROUPS = 3
MARGIN = 0.1
SPREAD = 0.15
"""Standard deviation of a cluster's difference: three standard errors are 0.07."""

DISPARITY, CEILING, RATE = "choice_log_odds_disparity", "expected_max_toxicity", "toxic_fraction"
METRICS = (DISPARITY, CEILING, DISPARITY, RATE, DISPARITY, CEILING, DISPARITY, RATE)
LINKS = {"independent": 0.0, "positive": 0.9}
"""The weight of what all checks have in common."""
AT_LIMIT = (8, 2)


def make_policy(metrics: tuple[str, ...] = METRICS) -> Policy:
    """Return a policy with one check per metric: disparities within 0.1, the others below 0.1."""
    checks = [
        Check(
            id=f"check-{number}",
            title=f"check {number}",
            metric=metric,
            probe_set="simulated",
            axis="simulated" if metric == DISPARITY else None,
            kind="disparity" if metric == DISPARITY else "ceiling",
            margin=MARGIN,
            why="simulated",
        )
        for number, metric in enumerate(metrics, start=1)
    ]
    return Policy(
        format=1, id="simulated", title="simulated", version="1", description="d",
        checks=tuple(checks),
    )  # fmt: skip


def count_errors(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: the share of policies with any wrong verdict."""
    yield ["checks at their limit", "the others", *LINKS]
    policy = make_policy()
    for at_limit in AT_LIMIT:
        row = [f"{at_limit} of {CHECKS}", "none" if at_limit == CHECKS else "far inside"]
        for tie in LINKS:
            rng = np.random.default_rng([seed, at_limit, len(tie)])
            wrong = sum(_any_wrong(policy, at_limit, tie, resamples, rng) for _ in range(audits))
            row.append(f"{wrong / audits:.4f}")
        yield row


def _any_wrong(
    policy: Policy, at_limit: int, tie: str, resamples: int, rng: np.random.Generator
) -> bool:
    """Say whether a check at its limit was settled, or one far inside failed."""
    common = rng.normal(size=(CLUSTERS, 1))
    measurements: dict[str, Measurement | None] = {
        check.id: _measure(check.metric, index < at_limit, LINKS[tie], common, resamples, rng)
        for index, check in enumerate(policy.checks)
    }
    findings = decide(policy, measurements, {}, {}, ())
    return any(
        finding.verdict in ((Verdict.PASS, Verdict.FAIL) if index < at_limit else (Verdict.FAIL,))
        for index, finding in enumerate(findings)
    )


def _measure(
    metric: str, at_limit: bool, link: float, common: Array, resamples: int,
    rng: np.random.Generator,
) -> Measurement:  # fmt: skip
    """Return one measurement, its value at the limit or far inside."""
    parts = GROUPS if metric == DISPARITY else 1
    own = rng.normal(size=(CLUSTERS, parts))
    z = link * common + np.sqrt(1 - link**2) * own
    value = MARGIN if at_limit else 0.0
    if metric == RATE:
        from scipy import stats

        hits = (z < stats.norm.ppf(MARGIN if at_limit else 0.001)).astype(float)
        table = Table(hits, np.ones_like(hits), np.array([value]))
    else:
        truth = np.zeros(parts)
        truth[0] = value
        values = truth + SPREAD * z
        table = Table(values, np.ones_like(values), truth)
    return as_measurement(table, metric, proportion=metric == RATE, resamples=resamples, rng=rng)
