"""What a server can do and what it says of its model, found out by asking before a run begins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from llmaudit.errors import ModelError
from llmaudit.models.openai_address import Address, Key
from llmaudit.models.openai_client import RequestFailed, ServerClient
from llmaudit.models.openai_endpoints import Endpoint, find_endpoint
from llmaudit.models.openai_likelihoods import TokenReader, find_reader
from llmaudit.models.openai_replies import read_answer
from llmaudit.records import ErrorKind, ModelFacts, content_id

#: How long a server that does not even accept connections is waited for.
_SECONDS_TO_REACH = 15.0
_MOST_NAMED = 20
_LONGEST = 200
#: What ``/v1/models`` says of a model that does not change from one request to the next.
_STABLE = ("id", "root", "parent", "owned_by", "max_model_len", "meta")
PLAIN_FORMAT = "plain text (completions endpoint)"
CHAT_FORMAT = "chat turns as JSON; the server fills its own template"


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a server.

    Attributes
    ----------
    metadata : mapping
        The model's entry in the server's list.
    main : Endpoint
        Where prompts with turns go: the chat endpoint if it answers.
    plain : Endpoint or None
        Where texts without turns go.
    reader : TokenReader or None
        How likelihoods are had.
    why_not : mapping of str to str
        Why there is no ``chat`` or ``plain`` endpoint, or no ``reader``.
    samples_alike : bool
        Whether two samples with different seeds were the same text.
    """

    metadata: Mapping[str, Any]
    main: Endpoint
    plain: Endpoint | None
    reader: TokenReader | None
    why_not: Mapping[str, str]
    samples_alike: bool = False

    @property
    def chat(self) -> Endpoint | None:
        """The chat endpoint, where it answers."""
        return self.main if self.main.chat else None


async def survey_server(client: ServerClient, name: str, prompt_format: str) -> Survey:
    """Ask a server what it can do for a model.

    Parameters
    ----------
    client : ServerClient
    name : str
        The model's name there.
    prompt_format : str
        ``auto``: chat where the server answers that, else plain text. ``plain``: never chat.
        ``chat``: nothing else.

    Raises
    ------
    ModelError
        If the server cannot be reached, or answers at neither endpoint.
    """
    listed = await _list_models(client)
    why_not: dict[str, str] = {}
    chat = None
    if prompt_format != "plain":
        chat = await _look_for(client, name, why_not, chat=True)
    plain = await _look_for(client, name, why_not, chat=False)
    main = chat or plain
    if main is None or (prompt_format == "chat" and chat is None):
        raise ModelError(_say_absent(client.address, name, why_not, listed))
    reader = await _look_for_reader(client, name, why_not, plain is not None, chat is not None)
    metadata = {key: listed[name][key] for key in _STABLE if key in listed.get(name, {})}
    survey = Survey(metadata, main, plain, reader, why_not)
    return replace(survey, samples_alike=await _samples_alike(client, name, survey.main))


async def _samples_alike(client: ServerClient, name: str, endpoint: Endpoint) -> bool:
    """Say whether two samples of a prompt are the same: the server may not sample at all."""
    try:
        texts = {
            read_answer(
                await client.ask(endpoint.path, endpoint.probe_body(name, seed)),
                chat=endpoint.chat,
            ).text
            for seed in (1, 2)
        }
    except RequestFailed:
        return False
    return len(texts) == 1


