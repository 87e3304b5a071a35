"""Likelihoods from servers: numbers worked out by hand, and what is no likelihood."""

from __future__ import annotations

import pytest
from fault_proxy import Fault, FaultProxy
from openai_models import open_model
from openai_server import END_OF_TEXT, PER_CHARACTER, FakeServer, Kind, text_logprob
from tiny_checkpoints import choice_requests, make_prompt

from llmaudit.errors import ModelError
from llmaudit.models.openai import ServerModel
from llmaudit.records import (
    Capability,
    ErrorKind,
    Likelihood,
    LikelihoodRequest,
)


def likelihoods(model: ServerModel, requests: list[LikelihoodRequest]) -> dict[str, Likelihood]:
    """Return likelihoods by the choice they are of."""
    return {one.choice: one for one in model.likelihood(requests)}


@pytest.mark.parametrize("logprobs", ["vllm", "echo"])
@pytest.mark.parametrize("opening", ["<s>", ""])
def test_likelihoods_of_continuations(logprobs: str, opening: str) -> None:
    with FakeServer(Kind(chat=False, logprobs=logprobs, opening=opening)) as server:
        model = open_model(server.url)
        found = likelihoods(model, choice_requests("The nurse is", ["kind.", "very kind."]))
        alone = likelihoods(model, choice_requests("", ["She is kind.", "He is."]))
    assert model.capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}
    assert found["kind."].logprob == pytest.approx(text_logprob(" kind."))
    assert found["kind."].logprob == pytest.approx(-0.6)
    assert found["very kind."].logprob == pytest.approx(-1.1)
    assert (found["kind."].tokens, found["very kind."].tokens) == (2, 3)
    assert alone["She is kind."].logprob == pytest.approx(-1.2)
    assert (alone["She is kind."].tokens, alone["He is."].tokens) == (4, 3)
    field = "prompt_logprobs" if logprobs == "vllm" else "echo"
    assert model.facts.likelihood_definition.startswith(f"Server ({field}): the sum of ln p")
    before = "what the server puts before every text." if opening else f"{END_OF_TEXT}, since "
    assert f"preceded by {before}" in model.facts.likelihood_definition
    warned = "not to be compared with a local run's." in model.facts.likelihood_definition
    assert warned is (opening == "")
    assert model.facts.no_likelihood == ""


def test_choices_that_begin_alike_are_told_apart_by_their_context() -> None:
    with FakeServer(Kind(chat=False, logprobs="vllm", opening="<s>")) as server:
        model = open_model(server.url)
        asked = len(server.posted)
        found = likelihoods(model, choice_requests("It is", ["so good", "so bad"]))
        assert len(server.posted) - asked == 3
        single = likelihoods(model, choice_requests("It is", ["so good"]))
    assert {one.tokens for one in found.values()} == {2}
    assert found["so good"].logprob == pytest.approx(-0.8)
    assert single["so good"] == found["so good"]


def test_a_token_across_the_boundary_belongs_to_the_choice() -> None:
    with FakeServer(Kind(chat=False, logprobs="vllm", opening="<s>")) as server:
        model = open_model(server.url)
        # "foot" and "ball" are one word, so the context's last token is not among the whole's.
        prompt = make_prompt("my foot", choices={"a": "ball", "b": "print"}, turns=False)
        monkey = {"a": "ball", "b": "print"}
        requests = [LikelihoodRequest(label, prompt, label) for label in monkey]
        found = {one.choice: one for one in model.likelihood(requests)}
    assert found["a"].logprob == pytest.approx(PER_CHARACTER * len(" ball"))
    assert found["a"].error is None


@pytest.mark.parametrize("chat_logprobs", [True, False])
def test_likelihoods_in_a_chat(chat_logprobs: bool) -> None:
    kind = Kind(logprobs="vllm", opening="<s>", chat_logprobs=chat_logprobs)
    with FakeServer(kind) as server:
        model = open_model(server.url)
        found = likelihoods(model, choice_requests("Invite her?", ["yes", "no"]))
        body = server.posted[-1].body
    note = "Likelihoods of answers in a chat cannot be had from this server."
    assert (note in model.facts.notes) is not chat_logprobs
    if not chat_logprobs:
        assert {one.error and one.error.kind for one in found.values()} == {ErrorKind.UNSUPPORTED}
        return
    assert body["messages"][-1] == {"role": "assistant", "content": "no"}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert found["yes"].logprob == pytest.approx(-0.4)
    assert found["no"].logprob == pytest.approx(-0.3)
    assert found["no"].tokens == 1


