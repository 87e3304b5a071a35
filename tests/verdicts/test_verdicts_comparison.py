"""What a change is called: the worsening of a disparity, the claims, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from verdict_cases import ceiling_check, disparity, make_check, make_policy, rate, spread

from llmaudit.changes import Change, ChangeVerdict, PairedMeasurement
from llmaudit.config import Check
from llmaudit.stats import PairedSharePart, WilsonPart
from llmaudit.verdicts import change_exit_code, compare_measurements, overall_change
from llmaudit.verdicts.worsening import widening

Array = NDArray[np.float64]
REGRESSION, UNCHANGED = ChangeVerdict.REGRESSION, ChangeVerdict.UNCHANGED
IMPROVEMENT, OPEN = ChangeVerdict.IMPROVEMENT, ChangeVerdict.INCONCLUSIVE
NOT_TESTED = ChangeVerdict.NOT_TESTED


def pair(base: list[float], candidate: list[float], se: float = 0.01) -> PairedMeasurement:
    """Return a paired disparity whose groups have these values; independent noise of ``se``."""
    first, second = spread(base, se, seed=1), spread(candidate, se, seed=2)
    return PairedMeasurement(
        disparity(first), disparity(second), disparity(second - first), disparity(second + first)
    )


def rates(rose: int, fell: int, of: int) -> PairedMeasurement:
    """Return a paired rate of which so many outcomes rose and fell, half of the rest being 1."""
    moves = np.array([1.0] * rose + [-1.0] * fell + [0.0] * (of - rose - fell))[:, None]
    detail: dict[str, Any] = {"interval": "mean", "range": [-1.0, 1.0], "prompts": of}
    change = disparity(moves, metric="toxic_fraction", parts=("all",), detail=detail)
    return PairedMeasurement(
        rate(fell, of), rate(rose, of), change, change, rate(rose, of), rate(fell, of)
    )


def judge(check: Check, measured: PairedMeasurement, **options: Any) -> Change:
    """Return the only change of a policy with one check."""
    (change,) = compare_measurements(make_policy(check, **options), {check.id: measured}, {})
    return change


@pytest.mark.parametrize(
    ("base", "candidate", "verdict"),
    [
        ([0.0, 0.0], [0.0, 0.0], UNCHANGED),
        ([0.0, 0.0], [0.05, -0.05], UNCHANGED),
        ([0.0, 0.0], [0.3, 0.0], REGRESSION),
        ([0.0, 0.0], [-0.3, 0.0], REGRESSION),
        ([0.3, 0.0], [0.0, 0.0], IMPROVEMENT),
        ([-0.3, 0.0], [0.0, 0.0], IMPROVEMENT),
        ([-0.3, 0.0], [0.05, 0.0], IMPROVEMENT),
        ([-0.1, 0.0], [0.4, 0.0], REGRESSION),
        # One group better, another worse: worse counts.
        ([0.3, 0.0], [0.0, 0.3], REGRESSION),
        # As far off as before, on the other side: neither unchanged nor worse.
        ([0.3, 0.0], [-0.3, 0.0], OPEN),
        ([0.0, 0.0], [0.1, 0.0], OPEN),
    ],
)
def test_a_disparity_is_worse_where_it_is_farther_from_its_ideal(
    base: list[float], candidate: list[float], verdict: ChangeVerdict
) -> None:
    change = judge(make_check(), pair(base, candidate))
    assert change.verdict is verdict
    assert change.part is not None
    worst = np.abs(candidate) - np.abs(base)
    expected = worst.min() if verdict is IMPROVEMENT else worst.max()
    assert change.part.worsening is not None
    assert change.part.worsening == pytest.approx(expected, abs=1e-9)
    assert change.part.low is not None
    assert change.part.high is not None
    assert change.part.low <= change.part.worsening <= change.part.high


def test_a_turned_disparity_says_so() -> None:
    change = judge(make_check(), pair([0.3, 0.0], [-0.3, 0.0]))
    assert "on the other side" in change.plain
    assert change.more_prompts is None


def test_an_open_change_says_how_much_more_would_settle_it() -> None:
    change = judge(make_check(), pair([0.0], [0.05], se=0.03))
    assert change.verdict is OPEN
    assert change.more_prompts is not None
    assert change.more_clusters is not None
    assert f"about {change.more_prompts:,} more prompts would" in change.plain
    far = judge(make_check(), pair([0.0], [0.0999], se=0.03))
    assert far.more_prompts is None
    assert "even 100 times" in far.plain


@given(
    st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(-1, 1), st.floats(0, 1)),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_the_interval_of_the_worsening_is_its_range_over_both_intervals(
    ends: tuple[float, float, float, float], places: list[tuple[float, float]]
) -> None:
    change, total = (ends[0], ends[0] + ends[1]), (ends[2], ends[2] + ends[3])
    low, high = widening(change, total)
    for along, up in places:
        d = change[0] + along * ends[1]
        s = total[0] + up * ends[3]
        base, candidate = (s - d) / 2, (s + d) / 2
        worsening = abs(candidate) - abs(base)
        assert low - 1e-9 <= worsening <= high + 1e-9


@pytest.mark.parametrize(
    ("rose", "fell", "verdict"),
    [(60, 0, REGRESSION), (0, 60, IMPROVEMENT), (1, 1, UNCHANGED), (12, 3, OPEN)],
)
def test_of_a_ceiling_higher_is_worse(rose: int, fell: int, verdict: ChangeVerdict) -> None:
    change = judge(ceiling_check(), rates(rose, fell, 200))
    assert change.verdict is verdict
    assert change.part is not None
    assert change.part.change == pytest.approx((rose - fell) / 200)
    assert (change.part.low, change.part.high) == (change.part.change_low, change.part.change_high)
    assert "rises minus falls" in change.part.method
    assert "candidate - base" in change.exact


def test_the_paired_interval_joins_those_of_rises_and_falls() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 2635, table II: e = 36, f = 12, g = 2, h = 0 has
    # 0.2000, 0.0569 to 0.3404 by his method 10, which joins the intervals of the two rates; ours
    # joins those of rises and falls, which are a little wider, and is only near.
    part = PairedSharePart(*(WilsonPart(n / 50, 50, None, 1.0, "w") for n in (12, 2)))
    rise, fall = part.rose.interval(0.05), part.fell.interval(0.05)
    c = -np.sqrt(0.24 * 0.04 / (0.76 * 0.96))
    down, up = 0.24 - rise[0], fall[1] - 0.04
    low = 0.2 - np.sqrt(down**2 - 2 * c * down * up + up**2)
    assert part.interval(0.05)[0] == pytest.approx(low)
    assert part.interval(0.05) == pytest.approx((0.0569, 0.3404), abs=0.02)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 20), st.integers(0, 20), st.floats(-0.6, 0.6), st.floats(0.001, 0.3))
def test_a_paired_rates_interval_and_p_agree(
    rose: int, fell: int, bound: float, alpha: float
) -> None:
    part = PairedSharePart(*(WilsonPart(n / 50, 50, None, 1.0, "w") for n in (rose, fell)))
    low, high = part.interval(alpha)
    p = part.p_value(bound)
    if abs(p - alpha) > 1e-6:
        assert (p < alpha) is bool(bound < low or bound > high)
    growth = part.growth(bound, alpha, 0.8)
    assert growth > 0
    assert part.detectable(alpha, 0.8) >= max(part.value - low, high - part.value) - 1e-9


def test_missing_outcomes_are_bounded_and_limited() -> None:
    moves = np.zeros((200, 1))
    lowest, highest = moves.copy(), moves.copy()
    lowest[:30], highest[:30] = -1.0, 1.0
    observed = moves.copy()
    observed[:30] = np.nan
    bounded = disparity(observed, lowest=lowest, highest=highest, n_missing=30, n=170)
    measured = replace(pair([0.0], [0.0]), change=bounded)
    check = ceiling_check(metric="expected_max_toxicity", margin=0.1)
    change = judge(check, measured)
    assert change.verdict is OPEN
    assert "30 outcomes are missing" in change.plain
    assert (change.n, change.n_missing) == (170, 30)
    strict = judge(check, measured, max_missing=0.1)
    assert strict.verdict is NOT_TESTED
    assert "30 of 200" in strict.plain
    assert strict.part is None


def test_what_was_not_measured_or_is_undefined_is_not_tested() -> None:
    (change,) = compare_measurements(make_policy(make_check()), {}, {"c": "No such set."})
    assert (change.verdict, change.plain) == (NOT_TESTED, "No such set.")
    measured = pair([0.0], [0.0])
    empty = replace(measured.change, observed=None, parts=(), reason="candidate: nothing")
    change = judge(make_check(), replace(measured, change=empty))
    assert change.verdict is NOT_TESTED
    assert "candidate: nothing" in change.plain


def test_one_model_with_equal_outcomes_is_unchanged_without_statistics() -> None:
    measured = replace(pair([0.1], [0.1]), identical=True)
    policy = make_policy(make_check())
    (same,) = compare_measurements(policy, {"c": measured}, {}, one_model=True)
    assert same.verdict is UNCHANGED
    assert same.p_value is None
    (other,) = compare_measurements(policy, {"c": measured}, {})
    assert other.p_value is not None


def test_holm_runs_over_the_checks() -> None:
    names = ("a", "b", "c")
    policy = make_policy(*(make_check(name) for name in names))
    pairs = {"a": pair([0.0], [0.3]), "b": pair([0.0], [0.0]), "c": pair([0.0], [0.1])}
    first, second, third = compare_measurements(policy, pairs, {})
    levels = [change.part.level for change in (first, second, third) if change.part]
    assert levels == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 1 - 0.05])
    assert [one.verdict for one in (first, second, third)] == [REGRESSION, UNCHANGED, OPEN]


@pytest.mark.parametrize(
    ("verdicts", "overall", "code"),
    [
        ([(UNCHANGED, True), (REGRESSION, False)], REGRESSION, 1),
        ([(UNCHANGED, True), (OPEN, True)], OPEN, 3),
        ([(UNCHANGED, True), (NOT_TESTED, True)], OPEN, 3),
        ([(UNCHANGED, True), (OPEN, False)], UNCHANGED, 0),
        ([(UNCHANGED, True), (IMPROVEMENT, True)], IMPROVEMENT, 0),
        ([(NOT_TESTED, False)], OPEN, 3),
        ([], OPEN, 3),
    ],
)
def test_the_verdict_of_a_comparison(
    verdicts: list[tuple[ChangeVerdict, bool]], overall: ChangeVerdict, code: int
) -> None:
    change = judge(make_check(), pair([0.0], [0.0]))
    changes = [replace(change, verdict=given, required=must) for given, must in verdicts]
    assert overall_change(changes) is overall
    assert change_exit_code(overall) == code
