"""The sample: every answer has a known chance, nobody chooses, and the plan can be checked."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_plans import candidates, plan

from llmaudit.errors import StoreError, UsageError
from llmaudit.review.drawing import allocate, draw, rarity
from llmaudit.review.planning import (
    OPEN,
    Candidate,
    check_plan,
    plan_construct,
    read_plan,
)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0.1, 10)), min_size=1, max_size=30),
    st.integers(0, 400),
)
def test_every_stratum_gets_one_and_none_more_than_it_has(
    strata: list[tuple[int, float]], more: int
) -> None:
    sizes = [size for size, _ in strata]
    number = len(sizes) + more
    drawn = allocate(sizes, [need for _, need in strata], number)
    assert all(1 <= got <= size for got, size in zip(drawn, sizes, strict=True))
    assert sum(drawn) == min(number, sum(sizes))


def test_shares_worked_out_by_hand() -> None:
    # One each, then 8 in proportion to 40·1 and 10·4: 4 and 4.
    assert allocate([40, 10], [1.0, 4.0], 10) == [5, 5]
    # The second can take 2 only, so the first takes the rest.
    assert allocate([40, 3], [1.0, 100.0], 10) == [7, 3]
    assert rarity(4, 64) == 4.0


def test_each_member_is_drawn_as_often_as_its_chance_says() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros(8)
    for _ in range(4_000):
        counts[draw([8], [2], rng)[0]] += 1
    assert counts / 4_000 == pytest.approx(0.25, abs=0.03)


def test_strata_are_finer_the_more_is_drawn_and_hold_everything() -> None:
    (one,) = plan().constructs
    names = {(stratum.tier, stratum.bin, stratum.group) for stratum in one.strata}
    assert names == {
        ("disputed", "low", "*"),
        ("open", "high", "axis/a"),
        ("open", "high", "axis/b"),
        ("open", "low", "axis/a"),
        ("open", "low", "axis/b"),
    }
    assert sorted(key for stratum in one.strata for key in stratum.members) == sorted(
        candidate.request_id for candidate in candidates()
    )
    assert sum(stratum.weight * len(stratum.drawn) for stratum in one.strata) == pytest.approx(120)
    weights = {stratum.tier: stratum.weight for stratum in one.strata if stratum.bin == "low"}
    assert weights["disputed"] < weights["open"]
    (few,) = plan(4).constructs
    assert {(stratum.tier, stratum.group) for stratum in few.strata} == {("*", "*")}
    with pytest.raises(UsageError, match="--n 1 is too small: toxicity needs 2 at least"):
        sets = [*candidates(), Candidate("x", "other", OPEN, "low", "")]
        plan_construct("toxicity", ("toxicity", "d"), sets, 1, 0)


def test_a_weighted_sum_over_draws_is_the_sum_over_all() -> None:
    """The mean of the weighted estimates over many seeds is the truth, however odd the strata."""
    value = {one.request_id: float(one.bin == "high") + 0.1 for one in candidates()}
    found = []
    for seed in range(200):
        (one,) = plan(30, seed).constructs
        found.append(
            sum(stratum.weight * value[key] for stratum in one.strata for key in stratum.drawn)
        )
    assert np.mean(found) == pytest.approx(sum(value.values()), rel=0.01)


def test_items_tell_nothing_and_raters_have_orders_of_their_own() -> None:
    made = plan()
    items = made.items()
    assert len(items) == 40
    assert not any(key in item for item, (_, key) in items.items())
    first, second = made.order(1), made.order(2)
    assert sorted(first) == sorted(second) == sorted(items)
    assert first != second
    assert made.order(1) == plan().order(1)
    assert set(items).isdisjoint(plan(seed=1).items())


def test_a_stored_plan_is_drawn_again_and_a_changed_one_is_refused() -> None:
    made = plan()
    answers = {candidate.request_id for candidate in candidates()}
    stored = {"plan": asdict(made), "digest": made.digest}
    assert read_plan(stored) == made
    check_plan(made, "run", answers)
    with pytest.raises(StoreError, match="its digest is not"):
        read_plan({**stored, "plan": {**asdict(made), "seed": 1}})
    with pytest.raises(StoreError, match="a review plan that is none"):
        read_plan({"plan": {"constructs": [1]}, "digest": ""})
    with pytest.raises(StoreError, match="from run run, not other; toxicity: 1 of its answers"):
        check_plan(made, "other", answers - {"r000"})
    (one,) = made.constructs
    stratum = one.strata[-1]
    swapped = replace(
        stratum, drawn=tuple(key for key in stratum.members if key not in stratum.drawn)
    )
    forged = replace(made, constructs=(replace(one, strata=(*one.strata[:-1], swapped)),))
    with pytest.raises(StoreError, match="its seed draws other answers"):
        check_plan(forged, "run", answers)
    empty = asdict(made)
    empty["constructs"][0]["strata"][0]["drawn"] = []
    with pytest.raises(StoreError, match="nothing, or something foreign"):
        read_plan({"plan": empty, "digest": ""})
