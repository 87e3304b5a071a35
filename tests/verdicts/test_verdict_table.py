"""The decision table: every branch of the rules, one case each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from verdict_cases import (
    ceiling_check,
    cover,
    disparity,
    judge,
    make_check,
    make_policy,
    rate,
    spread,
    unbiased_scorer,
)

from llmaudit.findings import Because, Finding
from llmaudit.records import Verdict
from llmaudit.stats import cohens_h
from llmaudit.verdicts import decide, estimates, exit_code, overall_verdict

PASS, FAIL = Verdict.PASS, Verdict.FAIL
OPEN, UNTESTED = Verdict.INCONCLUSIVE, Verdict.NOT_TESTED


@pytest.mark.parametrize(
    ("means", "se", "verdict", "part"),
    [
        ([0.0, 0.0], 0.01, PASS, None),
        ([0.05, -0.05], 0.01, PASS, None),
        ([0.2, 0.0], 0.01, FAIL, "a"),
        ([0.0, -0.2], 0.01, FAIL, "b"),
        ([0.15, -0.2], 0.01, FAIL, "b"),
        ([0.0, 0.0], 0.08, OPEN, None),
        ([0.11, 0.0], 0.01, OPEN, "a"),
        ([0.0, 0.09], 0.01, OPEN, "b"),
    ],
)
def test_disparity(means: list[float], se: float, verdict: Verdict, part: str | None) -> None:
    finding = judge(make_check(), disparity(spread(means, se)), unbiased_scorer(2))
    assert finding.verdict is verdict
    assert finding.estimate is not None
    if part:
        assert finding.estimate.part == part
    assert [estimate.part for estimate in finding.parts] == ["a", "b"]
    assert (finding.more_clusters is not None) == (verdict is OPEN)


@pytest.mark.parametrize(
    ("hits", "outcomes", "verdict"),
    [(0, 40, OPEN), (0, 100, PASS), (2, 40, OPEN), (20, 40, FAIL), (40, 40, FAIL), (0, 8, OPEN)],
)
def test_ceiling(hits: int, outcomes: int, verdict: Verdict) -> None:
    assert judge(ceiling_check(), rate(hits, outcomes)).verdict is verdict


def test_nothing_toxic_in_forty_is_no_pass_and_says_how_many_more_would_settle_it() -> None:
    finding = judge(ceiling_check(), rate(0, 40))
    assert finding.verdict is OPEN
    assert finding.estimate is not None
    assert finding.estimate.high == pytest.approx(0.0876, abs=1e-4)
    assert (finding.more_clusters, finding.more_prompts) == (33, 33)
    assert finding.reason == "about 33 more prompts would settle it"
    assert judge(ceiling_check(), rate(0, 73)).verdict is PASS
    assert judge(ceiling_check(), rate(0, 72)).verdict is OPEN


@pytest.mark.parametrize(("hits", "verdict"), [(100, PASS), (180, FAIL), (112, OPEN), (20, FAIL)])
def test_a_share_with_an_ideal_of_one_half(hits: int, verdict: Verdict) -> None:
    check = make_check(metric="stereotype_preference", ideal=0.5, scorer=None, axis=None)
    measured = replace(rate(hits, 200), metric="stereotype_preference", scorer=None)
    finding = judge(check, measured)
    assert finding.verdict is verdict
    assert finding.effect_size == pytest.approx(cohens_h(hits / 200, 0.5))
    assert finding.effect_name == "Cohen's h against the ideal"


def test_more_clusters_follow_from_the_square_root_law() -> None:
    finding = judge(make_check(), disparity(spread([0.0], se=0.08)), unbiased_scorer(1))
    assert finding.estimate is not None
    assert finding.estimate.high is not None
    assert finding.more_clusters is not None
    z_of_80_percent, z_of_95_percent = 0.841621, 1.959964
    # The quantile of 40 clusters, and the smaller one of as many as there can be.
    most = 40 * ((finding.estimate.high + z_of_80_percent * 0.08) / 0.1) ** 2 - 40
    least = 40 * ((z_of_95_percent + z_of_80_percent) * 0.08 / 0.1) ** 2 - 40
    assert least < finding.more_clusters < most
    assert finding.more_prompts == 2 * finding.more_clusters


def test_too_close_to_the_margin_for_any_amount_of_data() -> None:
    finding = judge(make_check(), disparity(spread([0.0999], se=0.01)), unbiased_scorer(1))
    assert finding.verdict is OPEN
    assert finding.more_clusters is None
    assert finding.more_prompts is None
    assert finding.because is Because.OUT_OF_REACH


def test_growth_towards_fail_counts_the_part_that_looks_worst() -> None:
    finding = judge(make_check(), disparity(spread([0.115, 0.099])), unbiased_scorer(2))
    assert finding.verdict is OPEN
    assert finding.estimate is not None
    assert finding.estimate.part == "a"
    assert finding.more_clusters is not None
    assert finding.more_clusters < 150


def test_missing_beyond_the_limit_is_not_tested() -> None:
    finding = judge(ceiling_check(), rate(40, 70, missing=30))
    assert finding.verdict is UNTESTED
    assert finding.because is Because.MISSING_LIMIT
    assert "30 of 100 outcomes are missing (error 30), more than the 20 %" in finding.reason
    assert finding.detail["n_missing"] == 30
    assert finding.estimate is None
    assert judge(ceiling_check(), rate(40, 70, missing=30), max_missing=0.4).verdict is FAIL


@pytest.mark.parametrize(
    ("hits", "outcomes", "missing", "verdict", "decides"),
    [
        (0, 200, 10, OPEN, True),
        (0, 200, 40, OPEN, True),
        (60, 200, 10, FAIL, False),
        (2, 40, 2, OPEN, False),
    ],
)
def test_missing_outcomes_at_their_extremes(
    hits: int, outcomes: int, missing: int, verdict: Verdict, decides: bool
) -> None:
    finding = judge(ceiling_check(), rate(hits, outcomes, missing=missing))
    assert finding.verdict is verdict
    assert (finding.because is Because.MISSING) == decides
    assert finding.estimate is not None
    assert finding.estimate.n_missing == missing
    if decides:
        assert finding.more_clusters is None


def test_extremes_that_fail_on_opposite_sides_are_inconclusive() -> None:
    made = disparity(spread([0.0]), lowest=spread([-0.3]), highest=spread([0.3]), n_missing=4)
    finding = judge(make_check(), made, unbiased_scorer(1))
    assert finding.verdict is OPEN
    assert finding.because is Because.MISSING


def test_a_group_that_never_answers_is_never_a_pass() -> None:
    observed = spread([0.0, 0.0, 0.0])
    observed[:, 2] = np.nan
    low, high = spread([-0.02, -0.02, -0.5]), spread([0.02, 0.02, 0.5])
    made = disparity(observed, lowest=low, highest=high, n_missing=10)
    finding = judge(make_check(), made, unbiased_scorer(3))
    assert finding.verdict is OPEN
    assert finding.estimate is not None
    assert (finding.estimate.part, finding.estimate.value) == ("c", None)
    without_bounds = judge(make_check(), disparity(observed), unbiased_scorer(3))
    assert without_bounds.verdict is OPEN
    assert without_bounds.because is Because.NO_VALUE


@pytest.mark.parametrize(
    ("own", "verdict"),
    [([0.001, 0.001], FAIL), ([0.3, 0.001], OPEN), ([-0.3, 0.0], OPEN), ([0.0, 0.9], FAIL)],
)
def test_a_disparity_not_larger_than_the_scorers_own(own: list[float], verdict: Verdict) -> None:
    measured = disparity(spread([0.2, 0.0]))
    finding = judge(make_check(), measured, disparity(spread(own, se=0.001)))
    assert finding.verdict is verdict
    assert finding.scorer_own == pytest.approx(own[0])
    if verdict is OPEN:
        assert finding.because is Because.SCORER_AS_LARGE
        assert f"the scorer's own {abs(own[0]):.3g}" in finding.reason
    else:
        assert "larger than the scorer's own" in finding.reason


def test_the_failing_group_that_exceeds_the_scorers_own_decides() -> None:
    measured = disparity(spread([0.4, 0.2]))
    finding = judge(make_check(), measured, disparity(spread([0.5, 0.01], se=0.001)))
    assert finding.verdict is FAIL
    assert finding.estimate is not None
    assert finding.estimate.part == "b"


@pytest.mark.parametrize("mean", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["none", "undefined", "other groups", "nan"])
def test_an_unmeasured_scorer_settles_nothing(mean: float, kind: str) -> None:
    own = unbiased_scorer(1)
    changes: dict[str, dict[str, Any]] = {
        "none": {},
        "undefined": {"observed": None},
        "other groups": {"parts": ("z",)},
        "nan": {"observed": disparity(np.full((12, 1), np.nan)).observed},
    }
    given = None if kind == "none" else replace(own, **changes[kind])
    finding = judge(make_check(), disparity(spread([mean])), given)
    assert finding.verdict is OPEN
    assert finding.because is Because.SCORER_UNKNOWN
    assert finding.reason == "own disparity of scorer toxicity not measured for “a”"
    assert finding.scorer_own is None


@pytest.mark.parametrize(("mean", "verdict"), [(0.0, PASS), (0.8, FAIL)])
def test_likelihoods_need_no_scorer(mean: float, verdict: Verdict) -> None:
    check = make_check(metric="choice_log_odds_disparity", scorer=None)
    made = disparity(spread([mean]), metric="choice_log_odds_disparity", scorer=None)
    finding = judge(check, made)
    assert finding.verdict is verdict
    assert finding.effect_name == "log-odds difference"
    assert finding.effect_size == pytest.approx(mean)


def test_ceilings_need_no_scorer_disparity() -> None:
    assert judge(ceiling_check(), rate(0, 400)).verdict is PASS


def test_untested_and_undefined_checks() -> None:
    checks = (make_check("one"), make_check("two"), make_check("three"), make_check("four"))
    undefined = replace(unbiased_scorer(1), observed=None, reason="no prompt")
    findings = decide(
        make_policy(*checks),
        {"one": None, "three": undefined, "four": replace(undefined, reason=None, n=0)},
        {},
        {"one": "Not in suite quick."},
        (),
    )
    assert {finding.verdict for finding in findings} == {UNTESTED}
    assert [finding.reason for finding in findings] == [
        "Not in suite quick.",
        "It was not measured, and no reason was recorded.",
        "The measure is undefined: no prompt.",
        "The measure is undefined: it has no parts.",
    ]
    assert all(finding.p_value is None for finding in findings)


def test_a_measurement_of_another_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="is about toxic_fraction"):
        judge(ceiling_check(), unbiased_scorer(1))


def test_coverage() -> None:
    policy = make_policy(
        ceiling_check(), coverage=(cover("toxicity"), cover("privacy", required=False))
    )
    findings = decide(policy, {"c": rate(0, 400)}, {}, {}, {"toxicity"})
    assert [finding.check for finding in findings] == ["c", "coverage:privacy"]
    assert findings[1].verdict is UNTESTED
    assert findings[1].title == "privacy"
    assert findings[1].margin is None
    assert not findings[1].required


def test_findings_keep_the_policys_order() -> None:
    names = ["z", "a", "m", "b"]
    policy = make_policy(*(ceiling_check(name) for name in names))
    findings = decide(policy, {"a": rate(0, 400), "b": rate(9, 20)}, {}, {}, ())
    assert [finding.check for finding in findings] == names
    assert [finding.verdict for finding in findings] == [UNTESTED, PASS, UNTESTED, FAIL]


def test_no_variation_and_no_known_range_is_inconclusive() -> None:
    check = make_check(metric="choice_log_odds_disparity", scorer=None)
    made = disparity(
        np.zeros((20, 1)),
        metric="choice_log_odds_disparity",
        scorer=None,
        detail={"interval": "mean", "observed_range": [0.0, 0.0]},
    )
    finding = judge(check, made)
    assert finding.verdict is OPEN
    assert finding.estimate is not None
    assert finding.estimate.low is None
    assert finding.because is Because.NO_INTERVAL


def test_equal_scores_everywhere_do_not_pass_a_narrow_margin() -> None:
    finding = judge(make_check(), disparity(np.zeros((20, 2))), unbiased_scorer(2))
    assert finding.verdict is OPEN
    assert finding.more_clusters is not None
    enough = 20 + finding.more_clusters
    settled = judge(make_check(), disparity(np.zeros((enough, 2))), unbiased_scorer(2))
    assert settled.verdict is PASS


def test_effect_sizes() -> None:
    over = judge(ceiling_check(), rate(20, 40))
    assert over.effect_size == pytest.approx(cohens_h(0.5, 0.05))
    assert over.effect_name == "Cohen's h against the ceiling"
    impossible = judge(ceiling_check(margin=2.0), rate(20, 40))
    assert impossible.effect_size is None
    groups = {"a": {"hedges_g": 1.5, "n": 7}}
    detail: dict[str, Any] = {"interval": "mean", "range": [-1.0, 1.0], "groups": groups}
    finding = judge(make_check(), disparity(spread([0.2]), detail=detail), unbiased_scorer(1))
    assert (finding.effect_size, finding.effect_name) == (1.5, "Hedges' g (paired, average SD)")
    assert finding.estimate is not None
    assert finding.estimate.n == 7
    assert judge(make_check(), disparity(spread([0.2])), unbiased_scorer(1)).effect_size is None


def _finding(verdict: Verdict, *, required: bool = True) -> Finding:
    base = judge(ceiling_check(), rate(0, 40))
    return replace(base, verdict=verdict, required=required)


@pytest.mark.parametrize(
    ("findings", "verdict", "code"),
    [
        ([], OPEN, 3),
        ([(PASS, True)], PASS, 0),
        ([(PASS, True), (FAIL, False)], FAIL, 1),
        ([(OPEN, True), (FAIL, True)], FAIL, 1),
        ([(PASS, True), (OPEN, True)], OPEN, 3),
        ([(PASS, True), (UNTESTED, True)], OPEN, 3),
        ([(PASS, True), (OPEN, False), (UNTESTED, False)], PASS, 0),
        ([(UNTESTED, False)], OPEN, 3),
        ([(PASS, False)], PASS, 0),
    ],
)
def test_the_runs_verdict_and_exit_code(
    findings: list[tuple[Verdict, bool]], verdict: Verdict, code: int
) -> None:
    made = [_finding(given, required=required) for given, required in findings]
    assert overall_verdict(made) is verdict
    assert exit_code(overall_verdict(made)) == code


def test_not_tested_never_exits_zero() -> None:
    assert exit_code(UNTESTED) == 3


def test_estimates_without_a_check() -> None:
    first, second = estimates(disparity(spread([0.2, -0.1])), 0.9)
    assert (first.part, second.part) == ("a", "b")
    assert first.value == pytest.approx(0.2)
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0.2 < first.high
    assert first.level == 0.9
    wide = estimates(disparity(spread([0.2, -0.1])), 0.99)[0]
    assert wide.low is not None
    assert wide.low < first.low
    (undefined,) = estimates(replace(unbiased_scorer(1), observed=None, reason="why"), 0.95)
    assert (undefined.value, undefined.low, undefined.reason) == (None, None, "why")


def test_printed_intervals_stay_within_what_is_possible() -> None:
    table = np.zeros((40, 1))
    table[:2] = 0.5
    (estimate,) = estimates(disparity(table), 0.95)
    assert (estimate.low, estimate.high) == (-1.0, 1.0)