def test_choices_of_a_chat_that_begin_alike() -> None:
    with FakeServer(Kind(logprobs="vllm", opening="<s>", chat_logprobs=True)) as server:
        model = open_model(server.url)
        asked = len(server.posted)
        found = likelihoods(model, choice_requests("How is it?", ["so good", "so bad"]))
        bodies = [one.body for one in server.posted[asked:]]
    assert [len(body["messages"]) for body in bodies] == [2, 2, 1]
    assert bodies[-1]["add_generation_prompt"] is True
    assert bodies[-1]["continue_final_message"] is False
    assert found["so good"].logprob == pytest.approx(-0.8)
    assert found["so bad"].logprob == pytest.approx(-0.7)


def test_letters_in_several_tokens_are_measured_all_the_same() -> None:
    broken = "\N{REPLACEMENT CHARACTER}"
    kind = Kind(chat=False, logprobs="vllm", opening="<s>", respelt={" naïve": broken})
    with FakeServer(kind) as server:
        model = open_model(server.url)
        asked = len(server.posted)
        found = likelihoods(model, choice_requests("It is", ["naïve", "kind"]))
        assert len(server.posted) - asked == 3  # the context had to be read too
    assert found["naïve"].logprob == pytest.approx(-0.6)
    assert found["kind"].logprob == pytest.approx(-0.5)


def test_spaces_may_be_spelt_in_another_way() -> None:
    respelt = {" kind": "▁kind", " very": "very", " cat": "Ġcat"}
    with FakeServer(Kind(chat=False, logprobs="vllm", opening="<s>", respelt=respelt)) as server:
        model = open_model(server.url)
        found = likelihoods(model, choice_requests("It is", ["very kind", "bad"]))
    assert found["very kind"].logprob == pytest.approx(-1.0)


def test_tokens_that_spell_something_else_are_no_likelihoods() -> None:
    respelt = {" kind": " unkind"}
    with FakeServer(Kind(chat=False, logprobs="vllm", opening="<s>", respelt=respelt)) as server:
        model = open_model(server.url)
        found = likelihoods(model, choice_requests("It is", ["so kind", "bad"]))
        errors = [one.error for one in found.values()]
        assert {e and e.kind for e in errors} == {ErrorKind.INVALID_REPLY}
        server.kind.respelt = {" cat": " dog"}
        assert Capability.LIKELIHOOD not in open_model(server.url).capabilities


def test_a_text_that_stands_alone_needs_a_token_before_it() -> None:
    with FakeServer(Kind(chat=False, logprobs="vllm", special=False)) as server:
        model = open_model(server.url)
        after = likelihoods(model, choice_requests("It is", ["kind", "bad"]))
        alone = likelihoods(model, choice_requests("", ["It is.", "No."]))
        shortest = likelihoods(model, choice_requests("x", ["y", "z"]))
    assert after["kind"].logprob == pytest.approx(-0.5)
    assert shortest["y"].logprob == pytest.approx(-0.2)
    assert {one.error and one.error.kind for one in alone.values()} == {ErrorKind.UNSUPPORTED}
    assert model.facts.likelihood_definition.endswith("is not measured.")


def test_a_choice_without_tokens_is_unsupported() -> None:
    with FakeServer(Kind(chat=False, logprobs="echo", opening="<s>")) as server:
        model = open_model(server.url)
        found = likelihoods(model, choice_requests("It is ", [""]))
    assert {one.error and one.error.kind for one in found.values()} == {ErrorKind.UNSUPPORTED}


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.BROKEN])
def test_likelihoods_meet_faults_too(fault: Fault) -> None:
    kind = Kind(chat=False, logprobs="echo", opening="<s>")
    with FakeServer(kind) as server, FaultProxy(server.url) as proxy:
        model = open_model(proxy.url, concurrency=1)
        requests = choice_requests("It is", ["so good", "so bad"])
        proxy.plan([fault] * 4)
        if fault is Fault.DENIED:
            with pytest.raises(ModelError, match="LLMAUDIT_API_KEY"):
                list(model.likelihood(requests))
            return
        found = list(model.likelihood(requests))
    assert {one.error and one.error.kind for one in found} == {ErrorKind.SERVER}


def test_a_server_without_likelihoods_says_why() -> None:
    with FakeServer() as server:
        model = open_model(server.url)
        found = list(model.likelihood(choice_requests("It is", ["a", "b"])))
    assert model.capabilities == {Capability.GENERATE}
    assert model.facts.likelihood_definition == ""
    assert model.facts.no_likelihood.startswith("The server gives no log-probabilities of prompts")
    assert "prompt_logprobs: the reply has no prompt_logprobs" in model.facts.no_likelihood
    assert [one.error and one.error.kind for one in found] == [ErrorKind.UNSUPPORTED] * 2


def test_unknown_choices_are_unsupported() -> None:
    with FakeServer(Kind(chat=False, logprobs="echo", opening="<s>")) as server:
        model = open_model(server.url)
        (request,) = choice_requests("It is", ["a"])
        (found,) = model.likelihood([LikelihoodRequest("r", request.prompt, "z")])
    assert found.error is not None
    assert found.error.kind is ErrorKind.UNSUPPORTED
