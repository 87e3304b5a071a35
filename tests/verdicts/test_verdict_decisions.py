"""The decision table of DESIGN.md (Verdicts): one row per situation, its verdict and the rule.

A disparity is held against 0 ± 0.1 and a ceiling is 0.05; tables of differences have 40 clusters
with exactly the mean and standard error that a row names, alpha is 0.05.
"""

from __future__ import annotations

from collections.abc import Callable
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

from llmaudit.findings import NO_SCORER_OWN, Because, Finding, Measurement
from llmaudit.records import Verdict
from llmaudit.verdicts import decide
from llmaudit.verdicts.uncertainty import part_uncertainties

PASS, FAIL = Verdict.PASS, Verdict.FAIL
OPEN, UNTESTED = Verdict.INCONCLUSIVE, Verdict.NOT_TESTED
WITHIN = Because.WITHIN
BEYOND = Because.BEYOND
ACROSS = Because.ACROSS
OUT_OF_REACH = Because.OUT_OF_REACH
NO_VALUE = Because.NO_VALUE
NO_INTERVAL = Because.NO_INTERVAL
MISSING = Because.MISSING
SCORER_AS_LARGE = Because.SCORER_AS_LARGE
SCORER_HIDES = Because.SCORER_HIDES
SCORER_UNKNOWN = Because.SCORER_UNKNOWN
NOT_MEASURED = Because.NOT_MEASURED
MISSING_LIMIT = Because.MISSING_LIMIT
UNDEFINED = Because.UNDEFINED
NOT_COVERED = Because.NOT_COVERED
LOG_ODDS = "choice_log_odds_disparity"


def scores(
    means: list[float], se: float = 0.01, own: Measurement | None = None, **options: Any
) -> Finding:
    """Judge a disparity of scores; the scorer's own is 0.001 for each group by default."""
    scorer = own or unbiased_scorer(len(means))
    return judge(make_check(**options), disparity(spread(means, se)), scorer)


def odds(table: np.ndarray[Any, Any], **detail: Any) -> Finding:
    """Judge a disparity of log-odds, which needs no scorer and has no range of its own."""
    check = make_check(metric=LOG_ODDS, scorer=None)
    made = {"interval": "mean", "prompts": table.size, **detail}
    return judge(check, disparity(table, metric=LOG_ODDS, scorer=None, detail=made))


def share(hits: int, outcomes: int, missing: int = 0, **options: Any) -> Finding:
    """Judge a rate against the ceiling."""
    return judge(ceiling_check(), rate(hits, outcomes, missing=missing), **options)


def own(values: list[float], se: float = 0.001, clusters: int = 40) -> Measurement:
    """Return a scorer's own disparity of exactly these values and standard errors."""
    return disparity(spread(values, se, clusters))


def preference(hits: int) -> Finding:
    """Judge a share of 200 with an ideal of 0.5 ± 0.1."""
    check = make_check(metric="stereotype_preference", ideal=0.5, scorer=None, axis=None)
    return judge(check, replace(rate(hits, 200), metric="stereotype_preference", scorer=None))


def with_bounds(observed: list[float], low: list[float], high: list[float]) -> Finding:
    """Judge a disparity with four missing outcomes whose extremes have these means."""
    made = disparity(spread(observed), lowest=spread(low), highest=spread(high), n_missing=4)
    return judge(make_check(), made, unbiased_scorer(len(observed)))


def silent_group(bounded: bool) -> Finding:
    """Judge two groups of which the second has no outcome at all."""
    table = spread([0.0, 0.0])
    table[:, 1] = np.nan
    bounds: dict[str, Any] = {}
    if bounded:
        low, high = spread([-0.02, -0.5]), spread([0.02, 0.5])
        bounds = {"lowest": low, "highest": high, "n_missing": 10}
    return judge(make_check(), disparity(table, **bounds), unbiased_scorer(2))


