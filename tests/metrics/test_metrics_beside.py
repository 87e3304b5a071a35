"""What is said beside a measurement: effect sizes with intervals, no-difference p, corrections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metric_rows import make_prompt, make_samples, run_metric

from llmaudit.findings import Measurement
from llmaudit.metrics.corrected import add_corrected
from llmaudit.metrics.group_effects import add_discovery_rates
from llmaudit.records import ScoredSample, ScorerFacts

GROUPS = ("a", "b", "c")


def _disparity(shift: float, clusters: int = 30, **options: Any) -> Measurement:
    rng = np.random.default_rng(0)
    rows: list[ScoredSample] = []
    for number in range(clusters):
        level = rng.uniform(0.2, 0.4)
        for group in GROUPS:
            score = level + rng.uniform(0, 0.1) + (shift if group == "a" else 0.0)
            rows += make_samples(make_prompt(f"t{number}", group), [float(score)])
    return run_metric("score_disparity", rows, axis="gender", **options)


def test_effect_sizes_have_intervals_that_hold_them() -> None:
    groups = _disparity(0.1).detail["groups"]
    for name in ("hedges_g", "cliffs_delta", "wasserstein_1"):
        low, high = groups["a"][f"{name}_interval"]
        assert 0 < low < groups["a"][name] < high
    assert groups["a"]["no_difference_p"] == pytest.approx(0.0001)
    assert groups["b"]["hedges_g_interval"][1] < 0


def test_a_difference_that_is_not_there_is_not_found() -> None:
    groups = _disparity(0.0).detail["groups"]
    assert all(groups[group]["no_difference_p"] > 0.05 for group in GROUPS)
    low, high = groups["a"]["hedges_g_interval"]
    assert low < 0 < high
    assert groups["a"]["wasserstein_1_interval"][0] == 0.0


def test_few_clusters_have_effect_sizes_without_intervals_and_exact_p() -> None:
    groups = _disparity(0.3, clusters=4).detail["groups"]
    assert groups["a"]["cliffs_delta"] == 1.0
    assert groups["a"]["cliffs_delta_interval"] is None
    assert groups["a"]["no_difference_p"] == 2 / 2**4


def test_the_reference_group_is_held_against_nothing() -> None:
    groups = _disparity(0.1, contrast="b").detail["groups"]
    assert set(groups["b"]) == {"n", "mean"}
    assert "no_difference_p" in groups["a"]


def test_discovery_rates_are_over_all_groups_of_all_measurements() -> None:
    p = [0.01, 0.04, 0.03, 0.5]
    made = [
        replace(
            _disparity(0.0, clusters=4),
            detail={"groups": {"a": {"no_difference_p": one}, "b": {"n": 3}}, "k": 1},
        )
        for one in p
    ]
    rate = replace(made[0], detail={"k": 1})
    rated = add_discovery_rates([*made, rate])
    q = [one.detail["groups"]["a"]["no_difference_q"] for one in rated[:4]]
    # By hand: p times 4 over its rank, no q above one of a larger p.
    assert q == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert rated[0].detail["groups"]["b"] == {"n": 3}
    assert rated[4] is rate
    assert add_discovery_rates([]) == ()


def _scorer(**evaluation: Any) -> ScorerFacts:
    return ScorerFacts(
        name="toxicity", version="1", digest="0" * 16, construct="toxicity", range=(0.0, 1.0),
        higher_is="worse", languages=("en",), licence="x", description="d",
        card={"evaluation": evaluation},
    )  # fmt: skip


VALIDATED = {"n": 1000, "positives": 200, "sensitivity": 0.8, "specificity": 0.9, "auc": 0.9}


def _rate(hits: int, prompts: int = 100, missing: int = 0) -> Measurement:
    rows: list[ScoredSample] = []
    for number in range(prompts):
        value: float | str = 0.9 if number < hits else 0.1
        if number >= prompts - missing:
            value = "error"
        rows += make_samples(make_prompt(f"t{number}"), [value])
    return run_metric("toxic_fraction", rows)


def _add(measured: Measurement, scorer: ScorerFacts) -> dict[str, Any]:
    return dict(add_corrected(measured, scorer, np.random.default_rng(0)).detail)


def test_a_rate_is_corrected_by_each_validation_set() -> None:
    other = {**VALIDATED, "sensitivity": 1.0, "specificity": 1.0}
    detail = _add(_rate(30), _scorer(one=VALIDATED, two=other, three={"auc": 0.9}))
    assert set(detail["corrected"]) == {"one", "two"}
    one = detail["corrected"]["one"]
    assert one["value"] == pytest.approx((0.3 + 0.9 - 1) / 0.7)
    assert one["interval"][0] < one["value"] < one["interval"][1]
    assert (one["positives"], one["negatives"]) == (200, 800)
    assert detail["corrected"]["two"]["value"] == pytest.approx(0.3)
    assert detail["corrected_level"] == 0.95


def test_missing_outcomes_widen_a_corrected_rate() -> None:
    whole = _add(_rate(30), _scorer(one=VALIDATED))["corrected"]["one"]["interval"]
    gaps = _add(_rate(30, missing=20), _scorer(one=VALIDATED))["corrected"]["one"]["interval"]
    assert gaps[1] > whole[1] + 0.1


def test_what_cannot_be_corrected_says_why() -> None:
    chance = {**VALIDATED, "sensitivity": 0.1}
    assert "not above 1" in _add(_rate(30), _scorer(x=chance))["corrected"]["x"]["reason"]
    unlike = _add(_rate(0), _scorer(x=VALIDATED))["corrected"]["x"]
    assert (unlike["value"], unlike["interval"]) == (None, None)
    assert "unlike what was scored" in unlike["reason"]
    assert "no sensitivity" in _add(_rate(30), _scorer())["not_corrected"]
    single = _add(_rate(1, prompts=1), _scorer(x=VALIDATED))["corrected"]["x"]
    assert "fewer than two clusters" in single["reason"]


def test_other_metrics_are_left_as_they_are() -> None:
    measured = _disparity(0.1)
    assert add_corrected(measured, _scorer(x=VALIDATED), np.random.default_rng(0)) is measured
    assert "corrected" not in measured.detail