async def _list_models(client: ServerClient) -> dict[str, Mapping[str, Any]]:
    """Return the models the server lists, by name; nothing where it keeps no list."""
    try:
        reply = await client.ask("models", seconds=_SECONDS_TO_REACH, attempts=1)
    except RequestFailed as failed:
        if failed.error.kind is ErrorKind.SERVER and failed.status is None:
            raise ModelError(
                f"{failed.error.message}. Is the server running, and is --base-url its address?"
            ) from None
        return {}
    entries = reply.get("data")
    found = entries if isinstance(entries, list) else []
    return {
        str(entry["id"]): entry
        for entry in found
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


async def _look_for(
    client: ServerClient, name: str, why_not: dict[str, str], *, chat: bool
) -> Endpoint | None:
    """Return the endpoint, or None and the reason; a server that is only busy is no reason."""
    try:
        return await find_endpoint(client, name, chat=chat)
    except RequestFailed as failed:
        answered = failed.status is not None and failed.error.kind is not ErrorKind.TIMEOUT
        busy = failed.status in {408, 425, 429, 502, 503, 504}
        if not answered or busy:
            raise ModelError(f"the server gives no answer: {failed.error.message}") from None
        why_not["chat" if chat else "plain"] = failed.error.message
        return None


async def _look_for_reader(
    client: ServerClient, name: str, why_not: dict[str, str], plain: bool, chat: bool
) -> TokenReader | None:
    if not plain:
        why_not["reader"] = "the server has no completions endpoint"
        return None
    try:
        return await find_reader(client, name, chat=chat)
    except RequestFailed as failed:
        why_not["reader"] = failed.error.message
        return None


def _say_absent(
    address: Address, name: str, why_not: Mapping[str, str], listed: Mapping[str, Any]
) -> str:
    reasons = "; ".join(
        f"{'chat/completions' if kind == 'chat' else 'completions'}: {reason.rstrip('.')}"
        for kind, reason in why_not.items()
    )
    message = f"{address.host} does not answer for the model {name!r}. {reasons}."
    if listed and name not in listed:
        message += f" It lists: {', '.join(sorted(listed)[:_MOST_NAMED])}."
    return message


def make_facts(name: str, address: Address, key: Key | None, survey: Survey) -> ModelFacts:
    """Return what the report says of a model on a server."""
    limit = survey.metadata.get("max_model_len")
    known = isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit < 10**9
    no_likelihood = ""
    if survey.reader is None:
        no_likelihood = (
            f"The server gives no log-probabilities of prompts ({survey.why_not['reader']})."
        )
    return ModelFacts(
        name=name,
        source=f"{name} at {address.host}",
        digest=content_id(
            {
                "kind": "server",
                "name": name,
                "address": address.base,
                "metadata": _jsonable(survey.metadata),
                "chat": asdict(survey.chat) if survey.chat else None,
                "plain": asdict(survey.plain) if survey.plain else None,
                "reader": asdict(survey.reader) if survey.reader else None,
            }
        ),
        kind="server",
        device="server",
        chat_format=CHAT_FORMAT if survey.chat else PLAIN_FORMAT,
        context_length=limit if known else None,
        likelihood_definition=survey.reader.definition if survey.reader else "",
        no_likelihood=no_likelihood,
        notes=tuple(_notes(name, address, key, survey)),
    )


def _jsonable(value: Any) -> Any:
    """Return a value from a server without what canonical JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list) else value


def _notes(name: str, address: Address, key: Key | None, survey: Survey) -> list[str]:
    """Return what a reader must know of results that come from a server."""
    listed = ", ".join(
        f"{field} {str(survey.metadata[field])[:_LONGEST]}" for field in survey.metadata
    )
    notes = [
        f"The model ran on a server, {address.host}. Its weights cannot be verified: that they are "
        f"those of {name} rests on the server's word alone, and they may change between sessions.",
        f"The server's list of models says of it: {listed}."
        if listed
        else "The server's list of models says nothing of it.",
        _say_sampling(survey),
    ]
    if survey.samples_alike:
        notes.append(
            "Two samples of one prompt at temperature 1 were the same: the server may not sample, "
            "and then several samples of a prompt are worth no more than one."
        )
    if survey.chat is None and "chat" in survey.why_not:
        notes.append(
            f"Prompted with plain text, because the chat endpoint does not answer: "
            f"{survey.why_not['chat']}"
        )
    if survey.chat is not None and survey.plain is None:
        notes.append(
            f"Texts without turns cannot be sent, because the completions endpoint does not "
            f"answer: {survey.why_not['plain']}"
        )
    if survey.chat is not None and survey.reader is not None and not survey.reader.chat:
        notes.append("Likelihoods of answers in a chat cannot be had from this server.")
    if not address.is_private:
        sent = "prompts, answers and the key" if key is not None else "prompts and answers"
        notes.append(f"The connection was not encrypted: {sent} could be read on the way.")
    return notes


def _say_sampling(survey: Survey) -> str:
    main = survey.main
    seeds = (
        "A seed was sent with each request; whether equal seeds give equal samples is the "
        "server's affair."
        if main.seeds
        else "The server takes no seeds, so no sample can be had again."
    )
    own = (
        "top-k, min-p and repetition penalty were switched off in each request"
        if main.extensions
        else "the server does not take the fields that switch off top-k, min-p and repetition "
        "penalty, so its own settings of these hold"
    )
    return f"{seeds} Temperature and top-p were sent; {own}."
