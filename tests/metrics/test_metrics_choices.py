"""Log-odds disparity and stereotype preference by hand; the table of metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from metric_rows import extremes, make_choices, make_prompt, make_samples, observed, run_metric

import llmaudit.metrics
from llmaudit.errors import UnknownNameError, UsageError
from llmaudit.metrics import METRICS
from llmaudit.records import ScoredChoices

YES_NO = {"yes": "Yes", "no": "No"}


def _decision(template: str, group: str, yes: float | None, no: float | None) -> ScoredChoices:
    prompt = make_prompt(template, group, choices=YES_NO, favourable="yes")
    return make_choices(prompt, {"yes": yes, "no": no})


def test_log_odds_against_the_mean_of_siblings() -> None:
    rows = [
        _decision("t0", "a", -1.0, -2.0),
        _decision("t0", "b", -2.0, -1.0),
        _decision("t0", "c", -1.5, -1.5),
        _decision("t1", "a", -0.5, -1.0),
        _decision("t1", "b", -0.5, -1.0),
        _decision("t1", "c", -0.5, -1.0),
    ]
    measured = run_metric("choice_log_odds_disparity", rows, axis="gender")
    assert measured.parts == ("a", "b", "c")
    assert observed(measured) == pytest.approx([1.5 / 2, -1.5 / 2, 0.0])
    assert measured.detail["log_odds_range"] == [-1.0, 1.0]
    assert measured.detail["observed_range"] == [-2.0, 2.0]
    assert measured.detail["groups"]["a"]["mean"] == pytest.approx(0.75)
    assert measured.scorer is None


def test_log_odds_against_a_reference() -> None:
    rows = [_decision("t0", "a", -1.0, -2.0), _decision("t0", "b", -2.0, -1.0)]
    measured = run_metric("choice_log_odds_disparity", rows, axis="gender", contrast="b")
    assert measured.parts == ("a",)
    assert observed(measured) == pytest.approx([2.0])


def test_several_other_choices_are_summed_as_probabilities() -> None:
    choices = {"hire": "h", "reject": "r", "defer": "d"}
    rows = []
    for group, shares in (("a", (0.5, 0.2, 0.2)), ("b", (0.3, 0.1, 0.5))):
        prompt = make_prompt("t0", group, choices=choices, favourable="hire")
        logs = {label: math.log(p) for label, p in zip(choices, shares, strict=True)}
        rows.append(make_choices(prompt, logs))
    measured = run_metric("choice_log_odds_disparity", rows, axis="gender")
    assert observed(measured)[0] == pytest.approx(math.log(0.5 / 0.4) - math.log(0.3 / 0.6))


def test_missing_likelihoods_take_the_observed_extremes() -> None:
    rows = [
        _decision("t0", "a", -1.0, -4.0),
        _decision("t0", "b", -2.0, -1.0),
        _decision("t1", "a", None, -1.0),
        _decision("t1", "b", -1.0, -1.0),
        make_choices(make_prompt("t2", "a", choices=YES_NO, favourable="yes"), {"yes": -1.0}),
        _decision("t2", "b", -1.0, -math.inf),
    ]
    measured = run_metric("choice_log_odds_disparity", rows, axis="gender")
    assert observed(measured) == pytest.approx([4.0, -4.0])
    low, high = extremes(measured)
    assert low[0] == pytest.approx((4.0 + (-1.0 - 0.0) + (-1.0 - 3.0)) / 3)
    assert high[0] == pytest.approx((4.0 + (3.0 - 0.0) + (3.0 + 1.0)) / 3)
    assert dict(measured.missing_reasons) == {"absent": 1, "nan_logits": 1, "not finite": 1}
    assert (measured.n, measured.n_missing) == (3, 3)
    assert "smallest and largest observed" in measured.method


@pytest.mark.parametrize("favourable", [None, "maybe"])
def test_a_favourable_label_that_is_no_choice_is_refused(favourable: str | None) -> None:
    prompt = make_prompt("t0", "a", choices=YES_NO, favourable=favourable)
    row = make_choices(prompt, {"yes": -1.0, "no": -1.0})
    with pytest.raises(UsageError, match="favourable"):
        run_metric("choice_log_odds_disparity", [row], axis="gender")


def test_log_odds_undefined() -> None:
    failed = [_decision("t0", "a", None, None), _decision("t0", "b", None, -1.0)]
    measured = run_metric("choice_log_odds_disparity", failed, axis="gender")
    assert measured.observed is None
    assert "likelihoods" in str(measured.reason)
    lone = run_metric(
        "choice_log_odds_disparity", [_decision("t0", "a", -1.0, -1.0)], axis="gender"
    )
    assert lone.observed is None
    assert "needs two" in str(lone.reason)


def _pair(
    index: int, stereotype: float | None, other: float | None, tokens: tuple[int, int] = (1, 1)
) -> ScoredChoices:
    labels = {"stereotype": "s", "antistereotype": "o"}
    prompt = make_prompt(f"p{index}", choices=labels)
    return make_choices(
        prompt,
        {"stereotype": stereotype, "antistereotype": other},
        dict(zip(labels, tokens, strict=True)),
    )


def test_stereotype_preference_by_sum_and_per_token() -> None:
    rows = [
        _pair(0, -10.0, -12.0),
        _pair(1, -10.0, -9.0, (5, 4)),
        _pair(2, -8.0, -8.0),
        _pair(3, -20.0, -12.0, (10, 4)),
    ]
    measured = run_metric("stereotype_preference", rows)
    assert observed(measured) == [(1 + 0 + 0.5 + 0) / 4]
    assert measured.detail["ties"] == 1
    assert measured.detail["share_per_token"] == (1 + 1 + 0.5 + 1) / 4
    assert METRICS["stereotype_preference"].ideal == 0.5


def test_a_pair_without_a_likelihood_is_bounded_not_dropped() -> None:
    rows = [_pair(0, -1.0, -2.0), _pair(1, -1.0, -2.0), _pair(2, -3.0, -2.0), _pair(3, None, -2.0)]
    measured = run_metric("stereotype_preference", rows)
    assert observed(measured) == pytest.approx([2 / 3])
    assert extremes(measured) == ([0.5], [0.75])
    assert (measured.n, measured.n_missing) == (3, 1)


def test_stereotype_preference_undefined_and_refused() -> None:
    measured = run_metric("stereotype_preference", [_pair(0, None, None)])
    assert measured.observed is None
    prompt = make_prompt("p", choices=YES_NO)
    with pytest.raises(UsageError, match="stereotype_preference needs 'stereotype'"):
        run_metric("stereotype_preference", [make_choices(prompt, {"yes": -1.0, "no": -1.0})])


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'over_refusal'"):
        run_metric("over_refusals", [])


def test_every_metric_is_in_the_table_documented_and_exported() -> None:
    for name, spec in METRICS.items():
        assert spec.name == name == spec.function.__name__
        assert name in llmaudit.metrics.__all__
        document = str(spec.function.__doc__)
        for word in ("Source:", "Formula:", "Ideal:", "Cluster:", "ndefined"):
            assert word in document or "as in `score_disparity`" in document
        assert (spec.construct is None) == (spec.needs != "scores")


def test_every_metric_is_undefined_on_no_rows() -> None:
    for name in METRICS:
        measured = run_metric(name, [])
        assert measured.observed is None
        assert measured.reason
        assert measured.n == 0


def test_equal_generators_give_equal_measurements() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row
        for i in range(15)
        for row in make_samples(make_prompt(f"t{i}"), [float(rng.random()), 0.1])
    ]
    one, two = (run_metric("expected_max_toxicity", rows) for _ in range(2))
    assert one.observed is not None
    assert two.observed is not None
    assert np.array_equal(one.observed.replicates, two.observed.replicates)
