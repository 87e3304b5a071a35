"""The rules that all kinds of model share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmaudit.models.base import failed_generation, failed_likelihood, is_chat, join_choice
from llmaudit.records import (
    Decoding,
    ErrorKind,
    GenerationRequest,
    LikelihoodRequest,
    Message,
    Prompt,
    RequestError,
    Task,
)


def _prompt(messages: tuple[Message, ...] = ()) -> Prompt:
    return Prompt("p", "s", "d", "t", "x", None, None, "en", Task.CHOICES, messages, "")


def test_choices_are_joined_as_the_probe_format_says() -> None:
    assert join_choice("The nurse is", "kind", chat=False) == "The nurse is kind"
    assert join_choice("The nurse is ", "kind", chat=False) == "The nurse is kind"
    assert join_choice("The nurse is\n", "kind", chat=False) == "The nurse is\nkind"
    assert join_choice("", "kind", chat=False) == "kind"
    assert join_choice("assistant:", "kind", chat=True) == "assistant:kind"


@given(st.text(), st.text(), st.booleans())
def test_the_context_is_always_a_prefix(context: str, choice: str, chat: bool) -> None:
    joined = join_choice(context, choice, chat=chat)
    assert joined.startswith(context)
    assert joined[len(context) :].removeprefix(" ") in {choice, choice.removeprefix(" ")}


def test_only_turns_put_to_a_chat_model_are_a_chat() -> None:
    turns = (Message("user", "Hello"),)
    assert is_chat(_prompt(turns), chat_model=True)
    assert not is_chat(_prompt(turns), chat_model=False)
    assert not is_chat(_prompt(), chat_model=True)


def test_failures_keep_the_ids_of_their_request() -> None:
    error = RequestError(ErrorKind.NAN_LOGITS, "NaN at step 3")
    generation = failed_generation(
        GenerationRequest("g1", _prompt(), Decoding(5, 1.0), 2, 0), error
    )
    assert (generation.request_id, generation.prompt_id, generation.sample_index) == ("g1", "p", 2)
    assert (generation.text, generation.error) == (None, error)
    likelihood = failed_likelihood(LikelihoodRequest("l1", _prompt(), "yes"), error)
    assert (likelihood.request_id, likelihood.choice) == ("l1", "yes")
    assert (likelihood.logprob, likelihood.error) == (None, error)
