"""Servers on loopback for tests: a base for them, and a proxy that puts faults before another."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

#: A reader that stops in time never sees as much of an endless answer.
ENDLESS_CHUNKS = 4_000
CHUNK = b"x" * 65_536


class Fault(StrEnum):
    """What can go wrong between a client and a server."""

    TOO_MANY = "429 with Retry-After in seconds"
    TOO_MANY_UNTIL = "429 with Retry-After as a date"
    TOO_MANY_FOR_LONG = "429 with a Retry-After of an hour"
    TIMED_OUT = "408"
    BROKEN = "500"
    BUSY = "503"
    REJECTED = "400"
    DENIED = "401"
    SILENT = "no answer until the server closes"
    DROPPED = "connection closed without an answer"
    RESET = "connection reset in the middle of the body"
    CUT_BODY = "body shorter than announced"
    CUT_JSON = "JSON cut in the middle"
    GARBAGE = "random bytes"
    HUGE = "a body without end"
    DEEP = "JSON nested too deeply"
    A_LIST = "JSON that is no object"
    NOT_A_NUMBER = "NaN, which is no JSON"
    COMPRESSED = "a compressed body"
    ELSEWHERE = "a redirect to another host"
    AN_ERROR = "200 with an error in it"
    NO_CHOICES = "no choices at all"
    EMPTY_CHOICES = "choices are empty"
    ODD_CHOICE = "a choice that is a number"
    NO_TEXT = "a choice without a text"
    NULL_TEXT = "a text that is null"
    ODD_TEXT = "a text that is a number"
    EMPTY_UNFINISHED = "an empty text without a finish reason"
    ABORTED = "a text that the server gave up"
    FILTERED = "withheld by a content filter"
    ONLY_REASONING = "reasoning, and no answer"
    ONLY_TOOLS = "calls of tools, and no answer"


#: Faults of one status, whether something may come later, and their headers.
STATUSES: dict[Fault, tuple[int, dict[str, str]]] = {
    Fault.TOO_MANY: (429, {"Retry-After": "0"}),
    Fault.TOO_MANY_UNTIL: (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    Fault.TOO_MANY_FOR_LONG: (429, {"Retry-After": "3600"}),
    Fault.TIMED_OUT: (408, {}),
    Fault.BROKEN: (500, {}),
    Fault.BUSY: (503, {}),
    Fault.REJECTED: (400, {}),
    Fault.DENIED: (401, {}),
    Fault.ELSEWHERE: (307, {"Location": "http://elsewhere.invalid/v1/completions"}),
}


def _choice(**fields: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "finish_reason": "stop"} | fields]}).encode()


def _said(content: Any, **more: Any) -> dict[str, Any]:
    return {"text": content, "message": {"role": "assistant", "content": content} | more}


#: Faults that are a complete body with the status 200.
BODIES: dict[Fault, bytes] = {
    Fault.CUT_JSON: b'{"choices": [{"index": 0, "text": "I wou',
    Fault.GARBAGE: bytes(range(128, 256)) * 4,
    Fault.DEEP: b'{"choices": ' + b"[" * 100_000,
    Fault.A_LIST: b'["a list"]',
    Fault.NOT_A_NUMBER: b'{"choices": [{"index": 0, "text": "x", "finish_reason": NaN}]}',
    Fault.AN_ERROR: b'{"error": {"message": "out of order", "code": 7}}',
    Fault.NO_CHOICES: b'{"object": "chat.completion", "usage": {}}',
    Fault.EMPTY_CHOICES: b'{"choices": []}',
    Fault.ODD_CHOICE: b'{"choices": [7]}',
    Fault.NO_TEXT: _choice(message={"role": "assistant"}),
    Fault.NULL_TEXT: _choice(**_said(None)),
    Fault.ODD_TEXT: _choice(**_said(7)),
    Fault.EMPTY_UNFINISHED: _choice(**_said(""), finish_reason=None),
    Fault.ABORTED: _choice(**_said("I wou"), finish_reason="abort"),
    Fault.FILTERED: _choice(**_said(""), finish_reason="content_filter"),
    Fault.ONLY_REASONING: _choice(
        **_said("", reasoning_content="Let me think"), finish_reason="length"
    ),
    Fault.ONLY_TOOLS: _choice(**_said(None, tool_calls=[{"id": "1"}]), finish_reason="tool_calls"),
}


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers requests; says nothing on the terminal."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Serve a GET."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Serve a POST."""
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        if self.server.closing.is_set():  # a connection that was kept open
            self.close_connection = True
            return
        try:
            self.server.respond(self, body)
        except OSError:  # the client has gone away, as some tests want it to
            self.close_connection = True

    def reply(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free port of this machine, running while it is a context."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    handler: ClassVar[type[LoopbackHandler]] = LoopbackHandler

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.handler)
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base address that clients are given."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop answering and close the port."""
        if not self.closing.is_set():
            self.closing.set()
            self.shutdown()
            self.server_close()
            self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about connections that clients break off."""

    def respond(self, handler: LoopbackHandler, body: bytes) -> None:
        """Answer one request."""
        handler.reply(404, b"{}")


class FaultProxy(LoopbackServer):
    """Passes requests on to another server, and does something else to some of them.

    Parameters
    ----------
    upstream : str
        The other server's base address.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = urlsplit(upstream)
        self._planned: deque[Fault] = deque()
        self.always: Fault | None = None
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.met: list[Fault] = []

    def plan(self, faults: Iterable[Fault]) -> None:
        """Let the next POST requests meet these faults, one each."""
        with self.lock:
            self._planned.extend(faults)

    def respond(self, handler: LoopbackHandler, body: bytes) -> None:
        """Do the next fault to a POST, or pass the request on."""
        with self.lock:
            self.seen.append((handler.path, dict(handler.headers)))
            fault = None
            if handler.command == "POST":
                fault = self._planned.popleft() if self._planned else self.always
            if fault is not None:
                self.met.append(fault)
        if fault is None:
            self._pass_on(handler, body)
        elif fault in STATUSES:
            status, headers = STATUSES[fault]
            handler.reply(status, b'{"error": {"message": "no, for now"}}', headers)
        elif fault in BODIES:
            handler.reply(200, BODIES[fault])
        else:
            self._break(handler, fault)

    def _pass_on(self, handler: LoopbackHandler, body: bytes) -> None:
        connection = http.client.HTTPConnection(str(self._upstream.netloc), timeout=60)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            handler.reply(answer.status, answer.read())
        finally:
            connection.close()

    def _break(self, handler: LoopbackHandler, fault: Fault) -> None:
        """Do what no well-formed answer can."""
        handler.close_connection = True
        if fault is Fault.SILENT:
            self.closing.wait(60)
        elif fault is Fault.COMPRESSED:
            handler.reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
        elif fault is Fault.HUGE:
            self._send_head(handler, ENDLESS_CHUNKS * len(CHUNK))
            for _ in range(ENDLESS_CHUNKS):
                handler.wfile.write(CHUNK)
        elif fault in {Fault.CUT_BODY, Fault.RESET}:
            self._send_head(handler, 1_000)
            handler.wfile.write(b'{"choices": [{"index": 0, "text": "I wou')
            if fault is Fault.RESET:
                handler.wfile.flush()
                linger = struct.pack("ii", 1, 0)  # close with a reset, not with an end
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                handler.connection.close()

    @staticmethod
    def _send_head(handler: LoopbackHandler, length: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
