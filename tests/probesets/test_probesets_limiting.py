"""Taking an even part of the prompts: whole siblings, all templates, all axes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.errors import UsageError
from llmaudit.probesets import limit_prompts
from llmaudit.records import Prompt, Task, content_id


def make(template: str, axis: str | None, slot: int, group: str | None, name: str = "s") -> Prompt:
    place = [name, template, axis, slot]
    return Prompt(
        id=content_id([*place, group]),
        probe_set=name,
        probe_set_digest="d" * 16,
        template_id=template,
        pair_id=content_id(place),
        axis=axis,
        group=group,
        language="en",
        task=Task.GENERATE,
        messages=(),
        plain="x",
    )


def grid(templates: int, sizes: dict[str, int], slots: int = 1, name: str = "s") -> list[Prompt]:
    """Return templates x slots x axes x groups; ``sizes`` is the number of groups by axis."""
    return [
        make(f"t{template}", axis, slot, f"g{group}", name)
        for template in range(templates)
        for slot in range(slots)
        for axis, size in sizes.items()
        for group in range(size)
    ]


def test_nothing_is_cut_when_everything_fits() -> None:
    prompts = grid(3, {"a": 2})
    assert limit_prompts(prompts, 6) == tuple(prompts)
    assert limit_prompts(iter(prompts), 100) == tuple(prompts)
    assert limit_prompts([], 5) == ()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        limit_prompts(grid(1, {"a": 2}), limit)


def test_templates_take_turns_and_axes_alternate() -> None:
    kept = limit_prompts(grid(4, {"a": 2, "b": 2}, slots=5), 16)
    assert Counter(prompt.template_id for prompt in kept) == dict.fromkeys(
        ["t0", "t1", "t2", "t3"], 4
    )
    assert Counter(prompt.axis for prompt in kept) == {"a": 8, "b": 8}


def test_few_templates_are_spread_over_the_file() -> None:
    prompts = grid(16, {"a": 1})
    kept = {prompt.template_id for prompt in limit_prompts(prompts, 4)}
    assert kept == {"t0", "t4", "t8", "t12"}


def test_several_sets_share_the_limit() -> None:
    prompts = grid(4, {"a": 2}, name="first") + grid(4, {"a": 2}, name="second")
    kept = limit_prompts(prompts, 8)
    assert Counter(prompt.probe_set for prompt in kept) == {"first": 4, "second": 4}


def test_a_family_larger_than_the_limit_is_kept_whole_only_if_there_is_none_smaller() -> None:
    large = grid(3, {"a": 7})
    assert len(limit_prompts(large, 3)) == 7
    mixed = grid(3, {"a": 7, "b": 3})
    kept = limit_prompts(mixed, 3)
    assert [prompt.axis for prompt in kept] == ["b", "b", "b"]
    assert {prompt.axis for prompt in limit_prompts(mixed, 2)} == {"b"}


def test_prompts_without_groups_are_cut_one_by_one() -> None:
    prompts = [make(f"t{n}", None, 0, None) for n in range(10)]
    assert len(limit_prompts(prompts, 7)) == 7


@given(
    st.integers(1, 9),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), min_size=1),
    st.integers(1, 4),
    st.integers(1, 60),
)
def test_families_stay_whole_and_the_limit_holds(
    templates: int, sizes: dict[str, int], slots: int, limit: int
) -> None:
    prompts = grid(templates, sizes, slots)
    kept = limit_prompts(prompts, limit)
    assert kept == limit_prompts(prompts, limit)
    ids = {prompt.id for prompt in kept}
    assert [prompt for prompt in prompts if prompt.id in ids] == list(kept)
    families = Counter(prompt.pair_id for prompt in prompts)
    for pair, count in Counter(prompt.pair_id for prompt in kept).items():
        assert count == families[pair]
    if limit >= min(sizes.values()):
        assert len(kept) <= limit
        assert len(kept) > min(limit, len(prompts)) - max(sizes.values())
    else:
        assert len(kept) == min(sizes.values())


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(1, 80))
def test_templates_and_axes_differ_by_one_family_at_most(
    templates: int, axes: int, slots: int, limit: int
) -> None:
    size = 2
    sizes = {f"a{n}": size for n in range(axes)}
    kept = limit_prompts(grid(templates, sizes, slots), max(limit, size))
    by_template = Counter(prompt.template_id for prompt in kept)
    counts = [by_template[f"t{n}"] for n in range(templates)]
    assert max(counts) - min(counts) <= size
    for template in range(templates):
        by_axis = Counter(each.axis for each in kept if each.template_id == f"t{template}")
        found = [by_axis[axis] for axis in sizes]
        assert max(found) - min(found) <= size
    totals = Counter(prompt.axis for prompt in kept)
    assert max(totals[axis] for axis in sizes) - min(totals[axis] for axis in sizes) <= 2 * size
