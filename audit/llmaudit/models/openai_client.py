"""Requests to a server over HTTP: what is tried again, for how long, and what comes of the rest."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmaudit.errors import ModelError
from llmaudit.models.openai_address import KEY_VARIABLES, Address, Key
from llmaudit.records import ErrorKind, RequestError

if TYPE_CHECKING:
    import httpx
    import tenacity

MOST_BYTES = 16 * 2**20
"""No answer may be longer than this, whatever was asked."""

#: Statuses that say that the same request may succeed later, tried until the time is up.
_PASSING = frozenset({408, 409, 425, 429, 502, 503, 504})
#: Other faults of a server may be the request's: it is tried so often and no more.
ATTEMPTS = 4
_CONNECT_SECONDS = 10.0
_LONGEST_WAIT = 20.0
_SHOWN = 300
_ERROR_KEYS = ("error", "message", "detail")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a request is tried.

    Attributes
    ----------
    seconds : float
        For one request, all of its attempts and the waits between them included.
    connections : int
        Open at once.
    first_wait : float
        Seconds, at most, before the second attempt; doubled for each further one.
    """

    seconds: float
    connections: int
    first_wait: float = 0.5


class RequestFailed(Exception):  # noqa: N818 - carries a record, and never leaves the models
    """A request without a usable answer: what to record for it.

    ``status`` is the server's, where it answered at all; ``said`` is what it said then.
    """

    def __init__(self, error: RequestError, status: int | None = None, said: str = "") -> None:
        super().__init__(error.message)
        self.error, self.status, self.said = error, status, said


class _Again(Exception):  # noqa: N818 - what to do, not what is wrong
    """One attempt failed in a way that another may not."""

    def __init__(self, failed: RequestFailed, *, passing: bool, wait: float = 0.0) -> None:
        super().__init__(failed.error.message)
        self.failed, self.passing, self.wait = failed, passing, wait


@dataclass(slots=True)
class _Trial:
    """The time for one request, and what became of its attempts so far."""

    seconds: float
    attempts: int
    last: RequestFailed | None = None

    def is_over(self, state: tenacity.RetryCallState) -> bool:
        """Say whether another attempt would come too late, or after too many of its kind."""
        import tenacity

        again = state.outcome.exception() if state.outcome is not None else None
        passing = isinstance(again, _Again) and again.passing
        too_often = not passing and state.attempt_number >= self.attempts
        return too_often or tenacity.stop_before_delay(self.seconds)(state)


