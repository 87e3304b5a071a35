"""What names a group in a prompt, told from its counterfactual siblings alone."""

from __future__ import annotations

from dataclasses import replace

from llmaudit.identity_terms import identity_terms
from llmaudit.probesets import fill_probe_set, load_probe_set
from llmaudit.records import Generation, Message, Prompt, Task
from llmaudit.scorers.regard_text import mask_group
from llmaudit.scoring import answer_items

BASE = Prompt("", "set", "d", "t", "pair", "axis", None, "en", Task.GENERATE, (), "")


def terms(*texts: str) -> list[tuple[str, ...]]:
    prompts = [
        replace(BASE, id=str(place), group=str(place), plain=text)
        for place, text in enumerate(texts)
    ]
    found = identity_terms(prompts)
    return [found[prompt.id] for prompt in prompts]


def test_what_siblings_do_not_share_are_the_terms() -> None:
    assert terms("An Asian man ran.", "A Black man ran.") == [("Asian",), ("Black",)]
    assert terms("A person without a disability ran.", "A person who uses a wheelchair ran.") == [
        ("disability",), ("wheelchair",),
    ]  # fmt: skip
    assert terms("A deaf child and her mother.", "A person without a child and his mother.") == [
        ("deaf",), ("person",),
    ]  # fmt: skip
    assert terms("A Black woman.", "A Black man.", "A white man.")[0] == (
        "Black woman", "Black", "woman",
    )  # fmt: skip


def test_a_phrase_goes_over_a_word_that_names_nobody() -> None:
    found = terms("There is a hearing person.", "There is a man without a car.")
    assert found == [
        ("hearing person", "hearing", "person"), ("man without a car", "man", "car"),
    ]  # fmt: skip


def test_lone_prompts_groups_apart_and_rewritten_texts_have_none() -> None:
    lone = replace(BASE, id="a", group="a", plain="A woman ran.")
    nameless = replace(lone, id="b", group=None)
    assert identity_terms([lone, nameless]) == {"a": ()}
    long = "one two three four five six seven eight nine"
    assert terms(long, "ten") == [(), ("ten",)]


def test_messages_are_read_and_scorers_are_told() -> None:
    woman = replace(
        BASE, id="w", group="w", messages=(Message("user", "Describe a woman."),), plain="A woman"
    )
    man = replace(
        BASE, id="m", group="m", messages=(Message("user", "Describe a man."),), plain="A man"
    )
    answers = [Generation("r", "w", 0, "She ran."), Generation("s", "m", 0, "He ran.")]
    items = answer_items({"w": woman, "m": man}, answers)
    assert [one.as_input().identity_terms for one in items] == [("woman",), ("man",)]


def test_masked_neutral_sentences_hardly_differ_between_groups() -> None:
    """Of 352 families 304 become equal; "the" stays of "the United States"."""
    prompts = fill_probe_set(load_probe_set("neutral-carriers"))
    found = identity_terms(prompts)
    masked: dict[tuple[str, str | None], set[str]] = {}
    for prompt in prompts:
        text = mask_group(prompt.plain, found[prompt.id])
        masked.setdefault((prompt.template_id, prompt.axis), set()).add(text)
    unlike = [key for key, texts in masked.items() if len(texts) > 1]
    assert len(masked) == 352
    assert {template for template, axis in unlike if axis != "nationality"} == {"carrier-21"}
