"""Prompt and choice become tokens together; no character is lost at the seam between them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from tiny_checkpoints import CHAT_TEMPLATE, END, START, make_prompt, train_tokenizer

from llmaudit.models.base import join_choice
from llmaudit.models.encoding import PromptEncoder
from llmaudit.models.serving import Rejected


def _merging_tokenizer() -> Any:
    """Return a tokenizer that splits nothing beforehand, so that merges cross from word to word."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    letters = ["<s>", *"abc "]
    merges = [("a", " "), ("a ", "b"), ("a ", "c")]
    vocabulary = {token: number for number, token in enumerate([*letters, "a ", "a b", "a c"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    settings: dict[str, Any] = {"tokenizer_object": backend, "bos_token": "<s>"}
    return PreTrainedTokenizerFast(**settings)  # type: ignore[no-untyped-call]


def test_the_continuation_begins_where_context_and_choice_part() -> None:
    encoder = PromptEncoder(train_tokenizer(), chat_model=False)
    prompt = make_prompt("The nurse", choices={"x": "said that", "y": "was"})
    ids = encoder.choice_ids(prompt)
    context, continuation = ids["x"]
    assert context == encoder.prompt_ids(make_prompt("The nurse"))
    assert encoder.decode(list(continuation)) == " said that"
    assert ids["y"][0] == context


def test_a_token_across_the_seam_belongs_to_every_continuation() -> None:
    """'b a' + ' b' is the tokens b, space, 'a b': the context of both choices ends before the a."""
    tokenizer = _merging_tokenizer()
    encoder = PromptEncoder(tokenizer, chat_model=False)
    prompt = make_prompt("b a", choices={"b": "b", "cc": "cc"})
    ids = encoder.choice_ids(prompt)
    number = tokenizer.convert_tokens_to_ids
    context = (number("b"), number(" "))
    assert ids["b"] == (context, (number("a b"),))
    assert ids["cc"] == (context, (number("a c"), number("c")))


def test_a_seam_at_the_very_start_is_conditioned_on_the_beginning_of_text() -> None:
    tokenizer = _merging_tokenizer()
    encoder = PromptEncoder(tokenizer, chat_model=False)
    ids = encoder.choice_ids(make_prompt("a", choices={"b": "b"}))
    assert ids["b"] == ((tokenizer.bos_token_id,), (tokenizer.convert_tokens_to_ids("a b"),))


@how(max_examples=60, deadline=None)
@given(
    st.text(min_size=1, max_size=30),
    st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True),
)
def test_context_and_continuation_are_the_whole_text(context: str, choices: list[str]) -> None:
    encoder = PromptEncoder(_TOKENIZER, chat_model=False)
    prompt = make_prompt(context, choices={choice: choice for choice in choices})
    found = encoder.choice_ids(prompt)
    assert len({before for before, _ in found.values()}) == 1
    for choice, (before, after) in found.items():
        text = _TOKENIZER.decode([*before, *after], clean_up_tokenization_spaces=False)
        if before[0] == _TOKENIZER.bos_token_id:
            text = text.removeprefix(START)
        assert text == join_choice(context, choice, chat=False)


_TOKENIZER = train_tokenizer()


@pytest.mark.parametrize("ending", [False, True])
def test_what_a_tokenizer_puts_before_a_text_is_kept_and_after_it_left_out(ending: bool) -> None:
    from tokenizers import processors

    tokenizer = train_tokenizer()
    numbers = [
        (token, tokenizer.convert_tokens_to_ids(token)) for token in (START, END)[: 1 + ending]
    ]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}" if ending else f"{START} $A", special_tokens=numbers
    )
    encoder = PromptEncoder(tokenizer, chat_model=False)
    bare = tokenizer("The nurse", add_special_tokens=False)["input_ids"]
    assert encoder.prompt_ids(make_prompt("The nurse")) == (tokenizer.bos_token_id, *bare)
    ids = encoder.choice_ids(make_prompt("", choices={"x": "The nurse"}))
    assert ids["x"] == ((tokenizer.bos_token_id,), tuple(bare))


def test_a_chat_has_only_the_special_tokens_of_its_template() -> None:
    tokenizer = train_tokenizer(start=True, chat_template=CHAT_TEMPLATE)
    encoder = PromptEncoder(tokenizer, chat_model=True)
    ids = encoder.prompt_ids(make_prompt("Hello."))
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert text == "<turn>user: Hello.<end><turn>assistant: "
    seam = encoder.choice_ids(make_prompt("Hello.", choices={"yes": "yes"}))["yes"]
    assert tokenizer.decode(seam[0] + seam[1]) == text + "yes"
    alone = encoder.choice_ids(make_prompt("", choices={"x": "Hello."}))["x"]
    assert alone[0] == (tokenizer.bos_token_id,)


def test_a_tokenizer_without_any_end_cannot_score_a_text_that_stands_alone() -> None:
    tokenizer = train_tokenizer()
    tokenizer.bos_token = None
    encoder = PromptEncoder(tokenizer, chat_model=False)
    prompt = make_prompt("", choices={"x": "Hello."})
    assert encoder.choice_ids(prompt)["x"][0] == (tokenizer.eos_token_id,)
    tokenizer.eos_token = None
    with pytest.raises(Rejected, match="neither a beginning-of-text"):
        encoder.choice_ids(prompt)


def test_sampled_text_is_not_tidied() -> None:
    tokenizer = train_tokenizer()
    tokenizer.clean_up_tokenization_spaces = True
    encoder = PromptEncoder(tokenizer, chat_model=False)
    for text in (" Well , it 's  so .", " ", "\n\n"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert encoder.decode(ids) == text
    assert encoder.decode([tokenizer.eos_token_id]) == ""
