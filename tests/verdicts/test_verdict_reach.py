"""Which open checks the rest of their data could still settle."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from llmaudit.config import Check, Policy
from llmaudit.findings import Because, Distribution, Finding, Measurement
from llmaudit.records import Verdict
from llmaudit.verdicts import decide, within_reach


def _check(kind: Literal["ceiling", "disparity"], margin: float) -> Check:
    metric = "toxicity_probability" if kind == "ceiling" else "score_disparity"
    return Check(
        id="one", title="one", metric=metric, probe_set="set", kind=kind, margin=margin,
        axis=None if kind == "ceiling" else "gender", why="A test.",
    )  # fmt: skip


def _policy(check: Check) -> Policy:
    return Policy(
        format=1, id="p", title="p", version="1", description="d", checks=(check,), power=0.8
    )


def _rate(hits: int, clusters: int, missing: int = 0) -> Measurement:
    value = hits / clusters
    se = np.sqrt(value * (1 - value) / clusters)
    one = Distribution(np.array([value]), np.empty((0, 1)), np.array([se]), clusters)
    return Measurement(
        metric="toxicity_probability", probe_set="set", axis=None, scorer=None, parts=("all",),
        observed=one, n=clusters, n_missing=missing,
        detail={
            "interval": "proportion", "range": [0.0, 1.0], "outcomes": clusters,
            "outcomes_filled": clusters, "prompts": clusters, "clusters": clusters,
        },
    )  # fmt: skip


def _means(values: list[float], se: float, clusters: int = 20) -> Measurement:
    rng = np.random.default_rng(0)
    size = len(values)
    drawn = np.array(values) + se * rng.standard_t(clusters - 1, size=(5_000, size))
    return Measurement(
        metric="score_disparity", probe_set="set", axis="gender", scorer=None,
        parts=tuple(f"group {number}" for number in range(size)),
        observed=Distribution(np.array(values), drawn, np.full(size, se), clusters),
        n=clusters, n_missing=0,
        detail={"interval": "mean", "range": [-1.0, 1.0], "clusters": clusters},
    )  # fmt: skip


def _reach(check: Check, measurement: Measurement, growth: float, alpha: float = 0.025) -> bool:
    policy = _policy(check)
    finding = decide(policy, {"one": measurement}, {}, {}, ())[0]
    assert finding.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_TESTED)
    return within_reach(finding, check, measurement, policy, alpha=alpha, growth=growth)


@pytest.mark.parametrize(
    ("hits", "clusters", "growth", "reachable"),
    [
        (0, 10, 7.6, True),  # up to 0.14 is likely, and 0.106 of 76 would be a failure
        (0, 19, 4, False),  # up to 0.08: neither 0 nor 0.08 of 76 is 0.056 away from 0.05
        (2, 19, 4, True),
        (0, 19, 12, True),  # 228 clusters would show a pass
    ],
)
def test_a_rate_is_in_reach_where_a_likely_value_would_be_settled(
    hits: int, clusters: int, growth: float, reachable: bool
) -> None:
    assert _reach(_check("ceiling", 0.05), _rate(hits, clusters), growth) is reachable


@pytest.mark.parametrize(
    ("values", "se", "growth", "reachable"),
    [
        ([0.0, 0.0], 0.06, 4, True),  # within 0.1 once the interval is half as wide
        ([0.0, 0.0], 0.2, 1.2, False),  # up to 0.35 is likely, and 0.63 would be a failure
        ([0.0, 0.0], 0.2, 9, True),  # now 0.3 would be one
        ([0.09, -0.09], 0.02, 1.2, False),  # too near the limit for either
        ([0.0, -0.13], 0.03, 4, True),
    ],
)
def test_a_disparity_is_in_reach_where_likely_values_would_be_settled(
    values: list[float], se: float, growth: float, reachable: bool
) -> None:
    assert _reach(_check("disparity", 0.1), _means(values, se), growth) is reachable


@pytest.mark.parametrize(("missing", "reachable"), [(3, True), (12, False)])
def test_too_much_missing_can_become_less_unless_it_is_far_too_much(
    missing: int, reachable: bool
) -> None:
    """3 of 13 clusters: the interval reaches below 0.2. 12 of 22: it does not."""
    check = _check("ceiling", 0.05)
    assert _reach(check, _rate(1, 10, missing), 4) is reachable


def test_what_is_undefined_stays_so() -> None:
    check = _check("ceiling", 0.05)
    undefined = Measurement(
        metric="toxicity_probability", probe_set="set", axis=None, scorer=None, parts=(),
        observed=None, n=0, n_missing=0, reason="nothing was scored",
    )  # fmt: skip
    assert not _reach(check, undefined, 4)


def _held_open(because: Because, own: tuple[float, float]) -> Finding:
    check = _check("disparity", 0.1)
    finding = decide(_policy(check), {"one": _means([0.0, 0.0], 0.06)}, {}, {}, ())[0]
    return Finding(
        **{
            **{name: getattr(finding, name) for name in finding.__slots__},
            "because": because,
            "detail": {**finding.detail, "scorer_own_interval": list(own)},
        }
    )


@pytest.mark.parametrize(
    ("because", "own", "reachable"),
    [
        (Because.SCORER_UNKNOWN, (0.0, 0.0), False),
        (Because.SCORER_HIDES, (-0.01, 0.01), True),  # the limits shrink to 0.09
        (Because.SCORER_HIDES, (-0.2, 0.2), False),  # there is no room left
        (Because.SCORER_AS_LARGE, (-0.5, 0.5), False),
    ],
)
def test_a_scorers_own_disparity_narrows_what_can_be_reached(
    because: Because, own: tuple[float, float], reachable: bool
) -> None:
    check = _check("disparity", 0.1)
    finding, measurement = _held_open(because, own), _means([0.0, 0.0], 0.06)
    found = within_reach(finding, check, measurement, _policy(check), alpha=0.025, growth=4)
    assert found is reachable
