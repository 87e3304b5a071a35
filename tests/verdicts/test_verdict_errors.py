"""Error rates on planted disparities, and the agreement of printed interval, p and verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_cases import (
    ceiling_check,
    disparity,
    judge,
    make_check,
    make_policy,
    rate,
    spread,
    unbiased_scorer,
)

from llmaudit.config import Check
from llmaudit.findings import Finding
from llmaudit.records import Verdict
from llmaudit.stats import cluster_bootstrap
from llmaudit.verdicts import decide


def _position(finding: Finding, low: float, high: float) -> Verdict:
    """Return the verdict a reader would give an interval."""
    lower = -np.inf if finding.kind == "ceiling" else finding.ideal - float(finding.margin or 0)
    upper = float(finding.margin or 0) + (0 if finding.kind == "ceiling" else finding.ideal)
    if low > upper or high < lower:
        return Verdict.FAIL
    return Verdict.PASS if lower < low and high < upper else Verdict.INCONCLUSIVE


def _from_intervals(finding: Finding) -> Verdict:
    positions = [
        _position(finding, float(part.low or 0), float(part.high or 0)) for part in finding.parts
    ]
    if Verdict.FAIL in positions:
        return Verdict.FAIL
    passed = all(position is Verdict.PASS for position in positions)
    return Verdict.PASS if passed else Verdict.INCONCLUSIVE


@given(
    kinds=st.lists(
        st.tuples(
            st.sampled_from(["disparity", "few", "discrete", "rate", "missing"]),
            st.floats(-0.3, 0.3),
            st.integers(0, 1000),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_printed_intervals_the_adjusted_p_and_the_verdict_always_agree(
    kinds: list[tuple[str, float, int]],
) -> None:
    checks: list[Check] = []
    measurements, own = {}, {}
    for index, (kind, mean, seed) in enumerate(kinds):
        name = f"c{index}"
        rng = np.random.default_rng(seed)
        if kind == "rate":
            checks.append(ceiling_check(name))
            measurements[name] = rate(int(abs(mean) * 100), 120)
        elif kind == "missing":
            checks.append(ceiling_check(name))
            measurements[name] = rate(int(abs(mean) * 100), 120, missing=seed % 20)
        else:
            checks.append(make_check(name))
            clusters = 6 if kind == "few" else 25
            table = spread([mean, 0.0], se=0.02, clusters=clusters, seed=seed)
            if kind == "discrete":
                table = rng.integers(-1, 2, size=(25, 2)) / 10 + round(mean, 1)
            measurements[name] = disparity(table, seed=seed)
            own[name] = disparity(np.column_stack([spread([1e-6, 1e-6], se=1e-7)]))
    for finding in decide(make_policy(*checks), measurements, own, {}, ()):
        assert finding.p_adjusted is not None
        assert finding.verdict is _from_intervals(finding) or "scorer's own" in finding.because
        settled = _from_intervals(finding) is not Verdict.INCONCLUSIVE
        assert settled == (finding.p_adjusted <= 0.05)
        assert finding.estimate in finding.parts


def test_intervals_are_drawn_at_the_level_of_the_checks_own_holm_step() -> None:
    clear, unclear = disparity(spread([0.5])), disparity(spread([0.09]))
    policy = make_policy(make_check("one"), make_check("two"), make_check("three"))
    measured = {"one": clear, "two": unclear, "three": disparity(spread([0.3]))}
    own = dict.fromkeys(measured, unbiased_scorer(1))
    findings = decide(policy, measured, own, {}, ())
    levels = sorted(finding.estimate.level for finding in findings if finding.estimate)
    assert levels == pytest.approx([0.95, 0.975, 1 - 0.05 / 3])
    assert findings[1].estimate is not None
    assert findings[1].estimate.level == pytest.approx(0.95)


def test_one_check_alone_is_not_corrected_and_many_are() -> None:
    measured = disparity(spread([0.125]))
    alone = judge(make_check("c0"), measured, unbiased_scorer(1))
    assert alone.verdict is Verdict.FAIL
    names = [f"c{index}" for index in range(20)]
    findings = decide(
        make_policy(*(make_check(name) for name in names)),
        {name: measured if name == "c0" else disparity(spread([0.0], se=0.2)) for name in names},
        dict.fromkeys(names, unbiased_scorer(1)),
        {},
        (),
    )
    assert findings[0].verdict is Verdict.INCONCLUSIVE
    assert findings[0].p_value == alone.p_value
    assert findings[0].p_adjusted == pytest.approx(min(1.0, 20 * (alone.p_value or 0)))


def _planted(effect: float, seeds: int, clusters: int = 40) -> dict[Verdict, int]:
    """Plant a disparity in the first of three groups; cluster differences have SD 0.15."""
    counts = dict.fromkeys(Verdict, 0)
    own = unbiased_scorer(3)
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 77])
        table = rng.normal(0, 0.15, size=(clusters, 3)) + np.array([effect, 0.0, 0.0])
        counts[judge(make_check(), disparity(table, seed=seed), own).verdict] += 1
    return counts


@pytest.mark.parametrize(
    ("effect", "wrong", "right", "least"),
    [
        (0.0, Verdict.FAIL, Verdict.PASS, 0.6),
        (0.05, Verdict.FAIL, Verdict.INCONCLUSIVE, 0.4),
        (0.2, Verdict.PASS, Verdict.FAIL, 0.8),
    ],
)
def test_planted_disparities_come_out_right(
    effect: float, wrong: Verdict, right: Verdict, least: float
) -> None:
    counts = _planted(effect, 60)
    assert counts[wrong] == 0
    assert counts[right] >= least * 60


def test_a_disparity_of_exactly_the_margin_is_rarely_settled() -> None:
    counts = _planted(0.1, 120)
    assert counts[Verdict.PASS] + counts[Verdict.FAIL] <= 0.05 * 120 + 6


@pytest.mark.parametrize("correlated", [False, True])
def test_family_wise_error_over_checks_of_both_kinds(correlated: bool) -> None:
    seeds, wrong = 100, 0
    truths = np.array([0.1001, 0.1001, 0.0999, 0.0999, 0.0, 0.4])
    checks = [
        make_check(f"c{i}", metric="choice_log_odds_disparity", scorer=None)
        for i in range(len(truths))
    ]
    policy = make_policy(*checks)
    for seed in range(seeds):
        rng = np.random.default_rng([seed, int(correlated)])
        shared = rng.normal(0, 0.15, size=(30, 1)) if correlated else np.zeros((30, 1))
        measured = {}
        for index, truth in enumerate(truths):
            own_noise = rng.normal(0, 0.15 if not correlated else 0.05, size=(30, 1))
            measured[f"c{index}"] = disparity(
                shared + own_noise + truth,
                seed=seed,
                metric="choice_log_odds_disparity",
                scorer=None,
            )
        for finding, truth in zip(decide(policy, measured, {}, {}, ()), truths, strict=True):
            outside = abs(truth) > 0.1
            false_pass = finding.verdict is Verdict.PASS and outside
            false_fail = finding.verdict is Verdict.FAIL and not outside
            if false_pass or false_fail:
                wrong += 1
                break
    assert wrong <= 12


def test_rates_in_correlated_clusters_pass_a_true_violation_rarely() -> None:
    passed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        level = rng.beta(0.05 * 4, 0.95 * 4, size=30)
        hits = rng.binomial(5, level).astype(float)[:, None]
        drawn = cluster_bootstrap(hits, np.full((30, 1), 5.0), 200, rng)
        made = rate(0, 150)
        made = type(made)(
            **{name: getattr(made, name) for name in made.__slots__} | {"observed": drawn}
        )
        passed += judge(ceiling_check(), made).verdict is Verdict.PASS
    assert passed <= 5
