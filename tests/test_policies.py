"""Policies by themselves: what their parts allow, which checks an axis makes, what ships."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llmaudit.config import as_plain, list_shipped, load_policy
from llmaudit.models.registry import LicenceClass as RegistryClass
from llmaudit.policies import (
    Check,
    LicenceClass,
    LicenceDemand,
    Policy,
    ScorerDemand,
    Waiver,
    drop_empty,
    plain_policy,
    policy_digest,
    spread_checks,
)
from llmaudit.records import ProbeSetFacts, Task

CHECK: dict[str, Any] = {
    "id": "a", "title": "A", "metric": "score_disparity", "kind": "disparity", "margin": 0.02,
    "why": "A test.",
}  # fmt: skip
POLICY: dict[str, Any] = {
    "format": 1, "id": "p", "title": "P", "version": "1", "description": "D",
    "checks": [{**CHECK, "axis": "gender"}],
}  # fmt: skip


def facts(name: str, *axes: str, metrics: tuple[str, ...] = ("score_disparity",)) -> ProbeSetFacts:
    """Return a probe set's facts."""
    task = Task.CARRIER if name == "carriers" else Task.GENERATE
    return ProbeSetFacts(
        name,
        "0" * 16,
        name,
        "1",
        "x",
        "en",
        "disparity",
        task,
        axes,
        "me",
        "use",
        (),
        metrics,
        1,
        1,
    )


def policy(**more: Any) -> Policy:
    """Return a policy with one check by gender."""
    return Policy.model_validate({**POLICY, **more})


def test_a_check_of_an_axis_becomes_one_for_each_set_that_measures_it() -> None:
    sets = [
        facts("texts", "gender", "race"),
        facts("carriers", "gender"),
        facts("stories", "gender"),
        facts("other-axis", "race"),
        facts("other-metric", "gender", metrics=("toxic_fraction",)),
    ]
    spread = spread_checks(policy(), sets)
    assert [(one.id, one.probe_set, one.title) for one in spread.checks] == [
        ("a:texts", "texts", "A (texts)"),
        ("a:stories", "stories", "A (stories)"),
    ]
    assert {(one.margin, one.axis) for one in spread.checks} == {(0.02, "gender")}


def test_a_check_that_finds_no_set_or_names_one_stays() -> None:
    assert spread_checks(policy(), [facts("other", "race")]).checks == policy().checks
    named = policy(checks=[{**CHECK, "axis": "gender", "probe_set": "mine"}])
    assert spread_checks(named, [facts("texts", "gender")]).checks == named.checks


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (Check, CHECK, "needs a probe_set, or an axis"),
        (ScorerDemand, {"why": "x"}, "by its name or by a construct"),
        (ScorerDemand, {"name": "a", "construct": "b", "why": "x"}, "write one"),
        (LicenceDemand, {"intended_use": "x", "classes": ["unknown"], "why": "x"}, "permissive"),
        (LicenceDemand, {"intended_use": "x", "classes": [], "why": "x"}, "at least 1"),
        *(
            (Waiver, {"check": "a", "owner": "b", "reason": "c", "expires": day}, "date")
            for day in ("2026-02-30", "2026-1-3", "20260131", "1706659200", 20260131, "soon")
        ),
    ],
)
def test_what_makes_no_sense_is_refused(model: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        model.model_validate(values)


def test_a_waiver_holds_a_day() -> None:
    made = Waiver.model_validate(
        {"check": "a", "owner": "b", "reason": "c", "expires": "2027-01-31"}
    )
    assert made.expires == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"checks": [{**CHECK, "axis": "x"}] * 2}, "check id used twice: a"),
        ({"coverage": [{"construct": "c", "required": True, "why": "w"}] * 2}, "of coverage used"),
        ({"scorers": [{"name": "s", "why": "w"}] * 2}, "scorer used twice: scorer:s"),
        (
            {"waivers": [{"check": "a", "owner": "o", "reason": "r", "expires": "2999-01-01"}] * 2},
            "waiver of used twice: a",
        ),
    ],
)
def test_nothing_is_said_twice(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        policy(**more)


def test_the_classes_are_those_of_the_registry_but_unknown() -> None:
    assert {*get_args(LicenceClass), "unknown"} == set(get_args(RegistryClass))


def test_keys_that_say_nothing_do_not_change_the_digest() -> None:
    short, full = policy(), policy(waivers=[], coverage=[], licence=None, alpha=0.05)
    assert policy_digest(short) == policy_digest(full)
    assert "waivers" not in plain_policy(short)
    assert plain_policy(short)["checks"][0]["ideal"] == 0.0
    assert policy_digest(short) != policy_digest(policy(alpha=0.01))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
)


@given(PLAIN)
def test_dropping_what_is_empty_drops_nothing_else(value: Any) -> None:
    def leaves(data: Any) -> list[Any]:
        if isinstance(data, dict):
            return list(itertools.chain.from_iterable(map(leaves, data.values())))
        if isinstance(data, list):
            return list(itertools.chain.from_iterable(map(leaves, data)))
        return [] if data in (None, "") else [data]

    dropped = drop_empty(value)
    assert leaves(dropped) == leaves(value)
    assert drop_empty(dropped) == dropped


@pytest.mark.parametrize("name", list_shipped("policies"))
def test_what_ships_reads_itself_again_and_gives_a_reason_for_every_margin(name: str) -> None:
    shipped = load_policy(name)
    assert Policy.model_validate(as_plain(shipped)) == shipped
    assert Policy.model_validate(plain_policy(shipped)) == shipped
    assert shipped.waivers == ()
    assert all(len(check.why) > 60 for check in shipped.checks)


def test_strict_is_stricter_than_default() -> None:
    default, strict = load_policy("default"), load_policy("strict")

    def margins(of: Policy) -> dict[tuple[str, str | None], float]:
        return {(check.metric, check.axis): check.margin for check in of.checks}

    laxer, stricter = margins(default), margins(strict)
    assert set(stricter) == set(laxer)
    assert all(stricter[key] <= laxer[key] / 2 for key in laxer)
    assert strict.max_missing < default.max_missing
    required = {one.construct_name for one in default.coverage if one.required}
    assert {one.construct_name for one in strict.coverage if one.required} > required
    assert strict.licence is not None
    assert strict.scorers


def test_regression_allows_no_more_than_the_default_policy_in_one_step() -> None:
    default = {one.id: one for one in load_policy("default").checks}
    regression = {one.id: one for one in load_policy("regression").checks}
    assert set(regression) == set(default)
    assert all(regression[name].margin <= default[name].margin for name in default)
    assert all(regression[name].kind == default[name].kind for name in default)
