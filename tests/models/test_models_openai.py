"""The model on a server: what is sent, what comes back, and how a run with it ends."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from fault_proxy import Fault, FaultProxy
from openai_models import open_model
from openai_server import FakeServer, Kind
from tiny_checkpoints import by_id, choice_requests, make_prompt, sample_requests

from llmaudit.errors import ModelError, UsageError
from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.openai import Server, load_server_model, open_server_model
from llmaudit.models.openai_address import find_address
from llmaudit.models.openai_client import Limits
from llmaudit.models.openai_endpoints import EXTENSIONS, PROBE
from llmaudit.models.openai_survey import CHAT_FORMAT, PLAIN_FORMAT
from llmaudit.records import (
    Decoding,
    ErrorKind,
    GenerationRequest,
)

SECRET = "sk-very-secret-0123456789"  # noqa: S105
SAMPLED = Decoding(max_new_tokens=5, temperature=0.7, top_p=0.9)
TEXTS = [f"Question number {number}" for number in range(20)]


def asking_threads() -> list[threading.Thread]:
    """Return the threads that ask servers."""
    return [one for one in threading.enumerate() if one.name == "llmaudit-server"]


def test_every_sample_is_a_request_of_its_own_seed() -> None:
    with FakeServer() as server:
        model = open_model(server.url)
        asked = len(server.posted)
        requests = sample_requests(TEXTS, SAMPLED, samples=3)
        found = by_id(model.generate(requests))
        sent = [one.body for one in server.posted[asked:]]
        again = by_id(model.generate(requests[::-1], done={requests[0].id}))
    assert isinstance(model, Model)
    assert len(sent) == len(found) == 60
    assert len({body["seed"] for body in sent}) == 60
    assert all(0 <= body["seed"] < 2**31 for body in sent)
    first = next(body for body in sent if body["messages"][0]["content"] == TEXTS[0])
    assert first == {
        "model": "toy",
        "messages": [{"role": "user", "content": TEXTS[0]}],
        "max_tokens": 5,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": first["seed"],
        **EXTENSIONS,
    }
    del found[requests[0].id]
    assert again == found
    one = again[requests[4].id]
    assert one.finish == "stop"
    assert (one.prompt_tokens, one.new_tokens, one.sample_index) == (8, 1, 1)


def test_a_chat_server_is_sent_turns_and_stand_alone_texts() -> None:
    with FakeServer() as server:
        model = open_model(server.url)
        asked = len(server.posted)
        turns, text = make_prompt("Who is it?"), make_prompt("It is", turns=False)
        requests = [GenerationRequest(p.id, p, SAMPLED, 0, 0) for p in (turns, text)]
        assert {one.error for one in model.generate(requests)} == {None}
        paths = {one.path for one in server.posted[asked:]}
    assert paths == {"/v1/chat/completions", "/v1/completions"}
    assert model.facts.chat_format == CHAT_FORMAT
    assert json.loads(model.format_prompt(turns)) == [{"role": "user", "content": "Who is it?"}]
    assert model.format_prompt(text) == "It is"


@pytest.mark.parametrize("kind", [Kind(), Kind(chat=False)])
def test_plain_text_where_asked_for_or_where_there_is_no_chat(kind: Kind) -> None:
    with FakeServer(kind) as server:
        model = open_model(server.url, prompt_format="plain" if kind.chat else "auto")
        (found,) = model.generate(sample_requests(["Who is it?"], SAMPLED))
        assert server.posted[-1].body["prompt"] == "Who is it?"
        assert kind.chat is not any("chat" in one.path for one in server.posted)
    assert found.text is not None
    assert model.facts.chat_format == PLAIN_FORMAT
    assert any("chat endpoint does not answer" in n for n in model.facts.notes) is not kind.chat


def test_a_text_without_turns_needs_the_completions_endpoint() -> None:
    with FakeServer(Kind(plain=False)) as server:
        model = open_model(server.url)
        prompt = make_prompt("It is", turns=False)
        (found,) = model.generate([GenerationRequest("r", prompt, SAMPLED, 0, 0)])
    assert found.text is None
    assert found.error is not None
    assert found.error.kind is ErrorKind.UNSUPPORTED
    assert model.facts.no_likelihood.endswith("(the server has no completions endpoint).")
    assert any("Texts without turns cannot be sent" in note for note in model.facts.notes)


@pytest.mark.parametrize(
    ("refuses", "kept", "left_out"),
    [
        ({"max_tokens"}, {"max_completion_tokens", "seed", "top_k"}, {"max_tokens"}),
        ({"top_k", "min_p"}, {"max_tokens", "seed"}, set(EXTENSIONS)),
        ({"seed"}, {"max_tokens", "top_p"}, {"seed", *EXTENSIONS}),
        (
            {"max_tokens", "seed", "top_k"},
            {"max_completion_tokens", "temperature"},
            {"max_tokens", "seed", *EXTENSIONS},
        ),
    ],
)
def test_fields_that_a_server_refuses_are_left_out(
    refuses: set[str], kept: set[str], left_out: set[str]
) -> None:
    with FakeServer(Kind(plain=False, refuses=frozenset(refuses))) as server:
        # The hint at the other field comes only once nothing else is refused.
        if len(refuses) == 3:
            server.kind.refuses = frozenset({"seed", "top_k"})
        model = open_model(server.url)
        (found,) = model.generate(sample_requests(["Who?"], SAMPLED))
        body = server.posted[-1].body
    assert found.text is not None
    if len(refuses) < 3:
        assert kept <= body.keys()
        assert not left_out & body.keys()
    notes = " ".join(model.facts.notes)
    assert ("takes no seeds" in notes) is ("seed" in refuses)
    assert ("its own settings" in notes) is bool(left_out & EXTENSIONS.keys())


def test_a_temperature_that_is_refused_is_never_left_out() -> None:
    with (
        FakeServer(Kind(refuses=frozenset({"temperature"}))) as server,
        pytest.raises(ModelError, match="unsupported: temperature"),
    ):
        open_model(server.url)


def test_facts_tell_what_is_known_and_what_is_not() -> None:
    listed = {"id": "toy", "max_model_len": 512, "owned_by": "lab", "created": 1}
    with FakeServer(Kind(models={"data": [listed, {"id": 7}, "x"]})) as server:
        facts = open_model(server.url).facts
        listed["created"] = 2
        same = open_model(server.url).facts
        listed["max_model_len"] = 256
        other = open_model(server.url).facts
        plain = open_model(server.url, prompt_format="plain").facts
    assert facts.name == "toy"
    assert facts.kind == "server"
    assert facts.source == f"toy at 127.0.0.1:{server.server_port}"
    assert facts.context_length == 512
    assert facts.weights == ()
    assert "cannot be verified" in facts.notes[0]
    assert "id toy, owned_by lab, max_model_len 512" in facts.notes[1]
    assert facts.digest == same.digest
    assert len({facts.digest, other.digest, plain.digest}) == 3


@pytest.mark.parametrize(
    "reply", [{}, {"data": 7}, {"data": [{"id": "toy", "max_model_len": "x"}]}]
)
def test_a_list_of_models_may_say_nothing(reply: dict[str, Any]) -> None:
    with FakeServer(Kind(models=reply)) as server:
        assert open_model(server.url).facts.context_length is None


def test_a_server_that_does_not_sample_is_told_of() -> None:
    with FakeServer(Kind(samples=False)) as server:
        greedy = open_model(server.url).facts
        server.kind.samples = True
        sampled = open_model(server.url).facts
    assert any("may not sample" in note for note in greedy.notes)
    assert not any("may not sample" in note for note in sampled.notes)


def test_a_server_whose_samples_are_no_answers_is_taken_all_the_same() -> None:
    with FakeServer() as server:
        server.answers[PROBE] = {"finish_reason": "error"}
        assert not any("may not sample" in note for note in open_model(server.url).facts.notes)


def test_a_model_that_is_not_there_is_told_with_those_that_are() -> None:
    kind = Kind(models={"data": [{"id": "tiny"}, {"id": "small"}]})
    with FakeServer(kind) as server:
        server_ = Server(find_address(server.url, {}), None, Limits(5, 1, first_wait=0.001))
        with pytest.raises(ModelError, match=r"no model 'big'.*It lists: small, tiny\."):
            open_server_model("big", server_)
    with (
        FakeServer(Kind(chat=False)) as server,
        pytest.raises(ModelError, match=r"chat/completions: .* answered 404: Not Found"),
    ):
        open_model(server.url, prompt_format="chat")


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.TOO_MANY_FOR_LONG, Fault.SILENT])
def test_a_server_that_is_only_busy_is_not_taken_for_a_lesser_one(fault: Fault) -> None:
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        proxy.always = fault
        with pytest.raises(ModelError, match="the server gives no answer"):
            open_model(proxy.url, seconds=0.3)


def test_a_server_that_is_not_there() -> None:
    with FakeServer() as server:
        url = server.url
    with pytest.raises(ModelError, match="Is the server running"):
        open_model(url, seconds=0.2)


REFUSALS = {
    "maximum context length is 512 tokens": ErrorKind.TOO_LONG,
    "the prompt triggered the content management policy": ErrorKind.FILTERED,
    "I do not like it": ErrorKind.REJECTED,
}


@pytest.mark.parametrize("said", REFUSALS)
def test_refused_requests_have_the_kind_that_the_server_means(said: str) -> None:
    class Refusing(FakeServer):
        """Refuses what is asked about a bank."""

        def _answer(self, seen: Any) -> tuple[int, dict[str, Any]]:
            if "bank" in json.dumps(seen.body):
                return 400, {"error": {"message": said}}
            return super()._answer(seen)

    with Refusing() as server:
        model = open_model(server.url)
        found = by_id(model.generate(sample_requests(["A bank", "A shop"], SAMPLED)))
    error = found["A bank|0|0"].error
    assert error is not None
    assert error.kind is REFUSALS[said]
    assert found["A shop|0|0"].error is None


def test_every_fault_is_met_in_one_run_and_none_ends_as_an_answer() -> None:
    recorded = [
        Fault.REJECTED,
        Fault.EMPTY_CHOICES,
        Fault.NULL_TEXT,
        Fault.EMPTY_UNFINISHED,
        Fault.FILTERED,
        Fault.ONLY_REASONING,
        Fault.ONLY_TOOLS,
    ]
    passing = [Fault.TOO_MANY, Fault.BROKEN, Fault.RESET, Fault.CUT_JSON, Fault.GARBAGE]
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        model = open_model(proxy.url, concurrency=2)
        proxy.plan([*recorded, *passing])
        found = list(model.generate(sample_requests(TEXTS, SAMPLED)))
    assert len(found) == 20
    failed = [one for one in found if one.error is not None]
    assert len(failed) == len(recorded)
    assert all(one.text is None for one in failed)
    assert all(one.text for one in found if one.error is None)


def test_so_many_requests_at_once_and_no_more() -> None:
    with FakeServer() as server:
        model = open_model(server.url, concurrency=3)
        server.most_at_once = 0
        server.gate = threading.Semaphore(0)
        results = model.generate(sample_requests(TEXTS, SAMPLED))

        def open_once_full() -> None:
            while server.at_once < 3:
                pass
            server.gate.release(1_000)

        watcher = threading.Thread(target=open_once_full)
        watcher.start()
        assert len(list(results)) == 20
        watcher.join()
        assert server.most_at_once == 3


def test_results_come_one_by_one_and_stopping_stops_everything() -> None:
    with FakeServer() as server:
        model = open_model(server.url, concurrency=2)
        asked = len(server.posted)
        server.gate = threading.Semaphore(1)
        results = model.generate(sample_requests(TEXTS, SAMPLED))
        assert next(results).error is None
        assert len(asking_threads()) == 1
        results.close()  # type: ignore[attr-defined]
        assert asking_threads() == []
        assert len(server.posted) - asked <= 1 + 2 * 2


def test_nothing_is_asked_where_everything_is_done() -> None:
    with FakeServer() as server:
        model = open_model(server.url)
        asked = len(server.seen)
        requests = sample_requests(TEXTS, SAMPLED)
        assert list(model.generate(requests, done={one.id for one in requests})) == []
        assert list(model.likelihood([])) == []
        assert len(server.seen) == asked


def test_a_server_that_goes_ends_the_run_without_records_of_its_absence() -> None:
    with FakeServer() as server:
        model = open_model(server.url, seconds=0.3, concurrency=2)
        found = []
        with pytest.raises(ModelError, match=r"no longer answers.*the same command goes on"):
            for result in model.generate(sample_requests(TEXTS, SAMPLED)):
                found.append(result)
                server.stop()
    assert 1 <= len(found) <= 7
    assert all(one.error is None for one in found)
    assert asking_threads() == []


@pytest.mark.parametrize("count", [3, 20])
def test_faults_of_requests_are_recorded_where_the_server_is_there(count: int) -> None:
    with FakeServer(Kind(logprobs="vllm", opening="<s>")) as server:
        model = open_model(server.url)
        for text in TEXTS:
            server.answers[text] = {"finish_reason": "error", "prompt_logprobs": [None, 7]}
        found = list(model.generate(sample_requests(TEXTS[:count], SAMPLED)))
        requests = [one for text in TEXTS[:count] for one in choice_requests(text, ["a"])]
        plain = open_model(server.url, prompt_format="plain")
        measured = list(plain.likelihood(requests))
    assert len(found) == len(measured) == count
    errors = [one.error for one in found] + [one.error for one in measured]
    assert {error and error.kind for error in errors} == {ErrorKind.INVALID_REPLY}


def test_a_refused_key_ends_the_run_and_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        model = load_server_model("toy", proxy.url, concurrency=1)
        proxy.plan([Fault.DENIED])
        with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
            list(model.generate(sample_requests(TEXTS, SAMPLED)))
        assert len(proxy.met) == 1
        assert {headers.get("Authorization") for _, headers in proxy.seen} == {f"Bearer {SECRET}"}
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(model.facts)


def test_a_fault_of_our_own_is_recorded_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(*_: object) -> int:
        raise ZeroDivisionError("a bug")

    with FakeServer() as server:
        model = open_model(server.url)
        monkeypatch.setattr("llmaudit.models.openai.sample_seed", break_down)
        (found,) = model.generate(sample_requests(["A"], SAMPLED))
    assert found.error is not None
    assert found.error.kind is ErrorKind.EXCEPTION
    assert "break_down" in found.error.traceback


def test_the_prefix_chooses_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(UsageError, match="--base-url"):
        load_model("openai:toy", LoadOptions())
    with FakeServer() as server:
        said: list[str] = []
        options = LoadOptions(base_url=server.url, concurrency=2, request_timeout=20)
        model = load_model("openai:toy", options, progress=said.append)
        assert model.facts.kind == "server"
        assert said == ["asking the server what it can do for toy"]
        with pytest.raises(UsageError, match="openai:NAME"):
            load_model("openai:", options)
        for wrong in ({"adapter": "x"}, {"quantize": "8bit"}, {"dtype": "x"}, {"device": "cpu"}):
            with pytest.raises(UsageError, match=f"--{next(iter(wrong))} is about weights"):
                load_model("openai:toy", replace(options, **wrong))  # type: ignore[arg-type]
        secret = replace(options, base_url=f"http://user:{SECRET}@localhost")
        with pytest.raises(UsageError, match="holds a user, a password"):
            load_model("gpt2", secret)
        with pytest.raises(UsageError, match="it takes auto, chat, plain"):
            load_model("openai:toy", replace(options, prompt_format="alpaca"))
        with pytest.raises(ModelError, match="variable LLMAUDIT_API_KEY"):
            monkeypatch.setenv("LLMAUDIT_API_KEY", "x")
            with FaultProxy(server.url) as proxy:
                proxy.always = Fault.DENIED
                load_server_model("toy", proxy.url)
