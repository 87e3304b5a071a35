"""Counterfactual disparity by hand: contrasts, pairing, missing outcomes, group names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import Value, extremes, make_prompt, make_samples, observed, run_metric

from llmaudit.errors import UnknownNameError
from llmaudit.records import ScoredSample
from llmaudit.stats import part_intervals

Pairs = list[dict[str, list[Value]]]


def _rows(pairs: Pairs, axis: str = "gender") -> list[ScoredSample]:
    return [
        row
        for index, groups in enumerate(pairs)
        for group, values in groups.items()
        for row in make_samples(make_prompt(f"t{index}", group, axis=axis), values)
    ]


def test_group_minus_the_mean_of_its_siblings() -> None:
    rows = _rows([{"a": [0.2, 0.4], "b": [0.1, 0.1], "c": [0.5, 0.7]}, {"a": [0.0, 0.0],
                   "b": [0.3, 0.3], "c": [0.3, 0.3]}])  # fmt: skip
    measured = run_metric("score_disparity", rows, axis="gender")
    assert measured.parts == ("a", "b", "c")
    a = ((0.3 - 0.35) + (0.0 - 0.3)) / 2
    b = ((0.1 - 0.45) + (0.3 - 0.15)) / 2
    c = ((0.6 - 0.2) + (0.3 - 0.15)) / 2
    assert observed(measured) == pytest.approx([a, b, c])
    assert measured.detail["groups"]["a"]["mean"] == pytest.approx(0.15)
    assert measured.detail["groups"]["c"]["n"] == 2
    assert measured.n == 12


def test_group_minus_a_reference_group() -> None:
    rows = _rows([{"a": [0.2], "b": [0.1], "c": [0.6]}, {"a": [0.0], "b": [0.3], "c": [0.2]}])
    measured = run_metric("score_disparity", rows, axis="gender", contrast="b")
    assert measured.parts == ("a", "c")
    assert observed(measured) == pytest.approx([-0.1, 0.2])
    assert "minus that of b" in measured.method
    assert "cliffs_delta" not in measured.detail["groups"]["b"]


def test_an_unknown_reference_group_is_refused() -> None:
    rows = _rows([{"a": [0.2], "b": [0.1]}])
    with pytest.raises(UnknownNameError, match="unknown reference group 'bb'"):
        run_metric("score_disparity", rows, axis="gender", contrast="bb")


def test_share_disparity_counts_scores_over_the_threshold() -> None:
    rows = _rows([{"a": [0.6, 0.1], "b": [0.49, 0.0]}, {"a": [0.5, 0.9], "b": [0.8, 0.2]}])
    measured = run_metric("share_disparity", rows, axis="gender")
    assert observed(measured) == pytest.approx([0.5, -0.5])
    assert measured.detail["groups"]["a"]["mean"] == 0.75


def test_distances_and_effect_size_of_a_shift() -> None:
    rng = np.random.default_rng(0)
    low = [float(x) for x in rng.uniform(0.1, 0.5, size=12)]
    rows = _rows([{"a": [x + 0.2], "b": [x]} for x in low])
    described = run_metric("score_disparity", rows, axis="gender").detail["groups"]["a"]
    assert described["wasserstein_1"] == pytest.approx(0.2)
    spread = float(np.std(low, ddof=1))
    assert described["hedges_g"] == pytest.approx(0.2 / spread, rel=0.08)
    assert described["hedges_g"] < 0.2 / spread
    signs = [np.sign(x + 0.2 - y) for x in low for y in low]
    assert described["cliffs_delta"] == pytest.approx(float(np.mean(signs)))


def test_pairs_are_analysed_as_pairs() -> None:
    rng = np.random.default_rng(1)
    base = rng.uniform(0.0, 0.8, size=20)
    noise = rng.normal(0, 0.005, size=20)
    pairs: Pairs = [
        {"a": [float(x + 0.05 + e)], "b": [float(x)]} for x, e in zip(base, noise, strict=True)
    ]
    measured = run_metric("score_disparity", _rows(pairs), axis="gender")
    assert measured.observed is not None
    two_sample = float(np.sqrt(2 * np.var(base, ddof=1) / 20))
    assert measured.observed.se[0] < two_sample / 20
    low, _ = part_intervals(measured.observed, proportion=False, bounds=(-1, 1))[0].interval(0.05)
    assert low > 0.04


def test_missing_scores_bound_each_group_against_its_siblings() -> None:
    rows = _rows([{"a": [0.2, "error"], "b": [0.4, "refused"]}, {"a": [0.1, 0.1], "b": [0.3, 0.3]}])
    measured = run_metric("score_disparity", rows, axis="gender")
    assert observed(measured) == pytest.approx([-0.2, 0.2])
    low, high = extremes(measured)
    assert low == pytest.approx([((0.1 - 0.7) - 0.2) / 2, ((0.2 - 0.6) + 0.2) / 2])
    assert high == pytest.approx([((0.6 - 0.2) - 0.2) / 2, ((0.7 - 0.1) + 0.2) / 2])
    assert dict(measured.missing_reasons) == {"error": 1, "refused": 1}


def test_a_group_that_never_answers_keeps_its_part() -> None:
    rows = _rows([{"a": ["error"], "b": [0.1], "c": [0.2]} for _ in range(12)])
    measured = run_metric("score_disparity", rows, axis="gender")
    assert measured.parts == ("a", "b", "c")
    values = observed(measured)
    assert np.isnan(values[0])
    assert values[1:] == pytest.approx([-0.1, 0.1])
    low, high = extremes(measured)
    assert (low[0], high[0]) == pytest.approx((-0.15, 0.85))
    assert measured.detail["groups"]["a"] == {
        "n": 0,
        "mean": None,
        "wasserstein_1": None,
        "wasserstein_1_interval": None,
        "cliffs_delta": None,
        "cliffs_delta_interval": None,
        "hedges_g": None,
        "hedges_g_interval": None,
        "no_difference_p": None,
    }


def test_prompts_without_a_group_are_in_no_contrast() -> None:
    rows = _rows([{"a": [0.2], "b": [0.1]}])
    unmarked = make_samples(make_prompt("t0", None, axis="gender"), [0.9])
    measured = run_metric("score_disparity", rows + unmarked, axis="gender")
    assert measured.parts == ("a", "b")
    assert observed(measured) == pytest.approx([0.1, -0.1])


@given(
    st.lists(
        st.lists(st.one_of(st.floats(0, 1), st.just("error")), min_size=3, max_size=3),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_extremes_enclose_whatever_the_missing_scores_were(table: list[list[Value]]) -> None:
    def pairs(fill: float | None) -> Pairs:
        return [
            {
                g: [v if fill is None or not isinstance(v, str) else fill]
                for g, v in zip("abc", row, strict=True)
            }
            for row in table
        ]

    measured = run_metric("score_disparity", _rows(pairs(None)), axis="gender", resamples=5)
    if measured.observed is None or measured.lowest is None:
        return
    low, high = extremes(measured)
    for fill in (0.0, 0.3, 1.0):
        truth = observed(run_metric("score_disparity", _rows(pairs(fill)), axis="gender"))
        assert all(a - 1e-9 <= b <= c + 1e-9 for a, b, c in zip(low, truth, high, strict=True))


def test_groups_are_whole_names_not_substrings() -> None:
    pairs: Pairs = [{"asian": [0.1], "caucasian": [0.9]} for _ in range(3)]
    measured = run_metric("score_disparity", _rows(pairs, "race"), axis="race")
    assert measured.parts == ("asian", "caucasian")
    assert measured.detail["groups"]["asian"]["mean"] == pytest.approx(0.1)


def test_axes_are_measured_apart() -> None:
    gender = _rows([{"a": [0.2], "b": [0.1]}])
    race = _rows([{"x": [0.9], "y": [0.1]}], "race")
    measured = run_metric("score_disparity", gender + race, axis="race")
    assert measured.parts == ("x", "y")
    assert measured.n == 2
    with pytest.raises(ValueError, match="gender, race"):
        run_metric("score_disparity", gender + race)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([{"a": [0.2]}], "1 groups named"),
        ([{"a": ["error"], "b": ["error"]}], "no generation has a score"),
        ([{"a": [0.2]}, {"b": [0.3]}], "no outcome could be used"),
        ([], "no generation has a score"),
    ],
)
def test_undefined_cases_have_a_reason(pairs: Pairs, reason: str) -> None:
    measured = run_metric("score_disparity", _rows(pairs), axis="gender")
    assert measured.observed is None
    assert reason in str(measured.reason)


def test_two_prompts_of_one_group_in_a_pair_are_refused() -> None:
    rows = _rows([{"a": [0.2], "b": [0.1]}])
    twin = make_samples(
        type(rows[0].prompt)(
            **{name: getattr(rows[0].prompt, name) for name in rows[0].prompt.__slots__}
            | {"id": "other"}
        ),
        [0.9],
    )
    with pytest.raises(ValueError, match="two prompts of group 'a'"):
        run_metric("score_disparity", rows + twin, axis="gender")


def test_equal_scores_everywhere_give_zero_without_certainty() -> None:
    rows = _rows([{"a": [0.2], "b": [0.2]} for _ in range(20)])
    measured = run_metric("score_disparity", rows, axis="gender")
    assert observed(measured) == [0.0, 0.0]
    assert measured.observed is not None
    first = part_intervals(measured.observed, proportion=False, bounds=(-1, 1))[0]
    assert first.interval(0.05)[1] > 0.1
