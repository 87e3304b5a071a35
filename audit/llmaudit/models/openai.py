"""A model under audit on an OpenAI-compatible server: ``--model openai:NAME --base-url URL``."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from llmaudit.errors import AuditError, ModelError, UsageError
from llmaudit.models.base import failed_generation, failed_likelihood, is_chat
from llmaudit.models.openai_address import Address, Key, find_address, find_key
from llmaudit.models.openai_client import Limits, RequestFailed, ServerClient
from llmaudit.models.openai_endpoints import PROBE, put_prompt, sample_seed
from llmaudit.models.openai_likelihoods import read_choices
from llmaudit.models.openai_replies import fail, read_answer
from llmaudit.models.openai_streaming import Workload, ask_all, stream
from llmaudit.models.openai_survey import Survey, make_facts, survey_server
from llmaudit.records import (
    Capability,
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    RequestError,
)

Job = TypeVar("Job")
ResultT = TypeVar("ResultT", Generation, Likelihood)

PROMPT_FORMATS = ("auto", "chat", "plain")
"""How turns can be put to a server."""

#: Kinds of failure that may be the server's rather than the request's.
_SERVER_FAULTS = frozenset(
    {ErrorKind.SERVER, ErrorKind.TIMEOUT, ErrorKind.REJECTED, ErrorKind.INVALID_REPLY}
)
#: How servers say that a prompt is too long, or that their filter refuses it.
_TOO_LONG = re.compile(r"context.{0,9}(length|window|size)|too long|reduce the length", re.I)
_FILTERED = re.compile(r"content[_ ](filter|management)", re.I)
_BYTES_PER_TOKEN = 1_024
_BYTES_BESIDES = 2**18


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go, with which key, and within which limits."""

    address: Address
    key: Key | None
    limits: Limits

    def connect(self) -> ServerClient:
        """Return a client, to be used as an asynchronous context."""
        return ServerClient(self.address, self.key, self.limits)