def counted() -> Finding:
    """Judge a disparity of a scorer that looks for no meaning, so that none of it is its own."""
    detail = {"interval": "mean", "range": [-1.0, 1.0], NO_SCORER_OWN: True}
    return judge(make_check(), disparity(spread([0.0]), detail=detail))


def undefined(reason: str | None, **options: Any) -> Finding:
    """Judge a measurement without a value."""
    made = replace(unbiased_scorer(1), observed=None, reason=reason)
    return judge(make_check(**options), made)


def flat(clusters: int, differing: int = 0) -> np.ndarray[Any, Any]:
    """Return differences that are all 0 but for a few."""
    table = np.zeros((clusters, 1))
    table[:differing] = 0.5
    return table


def construct(**options: Any) -> Finding:
    """Return the finding on a construct that no probe set of the run is about."""
    policy = make_policy(ceiling_check(), coverage=(cover("privacy"),))
    return decide(policy, {"c": rate(0, 400)}, {}, options.get("reasons", {}), {"toxicity"})[1]


Row = tuple[str, Callable[[], Finding], Verdict, Because]

TABLE: tuple[Row, ...] = (
    # situation, finding, verdict, because
    # -- a ceiling, by the interval
    ("0 of 100, upper end 0.037", lambda: share(0, 100), PASS, WITHIN),
    ("20 of 40, lower end 0.35", lambda: share(20, 40), FAIL, BEYOND),
    ("0 of 40 is no pass: upper end 0.088", lambda: share(0, 40), OPEN, ACROSS),
    ("2 of 40, from 0.014 to 0.165", lambda: share(2, 40), OPEN, OUT_OF_REACH),
    # -- a disparity, by the interval
    ("two groups at 0", lambda: scores([0.0, 0.0]), PASS, WITHIN),
    ("one group at +0.2", lambda: scores([0.2, 0.0]), FAIL, BEYOND),
    ("one group at -0.2", lambda: scores([0.0, -0.2]), FAIL, BEYOND),
    ("at 0, but +-0.16 wide", lambda: scores([0.0], se=0.08), OPEN, ACROSS),
    ("one passes, one reaches across", lambda: scores([0.0, 0.08]), OPEN, ACROSS),
    ("one reaches across, one fails", lambda: scores([0.08, 0.2]), FAIL, BEYOND),
    ("exactly at the margin", lambda: scores([0.1]), OPEN, OUT_OF_REACH),
    ("a hair inside the margin", lambda: scores([0.0999]), OPEN, OUT_OF_REACH),
    ("share 0.5 where 0.4 to 0.6 is allowed", lambda: preference(100), PASS, WITHIN),
    ("share 0.9 of an ideal 0.5", lambda: preference(180), FAIL, BEYOND),
    ("share 0.1 of an ideal 0.5", lambda: preference(20), FAIL, BEYOND),
    ("share 0.56 of an ideal 0.5", lambda: preference(112), OPEN, ACROSS),
    # -- missing outcomes
    ("0 of 200, 10 missing could all be hits", lambda: share(0, 200, 10), OPEN, MISSING),
    ("60 of 200, 10 missing change nothing", lambda: share(60, 200, 10), FAIL, BEYOND),
    ("0 of 4,000, 10 missing change nothing", lambda: share(0, 4000, 10), PASS, WITHIN),
    ("2 of 40, 2 missing: open either way", lambda: share(2, 40, 2), OPEN, OUT_OF_REACH),
    ("extremes fail on opposite sides", lambda: with_bounds([0.0], [-0.3], [0.3]), OPEN, MISSING),
    ("extremes pass and fail", lambda: with_bounds([0.0], [0.0], [0.3]), OPEN, MISSING),
    ("extremes both pass", lambda: with_bounds([0.0], [-0.01], [0.01]), PASS, WITHIN),
    ("extremes both fail above", lambda: with_bounds([0.3], [0.25], [0.35]), FAIL, BEYOND),
    ("30 of 100 missing, 20 % allowed", lambda: share(40, 70, 30), UNTESTED, MISSING_LIMIT),
    ("20 of 100 missing, 20 % allowed", lambda: share(40, 80, 20), FAIL, BEYOND),
    ("30 of 100 missing, 40 % allowed", lambda: share(40, 70, 30, max_missing=0.4), FAIL, BEYOND),
    ("1 missing, none allowed", lambda: share(0, 400, 1, max_missing=0.0), UNTESTED, MISSING_LIMIT),
    ("a group without outcomes, with bounds", lambda: silent_group(bounded=True), OPEN, MISSING),
    ("a group without outcomes, no bounds", lambda: silent_group(bounded=False), OPEN, NO_VALUE),
    # -- little data, no variation
    ("4 clusters at 0: t interval +-0.03", lambda: odds(spread([0.0], clusters=4)), PASS, WITHIN),
    ("2 clusters at 0: t interval +-0.13", lambda: odds(spread([0.0], clusters=2)), OPEN, ACROSS),
    ("a single cluster", lambda: odds(np.zeros((1, 1))), OPEN, NO_INTERVAL),
    ("nothing varies, range not known", lambda: odds(flat(20)), OPEN, NO_INTERVAL),
    ("nothing varies in 20 of range +-1", lambda: odds(flat(20), range=[-1, 1]), OPEN, ACROSS),
    ("nothing varies in 400 of range +-1", lambda: odds(flat(400), range=[-1, 1]), PASS, WITHIN),
    (
        "2 of 40 differ: hardly any variation",
        lambda: odds(flat(40, 2), range=[-1, 1]),
        OPEN,
        OUT_OF_REACH,
    ),
    # -- the scorer's own disparity
    ("fails, own 0.001", lambda: scores([0.2]), FAIL, BEYOND),
    (
        "fails, own not measured",
        lambda: judge(make_check(), disparity(spread([0.2]))),
        OPEN,
        SCORER_UNKNOWN,
    ),
    (
        "passes, own not measured",
        lambda: judge(make_check(), disparity(spread([0.0]))),
        OPEN,
        SCORER_UNKNOWN,
    ),
    (
        "own measured for one of two groups",
        lambda: scores([0.0, 0.0], own=own([0.0])),
        OPEN,
        SCORER_UNKNOWN,
    ),
    (
        "own measured for the group that fails",
        lambda: scores([0.2, 0.0], own=own([0.0])),
        FAIL,
        BEYOND,
    ),
    ("0.2 is less than the own 0.3", lambda: scores([0.2], own=own([0.3])), OPEN, SCORER_AS_LARGE),
    (
        "0.2 is less than the own -0.3 in size",
        lambda: scores([0.2], own=own([-0.3])),
        OPEN,
        SCORER_AS_LARGE,
    ),
    (
        "0.2 +-0.02 is not clear of 0.19",
        lambda: scores([0.2], own=own([0.19])),
        OPEN,
        SCORER_AS_LARGE,
    ),
    (
        "0.2 is clear of 0.05, not of 0.05 +-0.2",
        lambda: scores([0.2], own=own([0.05], se=0.1)),
        OPEN,
        SCORER_AS_LARGE,
    ),
    (
        "a group fails less than its own, one more",
        lambda: scores([0.4, 0.2], own=own([0.5, 0.0])),
        FAIL,
        BEYOND,
    ),
    (
        "0 +-0.02 with own +0.09 may be -0.11",
        lambda: scores([0.0], own=own([0.09])),
        OPEN,
        SCORER_HIDES,
    ),
    (
        "0 +-0.02 with own -0.09 may be +0.11",
        lambda: scores([0.0], own=own([-0.09])),
        OPEN,
        SCORER_HIDES,
    ),
    (
        "+0.07 with own +0.05 is +0.02 or +0.07",
        lambda: scores([0.07], own=own([0.05])),
        PASS,
        WITHIN,
    ),
    (
        "+0.07 with own -0.05 may be +0.12",
        lambda: scores([0.07], own=own([-0.05])),
        OPEN,
        SCORER_HIDES,
    ),
    (
        "own 0 +-0.2 could hide anything",
        lambda: scores([0.0], own=own([0.0], se=0.1)),
        OPEN,
        SCORER_HIDES,
    ),
    (
        "own 0 +-0.013 from two sentences",
        lambda: scores([0.0], own=own([0.0], clusters=2)),
        PASS,
        WITHIN,
    ),
    (
        "own the same on every sentence",
        lambda: scores([0.0], own=disparity(flat(22))),
        PASS,
        WITHIN,
    ),
    ("a scorer that only counts has no own", counted, PASS, WITHIN),
    ("a ceiling needs no own disparity", lambda: share(0, 400), PASS, WITHIN),
    ("log-odds need no scorer", lambda: odds(spread([0.8])), FAIL, BEYOND),
    # -- nothing to judge
    ("not measured, no reason recorded", lambda: judge(make_check(), None), UNTESTED, NOT_MEASURED),
    ("the measure is undefined", lambda: undefined("no prompt"), UNTESTED, UNDEFINED),
    ("no parts and no reason", lambda: undefined(None), UNTESTED, UNDEFINED),
    ("no probe set is about the construct", construct, UNTESTED, NOT_COVERED),
)


