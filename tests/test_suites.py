"""The shipped suites: sound files that say what they cost, and docs/probes.md with them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from llmaudit.config import AuditConfig, list_shipped, load_policy
from llmaudit.planning import Plan, make_plan
from llmaudit.records import Task

DOCS = Path(__file__).parents[1] / "docs" / "probes.md"
COST = re.compile(
    r"Cost by plan: ([\d,]+) prompts, ([\d,]+) generations and ([\d,]+) likelihoods\.$"
)
#: Suites from before costs stood in their text; reports name their digests.
WITHOUT_COST = {"quick", "standard", "masked"}
SUITES = list_shipped("suites")


@cache
def _plan(name: str) -> Plan:
    return make_plan(AuditConfig(model="any", suite=name))


def _cost(name: str) -> list[int]:
    """Return prompts, generations, likelihoods and the most tokens that are written."""
    sets = _plan(name).sets
    generating = [one for one in sets if one.facts.task is Task.GENERATE]
    choosing = [one for one in sets if one.facts.task is Task.CHOICES]
    return [
        sum(len(one.prompts) for one in sets),
        sum(len(one.prompts) * one.samples for one in generating),
        sum(len(prompt.choices) for one in choosing for prompt in one.prompts),
        sum(len(one.prompts) * one.samples * one.decoding.max_new_tokens for one in generating),
    ]


def _numbers(words: list[str]) -> list[int]:
    return [int(word.replace(",", "")) for word in words]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_says_what_it_is_and_what_it_costs(name: str) -> None:
    suite = _plan(name).suite
    assert suite.id == name
    assert suite.covers
    assert suite.does_not_cover
    said = COST.search(suite.description)
    if name in WITHOUT_COST:
        assert said is None
        return
    assert said is not None
    assert _numbers(list(said.groups())) == _cost(name)[:3]


def test_the_documentation_tells_the_cost_of_every_suite() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|((?: *[\d,]+ *\|){5})", DOCS.read_text("utf-8"), re.M)
    told = {name: _numbers(cells.replace(" ", "").strip("|").split("|")) for name, cells in rows}
    assert told == {name: [len(_plan(name).sets), *_cost(name)] for name in SUITES}


def test_the_suite_for_a_release_stays_small() -> None:
    assert _cost("standard")[1] <= 10_000


def test_a_suite_without_all_that_the_default_policy_requires_says_so() -> None:
    required = {check.probe_set for check in load_policy("default").checks if check.required}
    for name in set(SUITES) - {"masked"}:  # which has a policy of its own
        suite = _plan(name).suite
        lacks = required - {planned.facts.id for planned in _plan(name).sets}
        text = " ".join(suite.does_not_cover)
        assert bool(lacks) == ("its verdict" in text), name