class ServerModel:
    """A model on a server.

    Parameters
    ----------
    name : str
        What the server calls it.
    server : Server
    survey : Survey
        What the server can do.
    """

    def __init__(self, name: str, server: Server, survey: Survey) -> None:
        self._name = name
        self._server = server
        self._survey = survey
        self.facts: ModelFacts = make_facts(name, server.address, server.key, survey)
        able = {Capability.GENERATE}
        if survey.reader is not None:
            able.add(Capability.LIKELIHOOD)
        self.capabilities = frozenset(able)

    def format_prompt(self, prompt: Prompt) -> str:
        """Return what is sent: the turns as JSON, whose template the server fills, or the text."""
        if self._is_chat(prompt):
            turns = put_prompt(prompt.messages)["messages"]
            return json.dumps(turns, ensure_ascii=False)
        return prompt.plain

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        """Ask for every sample that is not done, several at a time."""
        jobs = [request for request in requests if request.id not in done]
        body = self._survey.main.probe_body(self._name)

        async def check(client: ServerClient) -> None:
            await client.ask(self._survey.main.path, body)

        return self._stream(jobs, self._sample, check)

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Ask for every likelihood that is not done; the choices of a prompt together."""
        by_prompt: dict[str, list[LikelihoodRequest]] = {}
        for request in requests:
            if request.id not in done:
                by_prompt.setdefault(request.prompt.id, []).append(request)

        async def check(client: ServerClient) -> None:
            if self._survey.reader is not None:
                await self._survey.reader.read_text(client, PROBE)

        return self._stream(list(by_prompt.values()), self._measure, check)

    def _stream(
        self,
        jobs: Sequence[Job],
        ask: Callable[[ServerClient, Job], Awaitable[list[ResultT]]],
        check: Callable[[ServerClient], Awaitable[None]],
    ) -> Iterator[ResultT]:
        """Yield the results of all jobs as they come."""
        if not jobs:
            return
        concurrency = self._server.limits.connections

        async def results() -> AsyncGenerator[ResultT, None]:
            async with self._server.connect() as client:

                async def check_server() -> None:
                    try:
                        await check(client)
                    except RequestFailed as failed:
                        raise ModelError(self._say_gone(failed)) from None

                work = Workload(
                    jobs, lambda job: ask(client, job), _is_fault, check_server, concurrency
                )
                async with aclosing(ask_all(work)) as found:
                    async for result in found:
                        yield result

        yield from stream(results, ahead=2 * concurrency)

    def _say_gone(self, failed: RequestFailed) -> str:
        return (
            f"the server no longer answers what it answered at the start: {failed.error.message}. "
            f"What it had answered is stored, requests that failed since are not recorded, and the "
            f"same command goes on from there."
        )

    async def _sample(self, client: ServerClient, request: GenerationRequest) -> list[Generation]:
        chat = self._is_chat(request.prompt)
        endpoint = self._survey.chat if chat else self._survey.plain
        prompt = request.prompt.messages if chat else request.prompt.plain
        try:
            if endpoint is None:
                message = "the server has no completions endpoint for a text without turns"
                raise fail(ErrorKind.UNSUPPORTED, message)
            body = endpoint.body(self._name, prompt, request.decoding, sample_seed(request))
            most = _BYTES_BESIDES + _BYTES_PER_TOKEN * request.decoding.max_new_tokens
            answer = read_answer(await client.ask(endpoint.path, body, most_bytes=most), chat=chat)
        except AuditError:
            raise
        except Exception as error:
            return [failed_generation(request, record_failure(error))]
        return [
            Generation(
                request_id=request.id,
                prompt_id=request.prompt.id,
                sample_index=request.sample_index,
                text=answer.text,
                finish=answer.finish,
                prompt_tokens=answer.prompt_tokens,
                new_tokens=answer.new_tokens,
            )
        ]

    async def _measure(
        self, client: ServerClient, requests: Sequence[LikelihoodRequest]
    ) -> list[Likelihood]:
        prompt = requests[0].prompt
        chat = self._is_chat(prompt)
        reader = self._survey.reader
        try:
            if reader is None:
                raise fail(ErrorKind.UNSUPPORTED, self.facts.no_likelihood)
            if chat and not reader.chat:
                message = "the server gives log-probabilities of plain text only, not of a chat"
                raise fail(ErrorKind.UNSUPPORTED, message)
            found = await read_choices(client, reader, prompt, chat=chat)
        except AuditError:
            raise
        except Exception as error:
            return [failed_likelihood(request, record_failure(error)) for request in requests]
        return [
            Likelihood(
                request_id=request.id,
                prompt_id=prompt.id,
                choice=request.choice,
                logprob=found[request.choice][0],
                tokens=found[request.choice][1],
            )
            if request.choice in found
            else failed_likelihood(
                request,
                RequestError(ErrorKind.UNSUPPORTED, f"the prompt has no choice {request.choice!r}"),
            )
            for request in requests
        ]

    def _is_chat(self, prompt: Prompt) -> bool:
        return is_chat(prompt, chat_model=self._survey.chat is not None)


def _is_fault(result: Generation | Likelihood) -> bool:
    return result.error is not None and result.error.kind in _SERVER_FAULTS


def record_failure(error: Exception) -> RequestError:
    """Return the record of a request that failed.

    A refusal is looked at more closely: a prompt that is too long, or that the server's filter
    does not let through, has a kind of its own.
    """
    if not isinstance(error, RequestFailed):
        text = "".join(traceback.format_exception(error))
        return RequestError(ErrorKind.EXCEPTION, f"{type(error).__name__}: {error}", text)
    if error.error.kind is ErrorKind.REJECTED:
        for pattern, kind in ((_FILTERED, ErrorKind.FILTERED), (_TOO_LONG, ErrorKind.TOO_LONG)):
            if pattern.search(error.said):
                return replace(error.error, kind=kind)
    return error.error


def load_server_model(
    name: str,
    base_url: str | None,
    *,
    concurrency: int = 8,
    request_timeout: float = 300.0,
    prompt_format: str = "auto",
) -> ServerModel:
    """Ask a server what it can do for a model, and return the model.

    Parameters
    ----------
    name : str
        What the server calls the model.
    base_url : str or None
        The server's address; None takes it from ``OPENAI_BASE_URL``.
    concurrency : int
        Requests at once.
    request_timeout : float
        Seconds for one request, all attempts and waits included.
    prompt_format : str
        ``auto``, ``chat`` or ``plain``.

    Raises
    ------
    UsageError
        If there is no address, or it or the key makes no sense.
    ModelError
        If the server cannot be reached, does not accept the key, or does not have the model.
    """
    if not name.strip():
        raise UsageError("name the model as the server calls it: --model openai:NAME")
    if prompt_format not in PROMPT_FORMATS:
        raise UsageError(
            f"--prompt-format {prompt_format} is written on this machine, and a server fills its "
            f"own template: it takes {', '.join(PROMPT_FORMATS)}."
        )
    address, key = find_address(base_url, os.environ), find_key(os.environ)
    server = Server(address, key, Limits(request_timeout, concurrency))
    return open_server_model(name, server, prompt_format=prompt_format)


def open_server_model(name: str, server: Server, *, prompt_format: str = "auto") -> ServerModel:
    """Return a model of a server whose address, key and limits are known."""

    async def look() -> AsyncGenerator[Survey, None]:
        async with server.connect() as client:
            yield await survey_server(client, name, prompt_format)

    (survey,) = stream(look, ahead=1)
    return ServerModel(name, server, survey)