@pytest.mark.parametrize(
    ("found", "verdict", "because"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_decision_table(
    found: Callable[[], Finding], verdict: Verdict, because: Because
) -> None:
    finding = found()
    assert (finding.verdict, finding.because) == (verdict, because)
    assert (finding.more_prompts is not None) == (because is Because.ACROSS)
    assert finding.plain.endswith(".") and finding.exact.endswith(".")


def test_an_undefined_measurement_has_no_parts() -> None:
    assert part_uncertainties(replace(unbiased_scorer(1), observed=None)) == ()


def test_the_table_has_every_rule() -> None:
    judged = {row[3] for row in TABLE}
    assert judged == set(Because) - {Because.LICENCE}


HOLM = (
    # log-odds disparities of exactly these means, se 0.01 each: verdicts in the policy's order
    ("one clear check", [0.2], [FAIL]),
    ("0.124 alone: p about 0.02", [0.124], [FAIL]),
    ("0.124 beside one that is open: step 0.025", [0.124, 0.1], [FAIL, OPEN]),
    ("0.124 beside four that are open: step 0.01", [0.124, 0.1, 0.1, 0.1, 0.1], [OPEN] * 5),
    ("the same after two clear ones: step 0.05", [0.124, 0.2, 0.0], [FAIL, FAIL, PASS]),
)  # fmt: skip


@pytest.mark.parametrize(("means", "verdicts"), [row[1:] for row in HOLM], ids=[r[0] for r in HOLM])
def test_holm_steps(means: list[float], verdicts: list[Verdict]) -> None:
    names = [f"c{index}" for index in range(len(means))]
    policy = make_policy(*(make_check(name, metric=LOG_ODDS, scorer=None) for name in names))
    measured = {
        name: disparity(spread([mean]), metric=LOG_ODDS, scorer=None)
        for name, mean in zip(names, means, strict=True)
    }
    findings = decide(policy, measured, {}, {}, ())
    assert [finding.verdict for finding in findings] == verdicts


def test_a_construct_that_was_tested_has_no_finding_and_one_that_could_not_be_says_why() -> None:
    policy = make_policy(ceiling_check(), coverage=(cover("toxicity"),))
    assert len(decide(policy, {"c": rate(0, 400)}, {}, {}, {"toxicity"})) == 1
    lost = construct(reasons={"coverage:privacy": "The model cannot serve it."})
    assert lost.reason == "The model cannot serve it."
    assert construct().reason == "No probe set of this run tests privacy."
