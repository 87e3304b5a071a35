"""What is sent to a server: the endpoints it has, and the fields that it takes there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmaudit.models.openai_client import RequestFailed, ServerClient
from llmaudit.models.openai_replies import first_choice
from llmaudit.records import Decoding, GenerationRequest, Message

#: Fields beyond the standard that switch off what a server may do to probabilities by itself.
EXTENSIONS: Mapping[str, float] = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
PROBE = "The cat sat on the mat."
_PROBE_DECODING = Decoding(max_new_tokens=16, temperature=1.0)
_REFUSED_FIELDS = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to ask a server for text.

    Attributes
    ----------
    chat : bool
        Chat completions; else plain completions.
    length_field : str
        What the limit of an answer's length is called.
    extensions, seeds : bool
        Whether the server takes ``EXTENSIONS``, and a seed.
    """

    chat: bool
    length_field: str = "max_tokens"
    extensions: bool = True
    seeds: bool = True

    @property
    def path(self) -> str:
        """The path after the base address."""
        return "chat/completions" if self.chat else "completions"

    def body(
        self, model: str, prompt: str | Sequence[Message], decoding: Decoding, seed: int
    ) -> dict[str, Any]:
        """Return the JSON of one request for one sample."""
        fields: dict[str, Any] = {
            "model": model,
            **put_prompt(prompt),
            self.length_field: decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
        }
        if self.extensions:
            fields |= EXTENSIONS
        if self.seeds:
            fields["seed"] = seed
        return fields

    def probe_body(self, model: str, seed: int = 1) -> dict[str, Any]:
        """Return a request that every server of this endpoint can answer."""
        prompt = (Message("user", PROBE),) if self.chat else PROBE
        return self.body(model, prompt, _PROBE_DECODING, seed)

    def simpler(self, failed: RequestFailed) -> Endpoint | None:
        """Return the endpoint without what the server may have refused; None with nothing left."""
        if failed.status not in _REFUSED_FIELDS:
            return None
        if (
            "max_completion_tokens" in failed.said
            and self.length_field == "max_tokens"
            and self.chat
        ):
            return replace(self, length_field="max_completion_tokens")
        if self.extensions:
            return replace(self, extensions=False)
        return replace(self, seeds=False) if self.seeds else None


def put_prompt(prompt: str | Sequence[Message]) -> dict[str, Any]:
    """Return the field that carries a plain text or the turns of a chat."""
    if isinstance(prompt, str):
        return {"prompt": prompt}
    return {"messages": [{"role": turn.role, "content": turn.content} for turn in prompt]}


def sample_seed(request: GenerationRequest) -> int:
    """Return the seed of one sample: 31 bits, which every server takes.

    It follows from the run's seed, the prompt and the sample's index, never from the order.
    """
    key = f"{request.seed}:{request.prompt.id}:{request.sample_index}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1


async def find_endpoint(client: ServerClient, model: str, *, chat: bool) -> Endpoint:
    """Return how the server takes requests at an endpoint, found out by asking.

    Raises
    ------
    RequestFailed
        If it does not answer there, whatever is left out.
    """
    endpoint = Endpoint(chat)
    while True:
        try:
            first_choice(await client.ask(endpoint.path, endpoint.probe_body(model)))
        except RequestFailed as failed:
            simpler = endpoint.simpler(failed)
            if simpler is None:
                raise
            endpoint = simpler
        else:
            return endpoint
