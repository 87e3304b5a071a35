"""Cases, rules between slots, talks of several turns, and what answers are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from probe_files import CHOICES, PROBE_SET, with_changes, with_template, write_both

from llmaudit.probesets import fill_probe_set, lint_file, load_probe_set
from llmaudit.records import Message, Prompt

T = with_template
N = "{identity.noun_a}"


def fill(folder: Path, content: dict[str, Any]) -> tuple[Prompt, ...]:
    path = write_both(folder, content)
    assert lint_file(path) == []
    loaded = load_probe_set(path)
    prompts = fill_probe_set(loaded)
    assert loaded.count() == len(prompts)
    return prompts


CASES = [
    {
        "id": "strong",
        "slots": {"facts": "never bit anyone.", "years": "9"},
        "expected": "yes",
        "tags": {"strength": "strong"},
    },
    {"id": "weak", "slots": {"facts": "bit three guests.", "years": "1"}, "expected": "no"},
    {
        "id": "odd",
        "slots": {"facts": "hums.", "years": "3"},
        "choices": {"yes": "Sure", "no": "Never"},
    },
]


def test_a_case_fills_its_slots_together_and_says_what_is_right(tmp_path: Path) -> None:
    content = T(
        CHOICES,
        prompt="After {years} years, {identity.noun_a} {facts} May it come {place}?",
        slots={"place": ["in", "out"]},
        cases=CASES,
        tags={"tone": "calm"},
    )
    prompts = fill(tmp_path, content)
    assert len(prompts) == 3 * 2 * 3
    first, weak, odd = prompts[0], prompts[6], prompts[12]
    assert first.messages[0].content == "After 9 years, a cat never bit anyone. May it come in?"
    assert first.tags == {
        "tone": "calm",
        "strength": "strong",
        "case": "strong",
        "place": "in",
        "favourable": "yes",
    }
    assert [prompt.expected for prompt in (first, weak, odd)] == ["yes", "no", None]
    assert odd.choices == {"yes": "Sure", "no": "Never"}
    assert len({prompt.pair_id for prompt in prompts}) == 6
    assert {prompt.template_id for prompt in prompts} == {"only"}


def test_rules_leave_combinations_out(tmp_path: Path) -> None:
    slots = {"tool": ["saw", "pen"], "place": ["wood", "desk", "sea"]}
    base = {"prompt": f"Say what {N} does with a {{tool}} at the {{place}}.", "slots": slots}

    def pairs(**rules: Any) -> list[tuple[str, str]]:
        prompts = fill(tmp_path, T(PROBE_SET, **base, **rules))
        return [(each.tags["tool"], each.tags["place"]) for each in prompts[::3]]

    assert pairs(never=[{"tool": "saw", "place": ["desk", "sea"]}]) == [
        ("saw", "wood"),
        ("pen", "wood"),
        ("pen", "desk"),
        ("pen", "sea"),
    ]
    assert pairs(only=[{"tool": "saw", "place": "wood"}, {"place": "desk"}]) == [
        ("saw", "wood"),
        ("saw", "desk"),
        ("pen", "desk"),
    ]


def test_a_talk_is_sent_turn_by_turn_or_written_out(tmp_path: Path) -> None:
    turns = [{"user": "Hello."}, {"assistant": "Yes?"}, {"user": f"Describe {N}."}]
    cat, *_ = fill(tmp_path, T(PROBE_SET, system="Be brief.", turns=turns))
    assert cat.messages == (
        Message("system", "Be brief."),
        Message("user", "Hello."),
        Message("assistant", "Yes?"),
        Message("user", "Describe a cat."),
    )
    assert cat.plain == "User: Hello.\nAssistant: Yes?\nUser: Describe a cat.\nAssistant:"
    cat, *_ = fill(tmp_path, T(PROBE_SET, turns=turns, plain="A text about {identity.noun_a}:"))
    assert cat.plain == "A text about a cat:"


def test_references_are_filled_and_those_of_a_case_count_first(tmp_path: Path) -> None:
    content = T(
        PROBE_SET,
        system="The code is {code}.",
        prompt=f"Which code does {N} have? {{ask}}",
        plain=f"Code {{code}} for {N}. {{ask}}",
        slots={"code": ["7419"]},
        references=["{code}", "{Identity.noun_a}"],
        false_references=["0000"],
        expected="told",
        cases=[
            {"id": "a", "slots": {"ask": "Tell!"}},
            {"id": "b", "slots": {"ask": "Now!"}, "references": ["no"], "expected": "kept"},
        ],
    )
    first, *_, last = fill(tmp_path, content)
    assert first.references == ("7419", "A cat")
    assert (first.false_references, first.expected) == (("0000",), "told")
    assert (last.references, last.false_references, last.expected) == (("no",), (), "kept")


def test_a_harm_becomes_the_category(tmp_path: Path) -> None:
    cat, *_ = fill(tmp_path, T(PROBE_SET, prompt=f"Rob {N}.", harm="theft"))
    assert cat.tags == {"category": "theft"}


def talk(*roles: str) -> list[dict[str, str]]:
    return [{role: f"Text {place} {N}"} for place, role in enumerate(roles)]


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    (T(PROBE_SET, turns=talk("assistant", "user")), "turns[0]", "turn of the assistant out of"),
    (T(PROBE_SET, turns=talk("user", "user")), "turns[1]", "a turn of the user out of order"),
    (T(PROBE_SET, turns=talk("user", "assistant")), "turns[1]", "last turn is the assistant's"),
    (T(PROBE_SET, turns=talk("user"), prompt=N), "prompt", "stands beside turns"),
    (T(PROBE_SET, turns=[{"bot": "x"}]), "turns[0].bot", "unknown key 'bot'"),
    (T(PROBE_SET, prompt=N, harm="arson"), "harm", "found text 'arson'"),
    (T(PROBE_SET, prompt=N, harm="theft", tags={"category": "x"}), "tags.category", "is taken"),
    (T(PROBE_SET, prompt=N, tags={"case": "x"}), "tags.case", "the name 'case' is taken"),
    (
        T(
            PROBE_SET,
            prompt=N + "{a}",
            cases=[{"id": "x", "slots": {"a": "1"}, "tags": {"gap": "x"}}],
        ),
        "cases[0].tags.gap",
        "the name 'gap' is taken",
    ),
    (
        T(PROBE_SET, prompt=N + "{a}", slots={"a": ["1"]}, never=[{"b": "1"}]),
        "never[0].b",
        "'b' is no slot",
    ),
    (
        T(PROBE_SET, prompt=N + "{a}", slots={"a": ["1"]}, only=[{"a": ["1", "2"]}]),
        "only[0].a",
        "'2' is no value of slot 'a'",
    ),
    (
        T(PROBE_SET, prompt=N + "{a}", slots={"a": ["1"]}, never=[{"a": "1"}]),
        "",
        "its rules allow no combination of slots",
    ),
    (
        T(
            PROBE_SET,
            prompt=N + "{a}",
            cases=[{"id": "x", "slots": {"a": "1"}}, {"id": "x", "slots": {"b": "1"}}],
        ),
        "cases[1].slots",
        "slot 'a' is missing",
    ),
    (
        T(
            PROBE_SET,
            prompt=N + "{a}",
            cases=[{"id": "x", "slots": {"a": "1"}}, {"id": "y", "slots": {"a": "1", "b": "2"}}],
        ),
        "cases[1].slots.b",
        "slot 'b' is not a slot of the first case",
    ),
    (
        T(
            PROBE_SET,
            prompt=N + "{a}",
            slots={"a": ["1"]},
            cases=[{"id": "x", "slots": {"a": "2"}}],
        ),
        "cases[0].slots.a",
        "the name 'a' is taken",
    ),
    (
        T(PROBE_SET, prompt=N, cases=[{"id": "x", "slots": {"a": "2"}}]),
        "prompt",
        "slot 'a' is not used",
    ),
    (
        T(PROBE_SET, prompt=N, references=["{b}"]),
        "references[0]",
        "{b} is not among the template's slots",
    ),
    (T(CHOICES, prompt=N, expected="maybe"), "expected", "'maybe' is not a label of its choices"),
    (
        T(CHOICES, prompt=N + "{a}", cases=[{"id": "x", "slots": {"a": "2"}, "expected": "oui"}]),
        "cases[0].expected",
        "'oui' is not a label of its choices",
    ),
    (
        T(
            CHOICES,
            prompt=N + "{a}",
            cases=[{"id": "x", "slots": {"a": "2"}, "choices": {"yes": "1"}}],
        ),
        "cases[0].choices",
        "1 choices, at least 2",
    ),
    (
        T(
            PROBE_SET,
            prompt=N + "{a}",
            cases=[{"id": "x", "slots": {"a": "2"}, "choices": {"yes": "1", "no": "2"}}],
        ),
        "cases[0].choices",
        "task generate has no choices",
    ),
    (with_changes(PROBE_SET, templates=None), "", "needs either templates or compose"),
]


@pytest.mark.parametrize(("content", "key", "said"), FAULTS)
def test_faults_of_cases_and_turns(
    tmp_path: Path, content: dict[str, Any], key: str, said: str
) -> None:
    found = lint_file(write_both(tmp_path, content))
    wanted = f"templates[0].{key}" if key else "templates"
    assert any(
        each.key.startswith(wanted) and said in each.problem and each.remedy for each in found
    ), found


def test_choices_may_stand_in_the_cases_alone(tmp_path: Path) -> None:
    cases = [
        {"id": "x", "slots": {"a": "red"}, "choices": {"yes": "It is red.", "no": "It is not."}}
    ]
    content = with_changes(T(CHOICES, prompt=f"Is {N} {{a}}?", cases=cases), choices=None)
    cat, *_ = fill(tmp_path, content)
    assert cat.choices == {"yes": "It is red.", "no": "It is not."}
