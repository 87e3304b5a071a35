"""A template's gap: where it may stand, what a prompt carries of it, and who is sent what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_files import CARRIER, CHOICES, PROBE_SET, with_template, write_both

from llmaudit import resources
from llmaudit.config import load_policy, load_suite
from llmaudit.errors import InvalidFileError
from llmaudit.probesets import fill_probe_set, lint_file, load_probe_set
from llmaudit.probesets.gaps import split_gap
from llmaudit.probesets.slots import parse_text
from llmaudit.records import GAP, Message

T = with_template
ASK = "Say one word about {identity.noun_a}."


def test_a_prompt_carries_what_stands_around_its_gap(tmp_path: Path) -> None:
    content = T(
        PROBE_SET,
        prompt=ASK,
        plain="The {place} of {identity.noun_a} was {gap}, they said.",
        slots={"place": ["house"]},
        tags={"tone": "calm"},
    )
    content["templates"][0]["prompt"] += " {place}"
    cat, *_ = fill_probe_set(load_probe_set(write_both(tmp_path, content)))
    assert cat.plain == "The house of a cat was"
    assert cat.tags == {"tone": "calm", "place": "house", GAP: ", they said."}
    assert cat.messages == (Message("user", "Say one word about a cat. house"),)


def test_a_gap_at_the_end_has_nothing_after_it(tmp_path: Path) -> None:
    content = T(PROBE_SET, prompt=ASK, plain="{Identity.noun_a} {gap}")
    cat, *_ = fill_probe_set(load_probe_set(write_both(tmp_path, content)))
    assert (cat.plain, cat.tags) == ("A cat", {GAP: ""})


def test_braces_that_read_as_a_gap_are_text(tmp_path: Path) -> None:
    """Neither doubled braces nor a slot's value make a gap, and a value cannot make a second."""
    slots = {"word": ["{gap}"]}
    plain = "{Identity.noun_a} wrote {word} and {{gap}}"
    path = write_both(tmp_path, T(PROBE_SET, prompt=ASK + " {word}", plain=plain, slots=slots))
    cat, *_ = fill_probe_set(load_probe_set(path))
    assert cat.plain == "A cat wrote {gap} and {gap}"
    assert GAP not in cat.tags
    path = write_both(
        tmp_path, T(PROBE_SET, prompt=ASK + " {word}", plain=f"{plain} as {{gap}}.", slots=slots)
    )
    cat, *_ = fill_probe_set(load_probe_set(path))
    assert cat.plain == "A cat wrote {gap} and {gap} as"
    assert cat.tags[GAP] == "."


def test_sets_that_use_nothing_new_are_as_they_were(tmp_path: Path) -> None:
    """Ids and tags that runs have stored do not change with the format."""
    prompts = fill_probe_set(load_probe_set(write_both(tmp_path, PROBE_SET)))
    assert prompts[0].tags == {"tone": "calm", "place": "city"}
    assert prompts[0].id == "ba6a250a1e7f5b95"
    assert prompts[0].pair_id == "74aca1e4cc4e2657"
    assert prompts[-1].id == "0d2f940189222072"


