"""Requests to servers: every fault ends as another attempt or as a recorded error."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fault_proxy import Fault, FaultProxy
from openai_server import FakeServer

from llmaudit.errors import ModelError, UsageError
from llmaudit.models.openai_address import REMOVED, Key, find_address, find_key
from llmaudit.models.openai_client import (
    Limits,
    RequestFailed,
    ServerClient,
    describe_error,
    read_retry_after,
)
from llmaudit.models.openai_replies import (
    Answer,
    read_answer,
)
from llmaudit.records import ErrorKind

SECRET = "sk-very-secret-0123456789"  # noqa: S105
QUICK = Limits(seconds=20, connections=4, first_wait=0.001)
BODY = {"model": "toy", "prompt": "The nurse", "seed": 3, "max_tokens": 5}


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with FakeServer() as server, FaultProxy(server.url) as found:
        yield found


def ask(
    url: str,
    *,
    limits: Limits = QUICK,
    key: Key | None = None,
    body: dict[str, Any] | None = None,
    most_bytes: int = 1_000_000,
) -> Answer:
    """Ask a server for one plain completion."""

    async def run() -> Answer:
        async with ServerClient(find_address(url, {}), key, limits) as client:
            reply = await client.ask("completions", body or BODY, most_bytes=most_bytes)
            return read_answer(reply, chat=False)

    return asyncio.run(run())


PASSING = [
    Fault.TOO_MANY,
    Fault.TOO_MANY_UNTIL,
    Fault.TIMED_OUT,
    Fault.BROKEN,
    Fault.BUSY,
    Fault.DROPPED,
    Fault.RESET,
    Fault.CUT_BODY,
    Fault.CUT_JSON,
    Fault.GARBAGE,
    Fault.DEEP,
    Fault.A_LIST,
    Fault.NOT_A_NUMBER,
]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again(proxy: FaultProxy, fault: Fault) -> None:
    before = len(proxy.met)
    proxy.plan([fault, fault])
    assert ask(proxy.url) == Answer("nurse 3", "stop", 2, 1)
    assert proxy.met[before:] == [fault, fault]


LASTING = {
    Fault.REJECTED: (ErrorKind.REJECTED, "answered 400: no, for now"),
    Fault.ELSEWHERE: (ErrorKind.REJECTED, "307: no, for now; redirects are not followed"),
    Fault.TOO_MANY_FOR_LONG: (ErrorKind.SERVER, "it asks to wait 3600 s"),
    Fault.HUGE: (ErrorKind.INVALID_REPLY, "more than 1,000,000 bytes"),
    Fault.COMPRESSED: (ErrorKind.INVALID_REPLY, "a compressed answer"),
    Fault.AN_ERROR: (ErrorKind.INVALID_REPLY, "answered with an error: out of order"),
    Fault.NO_CHOICES: (ErrorKind.INVALID_REPLY, "no choices, only: object, usage"),
    Fault.EMPTY_CHOICES: (ErrorKind.INVALID_REPLY, "choices are empty"),
    Fault.ODD_CHOICE: (ErrorKind.INVALID_REPLY, "choice is a int"),
    Fault.NO_TEXT: (ErrorKind.INVALID_REPLY, "text is missing or null"),
    Fault.NULL_TEXT: (ErrorKind.INVALID_REPLY, "text is missing or null"),
    Fault.ODD_TEXT: (ErrorKind.INVALID_REPLY, "text is a int"),
    Fault.EMPTY_UNFINISHED: (ErrorKind.INVALID_REPLY, "an empty text with finish reason None"),
    Fault.ABORTED: (ErrorKind.INVALID_REPLY, "a text with finish reason 'abort'"),
    Fault.FILTERED: (ErrorKind.FILTERED, "content filter withheld"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_what_will_not_pass_is_an_error_at_once(proxy: FaultProxy, fault: Fault) -> None:
    kind, said = LASTING[fault]
    before = len(proxy.met)
    proxy.plan([fault])
    with pytest.raises(RequestFailed) as caught:
        ask(proxy.url)
    assert proxy.met[before:] == [fault]
    assert caught.value.error.kind is kind
    assert said in caught.value.error.message


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault.BROKEN, ErrorKind.SERVER, "answered 500: no, for now"),
        (Fault.CUT_JSON, ErrorKind.INVALID_REPLY, 'no JSON (JSONDecodeError): {"choices"'),
        (Fault.A_LIST, ErrorKind.INVALID_REPLY, 'no JSON object: ["a list"]'),
    ],
)
def test_what_comes_back_four_times_is_an_error(
    proxy: FaultProxy, fault: Fault, kind: ErrorKind, said: str
) -> None:
    before = len(proxy.met)
    proxy.plan([fault] * 4)
    with pytest.raises(RequestFailed) as caught:
        ask(proxy.url)
    assert proxy.met[before:] == [fault] * 4
    assert caught.value.error.kind is kind
    assert said in caught.value.error.message


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.BUSY, Fault.RESET])
def test_the_time_for_one_request_is_limited(fault: Fault) -> None:
    limits = Limits(seconds=0.3, connections=1, first_wait=0.001)
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        proxy.always = fault
        with pytest.raises(RequestFailed) as caught:
            ask(proxy.url, limits=limits)
    error = caught.value.error
    assert error.kind is (ErrorKind.TIMEOUT if fault is Fault.SILENT else ErrorKind.SERVER)
    assert str(proxy.server_port) in error.message


def test_what_went_wrong_before_the_time_was_up_is_told() -> None:
    limits = Limits(seconds=0.5, connections=1, first_wait=0.001)
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        proxy.plan([Fault.BUSY, Fault.SILENT])
        with pytest.raises(RequestFailed, match=r"within 0\.5 s; before that: .* answered 503"):
            ask(proxy.url, limits=limits)


def test_a_server_that_is_not_there_is_told_by_host_and_port() -> None:
    with FakeServer() as server:
        url = server.url
    with pytest.raises(RequestFailed, match=r"127\.0\.0\.1:\d+ failed: ConnectError"):
        ask(url, limits=Limits(seconds=0.2, connections=1, first_wait=0.001))


@pytest.mark.parametrize("key", [None, Key(SECRET, "LLMAUDIT_API_KEY")])
def test_a_refused_key_stops_everything_and_names_its_variable(key: Key | None) -> None:
    with FakeServer() as server, FaultProxy(server.url) as proxy:
        proxy.plan([Fault.DENIED])
        with pytest.raises(ModelError, match="variable LLMAUDIT_API_KEY") as caught:
            ask(proxy.url, key=key)
        assert len(proxy.met) == 1
    assert SECRET not in str(caught.value)
    assert ("without a key" in str(caught.value)) is (key is None)


def test_the_key_goes_into_its_header_and_nowhere_else() -> None:
    key = Key(SECRET, "OPENAI_API_KEY")
    with FakeServer() as server:
        ask(server.url, key=key)
        ask(server.url)
        first, second = server.seen
    assert first.headers["Authorization"] == f"Bearer {SECRET}"
    assert "Authorization" not in second.headers
    assert SECRET not in json.dumps([first.body, first.path])
    assert SECRET not in repr(key)


def test_a_key_that_the_server_sends_back_is_taken_out() -> None:
    with FakeServer() as server:
        server.answers["nurse"] = {"text": f"your key is {SECRET}"}
        assert ask(server.url, key=Key(SECRET, "X")).text == f"your key is {REMOVED}"
        server.answers["nurse"] = {"text": "EMPTY as ever"}
        assert ask(server.url, key=Key("EMPTY", "X")).text == "EMPTY as ever"


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FakeServer() as server:
        assert ask(server.url).text == "nurse 3"


def test_a_client_is_a_context() -> None:
    client = ServerClient(find_address("http://localhost", {}), None, QUICK)
    with pytest.raises(RuntimeError, match="context"):
        asyncio.run(client.ask("models"))
    asyncio.run(client.__aexit__(None, None, None))


@pytest.mark.parametrize(
    ("given", "base", "private"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1", True),
        ("http://localhost:8000/", "http://localhost:8000/v1", True),
        ("https://api.example.org", "https://api.example.org/v1", True),
        ("http://[::1]:80/openai/", "http://[::1]:80/openai", True),
        ("http://gpu.lan:8000/v1", "http://gpu.lan:8000/v1", False),
        ("http://10.0.0.7/v1", "http://10.0.0.7/v1", False),
    ],
)
def test_addresses(given: str, base: str, private: bool) -> None:
    address = find_address(given, {})
    assert address.base == base
    assert address.is_private is private
    assert find_address(None, {"OPENAI_BASE_URL": given}) == address


@pytest.mark.parametrize(
    "given",
    [
        "http://user:hunter2@localhost/v1",
        "http://:hunter2@localhost/v1",
        "https://localhost/v1?api-key=hunter2",
        "https://localhost/v1#hunter2",
        "ftp://hunter2/v1",
        "hunter2",
        "http://",
        "http://localhost:hunter2/v1",
        "http://localhost:0/v1",
        "http://local\nhost/hunter2",
        "http://höst/hunter2",
    ],
)
def test_addresses_that_are_refused_are_not_repeated(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_address(given, {})
    assert "hunter2" not in str(caught.value)
    assert "--base-url" in str(caught.value)


def test_no_address_at_all() -> None:
    with pytest.raises(UsageError, match="give --base-url, or set OPENAI_BASE_URL"):
        find_address(None, {})


def test_keys_come_from_the_environment() -> None:
    assert find_key({}) is None
    assert find_key({"LLMAUDIT_API_KEY": " ", "OPENAI_API_KEY": SECRET}) is None
    both = find_key({"LLMAUDIT_API_KEY": " one-0123\n", "OPENAI_API_KEY": SECRET})
    assert both is not None
    assert both.header() == "Bearer one-0123"
    for wrong in ("two words", "schlüssel", "a\nb"):
        with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
            find_key({"OPENAI_API_KEY": wrong})
        assert wrong not in str(caught.value)


def test_retry_after() -> None:
    later = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < read_retry_after(later) <= 100
    assert read_retry_after(" 12 ") == 12
    for nothing in (None, "", "soon", "-5", "1.5e9", "Wed, 99 Oct 2015 07:28:00 GMT"):
        assert read_retry_after(nothing) == 0
    assert read_retry_after("9" * 5_000) == 999_999_999


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error": {"message": "too\\n bad", "type": "x"}}', "too bad"),
        (b'{"error": "too bad"}', "too bad"),
        (b'{"detail": "too bad"}', "too bad"),
        (b'{"detail": [{"loc": 1}]}', '{"detail": [{"loc": 1}]}'),
        (b"<html>too   bad</html>", "<html>too bad</html>"),
        (b"\xff" + b"a" * 5_000, "\N{REPLACEMENT CHARACTER}" + "a" * 299 + "…"),
        (b"[" * 100_000, "[" * 300 + "…"),
        (b"", ""),
    ],
)
def test_errors_are_told_in_a_few_words(content: bytes, said: str) -> None:
    assert describe_error(content) == said
