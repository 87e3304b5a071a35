"""Numbers, intervals and verdicts in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from run_fixture import FINDINGS, estimate

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


def test_sentences_say_what_was_shown_and_nothing_more() -> None:
    open_, passed, failed = (wording.sentence(finding) for finding in FINDINGS[:3])
    assert open_ == (
        "Measured 0.031, 95 % interval from 0.012 to 0.064; the policy allows less than 0.05, and "
        "the data settle neither that this holds nor that it does not."
    )
    assert "for “woman”" in passed
    assert passed.endswith("0 on either side, and the data show that this holds.")
    assert failed.endswith("the data show that this does not hold.")
    assert "cannot pass" in wording.sentence(FINDINGS[4])


def test_a_check_without_a_value_says_so() -> None:
    nothing = replace(FINDINGS[0], estimate=None, margin=None)
    assert wording.sentence(nothing).startswith("No value could be measured; the policy allows no")
    unbounded = replace(FINDINGS[0], estimate=estimate("all", 0.2, None, None))
    assert wording.sentence(unbounded).startswith("Measured 0.200; the policy")


def test_more_data() -> None:
    more = wording.more_data(FINDINGS[0])
    assert more == "about 340 more prompts from 170 more templates would settle it"
    without = replace(FINDINGS[0], more_clusters=None)
    assert wording.more_data(without) == "about 340 more prompts would settle it"
    assert wording.more_data(FINDINGS[1]) == ""


def test_every_verdict_has_a_symbol_and_a_sentence() -> None:
    assert set(wording.SYMBOLS) == set(wording.VERDICT_SENTENCES) == set(Verdict)
    assert len(set(wording.SYMBOLS.values())) == 4