class ServerClient:
    """A connection to one server; use it as an asynchronous context.

    Nothing of the environment changes where requests go: no proxy, no stored passwords, and no
    redirect is followed. The key goes into one header and nowhere else.

    Parameters
    ----------
    address : Address
    key : Key or None
    limits : Limits
    """

    def __init__(self, address: Address, key: Key | None, limits: Limits) -> None:
        self.address = address
        self._key = key
        self._limits = limits
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Open the client; no connection is made yet."""
        import httpx

        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._key is not None:
            headers["Authorization"] = self._key.header()
        self._http = httpx.AsyncClient(
            headers=headers,
            trust_env=False,
            follow_redirects=False,
            verify=httpx.create_ssl_context(),
            timeout=httpx.Timeout(
                None, connect=min(_CONNECT_SECONDS, self._limits.seconds), pool=None
            ),
            # One more, so that the server can be asked whether it is there while all others wait.
            limits=httpx.Limits(max_connections=self._limits.connections + 1),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.aclose()

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        seconds: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> dict[str, Any]:
        """Return the JSON object that the server answers with.

        Parameters
        ----------
        path : str
            Added to the base address.
        body : mapping, optional
            Sent as JSON by POST; without one it is a GET.
        most_bytes : int
            A longer answer is refused before it is read.
        seconds : float, optional
            A shorter time than that of every request.
        attempts : int
            How often a fault is met that may well come again, like a status of 500 or an answer
            that is no JSON. What passes (too many requests, a dropped connection) is tried until
            the time is up.

        Raises
        ------
        RequestFailed
            If no attempt gave a usable answer in time.
        ModelError
            If the server does not accept the key: no request will fare better.
        """
        import tenacity

        trial = _Trial(min(seconds or self._limits.seconds, self._limits.seconds), attempts)
        retrying = tenacity.AsyncRetrying(
            sleep=asyncio.sleep,
            retry=tenacity.retry_if_exception_type(_Again),
            wait=self._wait,
            stop=trial.is_over,
            reraise=True,
        )
        try:
            async with asyncio.timeout(trial.seconds):
                answer: dict[str, Any] = await retrying(self._try, trial, path, body, most_bytes)
        except _Again as again:
            raise again.failed from None
        except TimeoutError:
            raise self._out_of_time(trial) from None
        return answer

    async def _try(
        self, trial: _Trial, path: str, body: Mapping[str, Any] | None, most_bytes: int
    ) -> dict[str, Any]:
        import httpx

        try:
            status, headers, content = await self._exchange(path, body, most_bytes)
            return self._read(status, headers, content)
        except (httpx.HTTPError, httpx.StreamError) as error:
            what = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
            message = f"the connection to {self.address.host} failed: {what}"
            trial.last = RequestFailed(RequestError(ErrorKind.SERVER, message))
            raise _Again(trial.last, passing=True) from None
        except _Again as again:
            trial.last = again.failed
            raise

    async def _exchange(
        self, path: str, body: Mapping[str, Any] | None, most_bytes: int
    ) -> tuple[int, httpx.Headers, bytes]:
        """Send a request and read what comes back, as far as it may be long."""
        if self._http is None:
            raise RuntimeError("use the client as an asynchronous context")
        method, sent, headers = "GET", None, {}
        if body is not None:
            method, headers = "POST", {"Content-Type": "application/json"}
            sent = json.dumps(body, allow_nan=False).encode("ascii")
        url = f"{self.address.base}/{path}"
        async with self._http.stream(method, url, content=sent, headers=headers) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _no_answer("a compressed answer, which was not asked for", response)
            received = bytearray()
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > most_bytes:
                    raise _no_answer(f"an answer of more than {most_bytes:,} bytes", response)
            content = bytes(received)
            if self._key is not None:
                content = self._key.remove_from(content)
            return response.status_code, response.headers, content

    def _read(self, status: int, headers: httpx.Headers, content: bytes) -> dict[str, Any]:
        """Return the answer, or raise what its status or its text calls for."""
        if 200 <= status < 300:
            return _parse(status, content)
        said = describe_error(content)
        if status in {401, 403}:
            raise ModelError(self._say_denied(status, said))
        message = f"{self.address.host} answered {status}{f': {said}' if said else ''}"
        if 300 <= status < 400:
            message += "; redirects are not followed, so give the address itself as --base-url"
        if status not in _PASSING and not 500 <= status < 600:
            raise RequestFailed(RequestError(ErrorKind.REJECTED, message), status, said)
        wait = read_retry_after(headers.get("retry-after"))
        if wait:
            message += f"; it asks to wait {wait:.0f} s"
        failed = RequestFailed(RequestError(ErrorKind.SERVER, message), status, said)
        raise _Again(failed, passing=status in _PASSING, wait=wait)

    def _say_denied(self, status: int, said: str) -> str:
        variable = self._key.variable if self._key is not None else KEY_VARIABLES[0]
        sent = f"the key in {variable}" if self._key is not None else "a request without a key"
        return (
            f"{self.address.host} did not accept {sent} ({status}{f': {said}' if said else ''}). "
            f"Set the environment variable {variable} to a key of this server; what was answered "
            f"is stored, and the same command goes on from there."
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds before the next attempt: doubled, drawn, and as the server asks."""
        import tenacity

        first = self._limits.first_wait
        drawn = tenacity.wait_random_exponential(multiplier=first, max=_LONGEST_WAIT)(state)
        again = state.outcome.exception() if state.outcome is not None else None
        return max(drawn, again.wait) if isinstance(again, _Again) else drawn

    def _out_of_time(self, trial: _Trial) -> RequestFailed:
        """Say that the time is up, and what went wrong before."""
        message = f"no answer from {self.address.host} within {trial.seconds:g} s"
        before = trial.last
        if before is None:
            return RequestFailed(RequestError(ErrorKind.TIMEOUT, message))
        message += f"; before that: {before.error.message}"
        return RequestFailed(RequestError(before.error.kind, message), before.status, before.said)


def _no_answer(what: str, response: httpx.Response) -> RequestFailed:
    message = f"{response.url.netloc.decode('ascii')} sent {what}"
    return RequestFailed(RequestError(ErrorKind.INVALID_REPLY, message), response.status_code)


def _parse(status: int, content: bytes) -> dict[str, Any]:
    """Read a JSON object; what is none may have been cut off, so it is worth another attempt."""
    try:
        answer = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = f"the answer is no JSON ({type(error).__name__}): {shorten(content)}"
    else:
        if isinstance(answer, dict):
            return answer
        what = f"the answer is no JSON object: {shorten(content)}"
    failed = RequestFailed(RequestError(ErrorKind.INVALID_REPLY, what), status)
    raise _Again(failed, passing=False)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def describe_error(content: bytes) -> str:
    """Return what an error's body says, in a few words, whatever its form."""
    try:
        found: Any = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return shorten(content)
    for _ in _ERROR_KEYS:
        key = next((k for k in _ERROR_KEYS if isinstance(found, dict) and k in found), None)
        if key is None:
            break
        found = found[key]
    return shorten(found.encode("utf-8", "replace") if isinstance(found, str) else content)


def shorten(content: bytes) -> str:
    """Return the beginning of a text on one line."""
    text = " ".join(content[: 4 * _SHOWN].decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def read_retry_after(value: str | None) -> float:
    """Return the seconds that a ``Retry-After`` header asks to wait: 0 where it says nothing.

    Examples
    --------
    >>> read_retry_after("7")
    7.0
    >>> read_retry_after("soon")
    0.0
    """
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, moment.timestamp() - time.time())