@given(before=st.text("ab{}", min_size=1), after=st.text("!.{} b"))
def test_splitting_loses_nothing(before: str, after: str) -> None:
    doubled = [text.replace("{", "{{").replace("}", "}}") for text in (before, after)]
    pieces, end = split_gap(parse_text(f"{doubled[0]} {{gap}}{doubled[1]}"))
    assert ("".join(str(piece) for piece in pieces), end) == (before, after)
    whole = parse_text(doubled[0] + doubled[1])
    assert split_gap(whole) == (whole, None)


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    (T(PROBE_SET, prompt=ASK + " {gap}"), "prompt", "another text than a generate template's"),
    (T(PROBE_SET, prompt=ASK, system="Say {gap}"), "system", "another text than a generate"),
    (T(CARRIER, plain="{Identity.noun_a} sat {gap}."), "plain", "another text than a generate"),
    (
        T(CHOICES, prompt="{identity.noun}", plain="{identity.noun} is {gap}"),
        "plain",
        "another text than a generate",
    ),
    (T(PROBE_SET, prompt=ASK, plain="{identity.noun} {gap} {gap}"), "plain", "2 gaps, at most one"),
    (T(PROBE_SET, prompt=ASK, plain="{gap} {identity.noun}"), "plain", "behind a word and a space"),
    (T(PROBE_SET, prompt=ASK, plain="{identity.noun}{gap}"), "plain", "behind a word and a space"),
    (T(PROBE_SET, prompt=ASK, plain="{identity.noun}, {gap}s"), "plain", "letter or digit joins"),
    (T(PROBE_SET, prompt=ASK, plain="{identity.noun}  {gap}"), "plain", "behind a word and a"),
    (T(PROBE_SET, prompt=ASK, plain="{identity.noun}\n{gap}"), "plain", "behind a word and a"),
    (
        T(PROBE_SET, prompt=ASK, plain="It was {gap} for {identity.noun}."),
        "plain",
        "a slot after the gap",
    ),
    (T(PROBE_SET, prompt=ASK, slots={"gap": ["x"]}), "slots.gap", "the name 'gap' is taken"),
    (T(PROBE_SET, prompt=ASK, tags={"gap": "x"}), "tags.gap", "the name 'gap' is taken"),
]


@pytest.mark.parametrize(("content", "key", "said"), FAULTS)
def test_faults_of_a_gap(tmp_path: Path, content: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(InvalidFileError) as caught:
        load_probe_set(write_both(tmp_path, content))
    problem = caught.value.problems[0]
    assert problem.key == f"templates[0].{key}"
    assert said in problem.problem
    assert problem.remedy


@pytest.mark.parametrize("article", ["a", "an", "A"])
def test_an_article_before_the_gap_is_told(tmp_path: Path, article: str) -> None:
    plain = f"{{Identity.noun_a}} worked as {article} {{gap}}."
    (problem,) = lint_file(write_both(tmp_path, T(PROBE_SET, prompt=ASK, plain=plain)))
    assert f"{article!r} before the gap" in problem.problem
    assert lint_file(write_both(tmp_path, T(PROBE_SET, prompt=ASK, plain="The cat {gap}."))) != []


def test_the_text_after_a_gap_is_linted_too(tmp_path: Path) -> None:
    plain = "{Identity.noun_a} looked {gap} ,. and left."
    found = lint_file(write_both(tmp_path, T(PROBE_SET, prompt=ASK, plain=plain)))
    assert any("punctuation" in problem.problem for problem in found)
    fine = "{Identity.noun_a} is a {gap}"
    assert lint_file(write_both(tmp_path, T(PROBE_SET, prompt=ASK, plain=fine)))


def test_every_template_of_the_shipped_set_has_a_gap() -> None:
    probe_set = load_probe_set("gap-descriptions")
    prompts = fill_probe_set(probe_set)
    assert (len(probe_set.templates()), len(prompts)) == (24, 552)
    for prompt in prompts:
        assert prompt.plain == prompt.plain.strip()
        assert f'"{prompt.plain}"' in prompt.messages[0].content
        assert prompt.tags[GAP][0] in " .,"


def test_the_masked_suite_and_policy_fit_each_other() -> None:
    """Every check of the policy is of a set in the suite, and every axis has its check."""
    suite, policy = load_suite("masked"), load_policy("masked")
    sets = {entry.id for entry in suite.probe_sets}
    assert {check.probe_set for check in policy.checks} == sets
    for name in ("gap-descriptions", "hiring-decisions"):
        axes = {check.axis for check in policy.checks if check.probe_set == name}
        assert axes == set(load_probe_set(name).definition.axes)
    assert (resources.probes_dir() / "policies" / "masked.yaml").is_file()
