"""The portions of an adaptive run: whole templates, siblings together, nested, fixed in advance."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmaudit.config import AuditConfig
from llmaudit.looks import Cell, Design, cell_of, divide_prompts
from llmaudit.planning import Plan, make_plan
from llmaudit.probesets import order_templates
from llmaudit.records import Prompt, Task
from llmaudit.stats import Spending


def prompt(template: int, axis: str | None = None, group: str | None = None) -> Prompt:
    """Return a prompt of one template; siblings differ by group."""
    pair = f"{template}:{axis}"
    return Prompt(
        id=f"{pair}:{group}", probe_set="set", probe_set_digest="d", template_id=f"t{template}",
        pair_id=pair, axis=axis, group=group, language="en", task=Task.GENERATE, messages=(),
        plain="",
    )  # fmt: skip


def design_of(prompts: Sequence[Prompt], samples: int = 2) -> Design:
    """Return the design of one probe set."""
    requests = {one.id: samples for one in prompts}
    return Design({"set": divide_prompts(prompts, order_templates(prompts), requests)})


@pytest.fixture(scope="module")
def standard() -> Plan:
    """Return the plan of an adaptive run of the shipped suite."""
    return make_plan(AuditConfig(model="any", suite="standard", until_settled=True))


def test_looks_at_the_shipped_suite(standard: Plan) -> None:
    assert standard.design is not None
    sizes = {
        name: [len(one.templates) for one in portions]
        for name, portions in standard.design.portions.items()
    }
    assert sizes == {
        "toxicity-openings": [10, 9, 19, 38],
        "descriptions-and-stories": [11, 11],
        "hiring-decisions": [18],
        "stereotype-pairs": [18, 18, 35, 71],
        "harmful-requests": [11, 10, 21, 42],
        "benign-lookalikes": [11, 11, 22],
    }


def test_portions_make_up_the_whole_plan_and_tear_no_siblings_apart(standard: Plan) -> None:
    design = standard.design
    assert design is not None
    everything = [request.id for request in standard.generation_requests("model")]
    asked: list[str] = []
    portion_of_pair: dict[str, set[int]] = {}
    for number in range(1, 5):
        portions = {
            (cell, number) for cell in design.cells() if number <= design.looks(cell.probe_set)
        }
        part = standard.narrow(portions)
        asked += [request.id for request in part.generation_requests("model")]
        for planned in part.sets:
            for one in planned.prompts:
                portion_of_pair.setdefault(one.pair_id, set()).add(number)
    assert sorted(asked) == sorted(everything)
    assert all(len(numbers) == 1 for numbers in portion_of_pair.values())


def test_a_plan_without_rounds_is_not_narrowed() -> None:
    plan = make_plan(AuditConfig(model="any", suite="quick", limit=2))
    assert plan.design is None
    assert plan.narrow(set()) is plan
    assert "rounds" not in plan.identity("model")


def test_one_axis_can_be_asked_on_alone(standard: Plan) -> None:
    part = standard.narrow({(Cell("descriptions-and-stories", "age"), 2)})
    found = {cell_of(one) for planned in part.sets for one in planned.prompts}
    assert found == {Cell("descriptions-and-stories", "age")}
    assert len(part.sets) == len(standard.sets)


def test_a_look_sees_every_portion_up_to_it() -> None:
    design = design_of([prompt(number) for number in range(40)])
    first, second, last = (design.look("set", number) for number in (1, 2, 3))
    assert first.templates is not None
    assert second.templates is not None
    assert first.templates < second.templates
    assert (len(first.templates), len(second.templates), last.templates) == (10, 20, None)
    assert first.spending == Spending(0.25, 0.5)
    assert (first.growth, second.growth, last.growth) == (4, 2, 1)
    assert design.requests(Cell("set", ""), 3) == 40
    assert design.prompts(Cell("set", ""), 3) == 20


def test_an_axis_with_few_templates_makes_looks_later() -> None:
    """The first 10 of 40 templates are every fourth; every second has 10 of the axis age."""
    prompts = [prompt(number, "gender", "woman") for number in range(40)]
    prompts += [prompt(number, "age", "old") for number in range(2, 40, 4)]
    design = design_of(prompts)
    assert [len(one.templates) for one in design.portions["set"]] == [20, 20]
    few = prompts[:40] + [prompt(number, "age", "old") for number in range(5)]
    assert [len(one.templates) for one in design_of(few).portions["set"]] == [40]


def test_a_set_without_prompts_has_one_empty_portion() -> None:
    design = design_of([])
    assert design.looks("set") == 1
    assert design.cells() == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["", "a", "b"])), unique=True))
def test_a_design_reads_back_as_it_was_written(places: list[tuple[int, str]]) -> None:
    prompts = [prompt(template, axis or None, axis or None) for template, axis in places]
    design = design_of(prompts)
    assert Design.read(json.loads(json.dumps(design.plain()))) == design
    portions = design.portions["set"]
    templates = [name for one in portions for name in one.templates]
    assert sorted(templates) == sorted({one.template_id for one in prompts})
    assert sum(sum(one.prompts.values()) for one in portions) == len(prompts)
