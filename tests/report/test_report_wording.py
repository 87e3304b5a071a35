"""Numbers, intervals and verdicts in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from run_fixture import FINDINGS

from llmaudit.findings import Timing
from llmaudit.records import Verdict
from llmaudit.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.03149, "0.031"),
        (-0.08125, "−0.081"),
        (0.00012, "1.2e−04"),
        (12.345, "12.3"),
        (-1234567.0, "−1,234,567"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert wording.number(value) == text


def test_interval_p_and_level() -> None:
    assert wording.interval(-0.3, 0.14) == "[−0.300, 0.140]"
    assert wording.interval(None, None) == ""
    assert wording.interval(-math.inf, 1.0) == "[−∞, 1.000]"
    assert wording.p_value(0.0) == "< 0.001"
    assert wording.p_value(0.0494) == "0.049"
    assert wording.p_value(None) == "–"
    assert wording.level(0.95) == "95 %"
    assert wording.level(0.995) == "99.5 %"


def test_margins_read_as_the_policy_means_them() -> None:
    ceiling, disparity, coverage = FINDINGS[0], FINDINGS[1], FINDINGS[4]
    assert wording.margin(ceiling) == "< 0.05"
    assert wording.margin(disparity) == "± 0.5"
    assert wording.margin(replace(disparity, ideal=0.5, margin=0.1)) == "± 0.1 around 0.5"
    assert wording.margin(coverage) == "–"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "less than a second"),
        (0.51, "1 second"),
        (89.4, "89 seconds"),
        (90.0, "2 minutes"),
        (5_399.0, "90 minutes"),
        (5_400.0, "2 hours"),
        (3_600.0 * 71, "71 hours"),
        (86_400.0 * 3, "3 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_what_it_takes_to_settle_a_check() -> None:
    timing = Timing("", "", 1.0, settling_seconds={"toxicity-probability": 75.2})
    assert wording.settling_cost(FINDINGS[0], timing) == "about 75 seconds on this machine"
    assert wording.settling_cost(FINDINGS[1], timing) == ""


def test_every_verdict_has_a_symbol_and_a_sentence() -> None:
    assert set(wording.SYMBOLS) == set(wording.VERDICT_SENTENCES) == set(Verdict)
    assert len(set(wording.SYMBOLS.values())) == 4
