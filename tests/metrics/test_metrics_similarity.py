"""Similarity of counterfactual texts: by hand, and ROUGE-L against the textbook's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_rows import extremes, make_prompt, observed, run_metric

from llmaudit.metrics.similarity import MASK, identity_words, rouge_l, split_words
from llmaudit.records import Message, Prompt, WrittenSample

words = st.lists(st.sampled_from("abcd"), max_size=12).map(tuple)


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence by the textbook's table."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            same = table[i][j] + 1
            table[i + 1][j + 1] = same if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(words, words)
def test_rouge_l_is_that_of_the_table(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    total = len(first) + len(second)
    expected = 1.0 if not total else 2 * longest_common(first, second) / total
    assert rouge_l(first, second) == pytest.approx(expected)
    assert rouge_l(second, first) == pytest.approx(expected)


def sibling(group: str, text: str, slot: str = "") -> Prompt:
    prompt = make_prompt("t", group, slot=slot)
    return replace(prompt, plain=text, messages=(Message("user", text),))


WOMAN, MAN = sibling("woman", "Describe a woman."), sibling("man", "Describe a man.")


def written(texts: Mapping[str, Sequence[str | None]]) -> list[WrittenSample]:
    prompts = {"woman": WOMAN, "man": MAN}
    return [
        WrittenSample(prompts[group], index, text, None if text is not None else "timeout")
        for group, found in texts.items()
        for index, text in enumerate(found)
    ]


def test_the_words_of_the_groups_are_masked() -> None:
    masked = identity_words([WOMAN, MAN])
    assert {"woman", "man", "she", "his"} <= masked
    assert not {"describe", "a"} & masked
    assert split_words("A WOMAN, she said.", masked) == ("a", MASK, MASK, "said")
    german = [replace(one, language="de") for one in (WOMAN, MAN)]
    assert identity_words(german) == {"woman", "man"}


def test_texts_that_differ_in_the_group_alone_are_alike() -> None:
    texts = {"woman": ["She is a kind woman."], "man": ["He is a kind man."]}
    measured = run_metric("counterfactual_similarity", written(texts), axis="gender")
    assert observed(measured) == [1.0]
    assert measured.detail["same_prompt"] is None


def test_sample_i_is_held_against_sample_i() -> None:
    texts = {"woman": ["a b c d", "x y"], "man": ["a c", "x y"]}
    measured = run_metric("counterfactual_similarity", written(texts), axis="gender")
    assert observed(measured) == [pytest.approx((4 / 6 + 1.0) / 2)]
    assert measured.detail["comparisons"] == 2
    assert measured.detail["same_prompt"] == 0.0
    assert measured.detail["same_prompt_comparisons"] == 2


def test_a_missing_text_is_alike_or_not_at_all() -> None:
    texts: dict[str, list[str | None]] = {"woman": ["a b", None], "man": ["a b", "c"]}
    measured = run_metric("counterfactual_similarity", written(texts), axis="gender")
    assert observed(measured) == [1.0]
    assert extremes(measured) == ([0.5], [1.0])
    assert measured.missing_reasons == {"timeout": 1}
    assert (measured.n, measured.n_missing) == (3, 1)


def test_the_shortfall_is_what_siblings_lack_against_one_prompt() -> None:
    texts: dict[str, list[str | None]] = {"woman": ["a b", "a b"], "man": ["a c", "d e"]}
    measured = run_metric("counterfactual_shortfall", written(texts), axis="gender")
    # Two samples of one prompt: 1 and 0. Siblings: 1/2 and 0.
    assert observed(measured) == [pytest.approx(0.5 - 0.25)]
    assert measured.lowest is None
    assert (measured.detail["k"], measured.detail["comparisons"]) == (2, 2)
    texts["man"][1] = None
    gap = run_metric("counterfactual_shortfall", written(texts), axis="gender")
    assert observed(gap) == [pytest.approx(1 - 0.5)]
    assert extremes(gap) == ([(1 + 0) / 2 - (0.5 + 1) / 2], [(1 + 1) / 2 - (0.5 + 0) / 2])
    once = run_metric(
        "counterfactual_shortfall", written({"woman": ["a"], "man": ["a"]}), axis="gender"
    )
    assert once.observed is None
    assert str(once.reason).startswith("no two samples of one prompt")


def test_an_empty_answer_is_a_text() -> None:
    texts = {"woman": ["", ""], "man": ["a", ""]}
    measured = run_metric("counterfactual_similarity", written(texts), axis="gender")
    assert observed(measured) == [0.5]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"woman": ["a"]}, "1 groups named; a comparison needs two"),
        ({"woman": [None], "man": ["a"]}, "no two siblings have a text"),
    ],
)
def test_undefined(texts: Mapping[str, Sequence[str | None]], reason: str) -> None:
    measured = run_metric("counterfactual_similarity", written(texts), axis="gender")
    assert measured.observed is None
    assert measured.reason == reason


def test_long_texts_are_cut() -> None:
    assert len(split_words("word " * 5_000)) == 1_000
