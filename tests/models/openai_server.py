"""An OpenAI-compatible server on loopback whose every number can be worked out by hand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from fault_proxy import LoopbackHandler, LoopbackServer

#: Requests that find out what a server with both endpoints and likelihoods in chats can do: its
#: models, chat, completions, two texts, the beginning of an answer, and two samples.
SURVEY = 8
END_OF_TEXT = "<|endoftext|>"
_TOKENS = re.compile(r"<\|\w+\|>|\s?\w+|\s?[^\w\s]|\s")
_NO_SPECIAL = re.compile(r"\s?\w+|\s?[^\w\s]|\s")
#: ln p of every token: minus its length in characters, a tenth each.
PER_CHARACTER = -0.1


def split_tokens(text: str) -> list[str]:
    """Return the tokens of a text: words with the space before them, and signs."""
    return _TOKENS.findall(text)


def text_logprob(text: str) -> float:
    """Return ln p of a text: every token has one of its own, whatever precedes it."""
    return sum(PER_CHARACTER * len(token) for token in split_tokens(text))


def number_of(token: str) -> str:
    """Return a token's number."""
    return str(int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "big"))


@dataclass
class Kind:
    """What a server can do.

    Attributes
    ----------
    chat, plain : bool
        Which endpoints it has.
    logprobs : str
        ``vllm``, ``echo`` or nothing.
    opening : str
        A token that it puts before every text.
    refuses : frozenset of str
        Fields that it answers with 400.
    chat_logprobs : bool
        Whether the chat endpoint knows ``prompt_logprobs`` too.
    samples : bool
        Whether answers differ by their seeds.
    special : bool
        Whether it knows ``<|endoftext|>`` as one token.
    respelt : dict of str to str
        Tokens that it spells differently when it lists them.
    models : dict, optional
        What ``/v1/models`` answers; None: 404.
    """

    chat: bool = True
    plain: bool = True
    logprobs: str = ""
    opening: str = ""
    refuses: frozenset[str] = frozenset()
    chat_logprobs: bool = False
    samples: bool = True
    special: bool = True
    respelt: dict[str, str] = field(default_factory=dict)
    models: dict[str, Any] | None = None


@dataclass
class Seen:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)


class FakeServer(LoopbackServer):
    """Answers as its kind does: with the prompt's last word, its seed, and exact counts."""

    def __init__(self, kind: Kind | None = None) -> None:
        super().__init__()
        self.kind = kind or Kind()
        self.seen: list[Seen] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.gate = threading.Semaphore(10_000)
        self.at_once = self.most_at_once = 0
        self.refuse_from: int | None = None
        self.silent_from: int | None = None

    @property
    def surveyed(self) -> int:
        """How many requests find out all that a server of this kind can do."""
        return SURVEY

    @property
    def posted(self) -> list[Seen]:
        """The requests that asked for text."""
        return [one for one in self.seen if one.body]

    def respond(self, handler: LoopbackHandler, body: bytes) -> None:
        """Answer one request."""
        seen = Seen(handler.path, dict(handler.headers), json.loads(body) if body else {})
        with self.lock:
            self.seen.append(seen)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            number = len(self.seen)
        if self.refuse_from is not None and number > self.refuse_from:
            handler.reply(404, b"{}")
            return
        if self.silent_from is not None and number > self.silent_from:
            self.closing.wait(60)
        while not self.gate.acquire(timeout=0.05):
            if self.closing.is_set():
                break
        status, reply = self._answer(seen)
        with self.lock:
            self.at_once -= 1
        handler.reply(status, json.dumps(reply).encode())

    def _answer(self, seen: Seen) -> tuple[int, dict[str, Any]]:
        kind = self.kind
        if seen.path == "/v1/models" and kind.models is not None:
            return 200, kind.models
        known = {"/v1/chat/completions": kind.chat, "/v1/completions": kind.plain}
        if not known.get(seen.path):
            return 404, {"detail": "Not Found"}
        refused = sorted(kind.refuses & seen.body.keys())
        if refused:
            hint = " Use 'max_completion_tokens'." if refused == ["max_tokens"] else ""
            return 400, {"error": {"message": f"unsupported: {', '.join(refused)}.{hint}"}}
        if seen.body["model"] != "toy":
            return 404, {"error": {"message": f"no model {seen.body['model']!r}"}}
        return 200, self._complete(seen.body, chat=seen.path.endswith("chat/completions"))

    def _complete(self, body: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        prompt = _render(body) if chat else str(body["prompt"])
        words = re.findall(r"\w+", prompt)
        text = f"{words[-1] if words else ''} {body.get('seed') if self.kind.samples else 0}"
        planned = next((value for key, value in self.answers.items() if key in prompt), {})
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        split = (_TOKENS if self.kind.special else _NO_SPECIAL).findall(prompt)
        tokens = [*([self.kind.opening] if self.kind.opening else []), *split]
        reply: dict[str, Any] = {
            "choices": [choice | planned],
            "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1},
        }
        if "prompt_logprobs" in body and self.kind.logprobs == "vllm":
            if chat and self.kind.chat_logprobs:
                reply["prompt_logprobs"] = _vllm(tokens, self.kind.respelt)
            elif not chat:
                reply["choices"][0].setdefault("prompt_logprobs", _vllm(tokens, self.kind.respelt))
        if body.get("echo") and self.kind.logprobs == "echo":
            reply["choices"][0]["logprobs"] = _echo([*tokens, " new"])
        return reply


def _render(body: dict[str, Any]) -> str:
    """Fill a chat template: every turn on a line, the last one open where it is to go on."""
    turns = [f"{turn['role']}: {turn['content']}" for turn in body["messages"]]
    if body.get("continue_final_message"):
        return "\n".join(turns)
    return "\n".join([*turns, "assistant:"]) + " "


def _vllm(tokens: list[str], respelt: dict[str, str]) -> list[dict[str, Any] | None]:
    """Spell log-probabilities as vLLM does: every other token has a likelier one beside it."""
    found: list[dict[str, Any] | None] = [None]
    for index, token in enumerate(tokens[1:], 1):
        spelt = respelt.get(token, token)
        own = {"logprob": PER_CHARACTER * len(token), "rank": 1, "decoded_token": spelt}
        position = {number_of(token): own}
        if index % 2:
            own["rank"] = 5
            position["7"] = {"logprob": -0.01, "rank": 1, "decoded_token": " likelier"}
        found.append(position)
    return found


def _echo(tokens: list[str]) -> dict[str, Any]:
    values = [PER_CHARACTER * len(token) for token in tokens]
    return {"tokens": tokens, "token_logprobs": [None, *values[1:]], "text_offset": []}
