"""Replies of servers: any JSON is an answer, log-probabilities, or a recorded error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.models.openai_client import (
    RequestFailed,
)
from llmaudit.models.openai_replies import (
    Answer,
    ReadToken,
    add_up,
    read_answer,
    read_echo,
    read_logprob,
    read_prompt_logprobs,
)
from llmaudit.records import ErrorKind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "text", "finish_reason", "usage", "prompt_tokens",
             "completion_tokens", "error", "refusal", "tool_calls", "reasoning", "logprobs",
             "tokens", "token_logprobs", "prompt_logprobs", "logprob", "rank", "decoded_token"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip
CHOICES = st.fixed_dictionaries(
    {
        "message": JSON | st.fixed_dictionaries({"content": st.text()}),
        "text": JSON | st.text(),
        "finish_reason": st.sampled_from(["stop", "length", None, "x", 7, [], {}]),
    },
    optional={"logprobs": JSON, "prompt_logprobs": JSON},
)
REPLIES = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "prompt_logprobs"]), JSON
) | st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, min_size=1, max_size=2)}, optional={"usage": JSON}
)


@given(REPLIES, st.booleans())
def test_any_json_is_an_answer_or_a_recorded_error(reply: dict[str, Any], chat: bool) -> None:
    try:
        answer = read_answer(reply, chat=chat)
    except RequestFailed as failed:
        assert failed.error.kind in {ErrorKind.INVALID_REPLY, ErrorKind.FILTERED}
        return
    choice = reply["choices"][0]
    message = choice["message"] if chat else {}
    sent = (message.get("content"), message.get("refusal")) if chat else (choice["text"],)
    assert answer.text in sent
    assert answer.text or choice["finish_reason"] in ("stop", "length")
    assert 0 <= answer.prompt_tokens <= 10**9


@given(REPLIES)
def test_any_json_is_log_probabilities_or_a_recorded_error(reply: dict[str, Any]) -> None:
    for read in (read_prompt_logprobs, lambda found: read_echo(found, 1)):
        try:
            tokens = read(reply)
        except RequestFailed:
            continue
        assert all(token.logprob is not None and token.logprob <= 0 for token in tokens[1:])


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"prompt_logprobs": []}, "no prompt_logprobs"),
        ({"prompt_logprobs": [None, None]}, "at 1 is missing or null"),
        ({"prompt_logprobs": [None, {}]}, "at 1 is a dict"),
        ({"prompt_logprobs": [None, {"1": 7}]}, "at 1 has a foreign form"),
        ({"prompt_logprobs": [None, {"1": {"rank": 1}}]}, "log-probability is missing"),
    ],
)
def test_prompt_logprobs_of_a_foreign_form(reply: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestFailed, match=said):
        read_prompt_logprobs(reply)


def test_the_prompts_own_token_is_found_beside_a_likelier_one() -> None:
    likelier = {"logprob": -0.1, "rank": 1, "decoded_token": " a"}
    own = {"logprob": -2.5, "rank": 9, "decoded_token": " b"}
    for position in ({"4": own, "3": likelier}, {"3": likelier, "4": own}):
        tokens = read_prompt_logprobs({"prompt_logprobs": [None, position]})
        assert tokens[1] == ReadToken("4", " b", -2.5)
    alone = read_prompt_logprobs({"prompt_logprobs": [None, {"3": likelier}]})
    assert alone[1] == ReadToken("3", " a", -0.1)


@pytest.mark.parametrize(
    ("usage", "said"),
    [({}, "does not count"), ({"completion_tokens": 2}, "does not count"), (None, "not count")],
)
def test_an_echo_must_count_its_new_tokens(usage: object, said: str) -> None:
    logprobs = {"tokens": ["a", "b", "c"], "token_logprobs": [None, -1, -2]}
    with pytest.raises(RequestFailed, match=said):
        read_echo({"choices": [{"logprobs": logprobs}], "usage": usage}, 1)


def test_the_new_tokens_of_an_echo_are_left_out() -> None:
    logprobs = {"tokens": ["a", "b", "c"], "token_logprobs": [None, -1, -2]}
    reply = {"choices": [{"logprobs": logprobs}], "usage": {"completion_tokens": 1}}
    tokens = read_echo(reply, 1)
    assert tokens == [ReadToken("a", "a", None), ReadToken("b", "b", -1.0)]
    assert add_up(tokens[1:]) == -1
    with pytest.raises(RequestFailed, match="first token has no probability"):
        add_up(tokens)


@pytest.mark.parametrize(
    "value", [None, True, "-1", [], 0.1, 7, float("-inf"), -9999.0, -(10**400)]
)
def test_no_log_probabilities(value: object) -> None:
    with pytest.raises(RequestFailed):
        read_logprob(value)


def test_log_probabilities_just_above_zero_are_rounding() -> None:
    assert read_logprob(1e-6) == 0
    assert read_logprob(-3) == -3


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"message": {"content": "Yes."}, "finish_reason": "stop"}, "Yes.", "stop"),
        ({"message": {"content": "Yes"}, "finish_reason": "length"}, "Yes", "length"),
        ({"message": {"content": "Yes"}, "finish_reason": "eos_token"}, "Yes", "stop"),
        ({"message": {"content": "Yes"}, "finish_reason": None}, "Yes", None),
        ({"message": {"content": "Yes"}}, "Yes", None),
        ({"message": {"content": ""}, "finish_reason": "stop"}, "", "stop"),
        ({"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}, "No.", "stop"),
    ],
)
def test_answers(choice: dict[str, Any], text: str, finish: str | None) -> None:
    usage = {"prompt_tokens": True, "completion_tokens": 10**12}
    found = read_answer({"choices": [choice], "usage": usage}, chat=True)
    assert found == Answer(text, finish, 0, 0)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": "", "reasoning_content": "Hm"}, "only reasoning"),
        ({"content": None, "tool_calls": [{}]}, "only calls of tools"),
        ("Yes", "message is a str"),
    ],
)
def test_chat_messages_without_an_answer(message: object, said: str) -> None:
    with pytest.raises(RequestFailed, match=said):
        read_answer({"choices": [{"message": message, "finish_reason": "stop"}]}, chat=True)
