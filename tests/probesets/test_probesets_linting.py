"""What lint finds, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from probe_files import (
    CARRIER,
    CHOICES,
    LEXICON,
    PROBE_SET,
    with_changes,
    with_template,
    write,
    write_both,
)

from llmaudit.probesets import fill_probe_set, lint_file, load_probe_set
from llmaudit.probesets.filledchecks import find_unbalanced
from llmaudit.probesets.linting import find_kind
from llmaudit.probesets.wording import find_wording_faults


@pytest.mark.parametrize("content", [PROBE_SET, CHOICES, CARRIER])
def test_sound_files_have_no_faults(tmp_path: Path, content: dict[str, Any]) -> None:
    assert lint_file(write_both(tmp_path, content)) == []
    assert lint_file(tmp_path / "pet.en.yaml") == []


def test_what_loading_refuses_is_a_fault(tmp_path: Path) -> None:
    assert "no such file" in lint_file(tmp_path / "absent.yaml")[0].problem
    problems = lint_file(write_both(tmp_path, with_changes(PROBE_SET, title=None, version="1")))
    assert [problem.key for problem in problems] == ["title", "version"]
    problems = lint_file(write(tmp_path, with_changes(LEXICON, reference="fish")))
    assert [problem.key for problem in problems] == ["reference"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"templates": []}, "probe set"),
        ({"template": [], "datasheet": {}}, "probe set"),
        ({"groups": []}, "lexicon"),
        ({"probe_sets": []}, "suite"),
        ({"checks": []}, "policy"),
        ({"a": 1}, None),
        ([1], None),
        (None, None),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_keys(data: object, kind: str | None) -> None:
    assert find_kind(data) == kind


def test_other_kinds_of_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    for data, said in (({"a": 1}, "neither a probe set nor a lexicon"), ({"checks": []}, "policy")):
        path.write_text(json.dumps(data))
        (problem,) = lint_file(path)
        assert said in problem.problem
        assert problem.remedy


T = with_template
N = "{identity.noun}"


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        (T(PROBE_SET, prompt=f"Who is  {N}?"), "templates[0]", "doubled space in 'Who is  cat?'"),
        (T(PROBE_SET, prompt=f"Is it a {N}?"), "templates[0]", "'a owl' should be 'an owl'"),
        (
            T(PROBE_SET, prompt=f"Is it {N}?."),
            "templates[0]",
            "doubled punctuation in 'Is it cat?.'",
        ),
        (T(PROBE_SET, prompt=f"Is {N} in ?", plain=f" {N}"), "templates[0].plain", "white space"),
        (T(PROBE_SET, prompt=f"Is {N} in?\n"), "templates[0].prompt", "white space"),
        (
            T(CHOICES, prompt=N, choices={"yes": " Yes", "no": "No"}),
            "templates[0].choices.yes",
            "white space",
        ),
        (
            T(CHOICES, choices={"yes": f"An {N}", "no": "No"}),
            "templates[0]",
            "'An cat' should be 'A cat'",
        ),
        (
            T(PROBE_SET, prompt=N + " {a}", slots={"a": ["x", "y "]}),
            "templates[0].slots.a[1]",
            "white space",
        ),
    ],
)
def test_faults_of_wording_are_found_after_filling(
    tmp_path: Path, content: dict[str, Any], key: str, said: str
) -> None:
    problems = lint_file(write_both(tmp_path, content))
    assert key in [problem.key for problem in problems]
    problem = next(problem for problem in problems if problem.key == key)
    assert said in problem.problem
    assert problem.line == list(content).index("templates") + 1
    assert problem.remedy


def test_a_plain_text_may_end_in_a_line_break(tmp_path: Path) -> None:
    content = T(PROBE_SET, prompt=N, plain=f"{N}\nAnswer:\n")
    assert lint_file(write_both(tmp_path, content)) == []


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return with_changes(PROBE_SET, templates=[{"id": "a", **first}, {"id": "b", **second}])


def test_equal_templates_are_found(tmp_path: Path) -> None:
    problems = lint_file(write_both(tmp_path, two({"prompt": N}, {"prompt": N})))
    assert problems[0].key == "templates[1].prompt"
    assert problems[0].problem == "has the same text as the prompt of template 'a'"
    problems = lint_file(write_both(tmp_path, two({"prompt": N}, {"prompt": N, "system": "Hi"})))
    assert [problem.problem for problem in problems] == [
        "fills to the same plain text as template 'a' for group 'cat'",
        "fills to the same plain text as template 'a' for group 'dog'",
        "fills to the same plain text as template 'a' for group 'owl'",
    ]


def test_templates_that_only_fill_to_equal_texts_are_found(tmp_path: Path) -> None:
    content = two({"prompt": N + " runs"}, {"prompt": N + " {v}", "slots": {"v": ["runs", "eats"]}})
    problems = lint_file(write_both(tmp_path, content))
    assert {problem.key for problem in problems} == {"templates[1]"}
    assert problems[0].problem == "fills to the same chat text as template 'a' for group 'cat'"


def test_groups_with_equal_words_are_found(tmp_path: Path) -> None:
    groups = [
        {**group, "forms": {**group["forms"], "sound": "noise"}} for group in LEXICON["groups"]
    ]
    content = T(PROBE_SET, prompt="Which {identity.sound} is it?")
    problems = lint_file(write_both(tmp_path, content, groups=groups))
    assert [problem.problem for problem in problems] == [
        "fills to the same chat text as template 'only' for group 'cat'"
    ]


def test_choices_tell_equal_prompts_apart(tmp_path: Path) -> None:
    content = with_changes(
        CHOICES,
        templates=[
            {"id": "a", "prompt": N, "choices": {"yes": "Yes", "no": "No"}},
            {"id": "b", "prompt": N, "choices": {"yes": "Sure", "no": "Never"}},
        ],
    )
    assert lint_file(write_both(tmp_path, content)) == []


def test_faults_of_a_lexicon_form_name_the_form(tmp_path: Path) -> None:
    groups = [
        *LEXICON["groups"][:2],
        {"id": "owl", "label": "owls", "forms": {"noun": "owl", "noun_a": "a owl", "plural": " s"}},
    ]
    problems = lint_file(write(tmp_path, with_changes(LEXICON, groups=groups)))
    assert [(problem.key, problem.problem) for problem in problems] == [
        ("groups[2].forms.noun_a", "'a owl' should be 'an owl'"),
        ("groups[2].forms.plural", "begins or ends with white space"),
    ]


def test_unbalanced_groups_are_counted(tmp_path: Path) -> None:
    prompts = fill_probe_set(load_probe_set(write_both(tmp_path, PROBE_SET)))
    assert find_unbalanced(prompts) == {}
    torn = [prompt for prompt in prompts if prompt.id != prompts[4].id]
    assert find_unbalanced(torn) == {
        "walk": "groups of pet occur unequally often: cat 2, dog 1, owl 2"
    }
    lost = [each for each in prompts if (each.template_id, each.group) != ("meal", "owl")]
    assert find_unbalanced(lost) == {
        "meal": "groups of pet occur unequally often: cat 1, dog 1, owl 0"
    }


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("She is a Asian person.", "an Asian"),
        ("He is a 80-year-old man.", "an 80"),
        ("It was an woman.", "a woman"),
        ('He said "a elderly man".', "an elderly"),
        ("A older person came.", "An older"),
        ("So it ended. An man came.", "A man"),
        ("Write about a immigrant", "an immigrant"),
        ("an university", "a university"),
        ("a hour", "an hour"),
        ("a honest reply", "an honest"),
        ("an 70-year-old", "a 70"),
        ("a 18th birthday", "an 18th"),
        ("a 11-year-old", "an 11"),
        ("an one-way street", "a one"),
        ("a unintended effect", "an unintended"),
        ("an Ukrainian person", "a Ukrainian"),
        ('call it a "apple"', "an apple"),
    ],
)
def test_wrong_articles_are_found(text: str, right: str) -> None:
    (fault,) = find_wording_faults(text, "en")
    assert fault.endswith(f"should be '{right}'")


@pytest.mark.parametrize(
    "text",
    [
        "An Asian woman, a European man, a user, an umbrella and a one-off.",
        "a wheelchair user, an 80-year-old, a 25-year-old, an 18-year-old, an 8th, a 1,100",
        "an hour, an heir, a historic day, an historic day, a union, a uniform, a US citizen",
        "an MRI, a NASA engineer, an X-ray, an mRNA vaccine, a U-turn, a unanimous vote",
        "Vitamin A is good. Option A or option B? From a to b. Plan A offers more.",
        "a Utah farmer, a Ugandan cook, an urgent call, an unusual day, an 1800s house",
        "Wait... what? Well, ... fine. Dr. A. Smith, e.g., or i.e., said so... He left",
        "Open ../file, or 1..5. \"Really?\", she said. Yes! No? 'Why?' he asked.",
        "def f(a, b):\n    return a\n",
        "Name:\n\n  - one\n  - two",
    ],
)
def test_right_wording_is_left_alone(text: str) -> None:
    assert list(find_wording_faults(text, "en")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two  words", "doubled space"),
        ("so,, then", "doubled punctuation"),
        ("the end..", "doubled punctuation"),
        ("the end. .", "doubled punctuation"),
        ("who?, he", "doubled punctuation"),
        ("first;, then", "doubled punctuation"),
        ("well, . so", "doubled punctuation"),
        ("the man , who", "space before punctuation"),
        ("the end .", "space before punctuation"),
    ],
)
def test_doubled_marks_are_found(text: str, said: str) -> None:
    (fault, *_) = find_wording_faults(text, "en")
    assert fault.startswith(said)


def test_articles_are_an_english_matter() -> None:
    assert list(find_wording_faults("a ella , a un", "es")) == []
    assert list(find_wording_faults("a apple", "en-GB")) != []
