"""What a server's JSON says: an answer, token log-probabilities, or why it is neither.

Servers differ and some are hostile: every value is taken for what it is, and what does not have the
form it should have is an error of its own, never an empty answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.models.openai_client import RequestFailed, describe_error, shorten
from llmaudit.records import ErrorKind, RequestError

#: How servers say why an answer ended.
_FINISHES = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn"), "stop"),
    **dict.fromkeys(("length", "max_tokens"), "length"),
}
_MOST_TOKENS = 10**9
#: What vLLM writes for minus infinity, which JSON has no number for.
_MINUS_INFINITY = -9999.0
_ROUNDING = 1e-3
_KEYS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """One sampled text, why it ended (None where the server does not say), and what it cost."""

    text: str
    finish: str | None
    prompt_tokens: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class ReadToken:
    """One token of a text that a server has read.

    Attributes
    ----------
    key : str
        Tells tokens apart: the token's number where the server gives it, else its text.
    text : str
    logprob : float or None
        None for the first token of all, which nothing precedes.
    """

    key: str
    text: str
    logprob: float | None


def fail(kind: ErrorKind, message: str) -> RequestFailed:
    """Return the exception that records ``message``."""
    return RequestFailed(RequestError(kind, message))


def read_answer(reply: Mapping[str, Any], *, chat: bool) -> Answer:
    """Return what a chat or completions endpoint has answered.

    Raises
    ------
    RequestFailed
        With kind ``content_filter`` where the server withheld the answer, else ``invalid_reply``.
    """
    choice = first_choice(reply)
    reason = choice.get("finish_reason")
    if reason == "content_filter":
        raise fail(ErrorKind.FILTERED, "the server's content filter withheld the answer")
    text = _chat_text(choice, reason) if chat else choice.get("text")
    if not isinstance(text, str):
        raise _unexpected("text", text, reason)
    finish = _finish(reason, text)
    usage = reply.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    return Answer(
        text, finish, _count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens"))
    )


def first_choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first of a reply's choices.

    Raises
    ------
    RequestFailed
        If there is none.
    """
    choices = reply.get("choices")
    if choices is None and "error" in reply:
        said = describe_error(_plain(reply))
        raise fail(ErrorKind.INVALID_REPLY, f"the server answered with an error: {said}")
    if not isinstance(choices, list):
        keys = ", ".join(sorted(reply)[:_KEYS_SHOWN])
        raise fail(ErrorKind.INVALID_REPLY, f"the reply has no choices, only: {_short(keys)}")
    if not choices:
        raise fail(ErrorKind.INVALID_REPLY, "the reply's choices are empty")
    if not isinstance(choices[0], dict):
        raise fail(ErrorKind.INVALID_REPLY, f"the reply's choice is {_kind(choices[0])}")
    return choices[0]


def _chat_text(choice: Mapping[str, Any], reason: object) -> object:
    """Return the content of a chat answer, or the refusal that stands in its place."""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise fail(ErrorKind.INVALID_REPLY, f"the choice's message is {_kind(message)}")
    content = message.get("content")
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if not content and thoughts:
        raise fail(
            ErrorKind.INVALID_REPLY,
            f"no answer, only reasoning (finish reason {_short(str(reason))}): the length limit "
            f"may be too small for a model that reasons",
        )
    if content is None and isinstance(message.get("refusal"), str) and message["refusal"]:
        return message["refusal"]
    if content is None and message.get("tool_calls"):
        raise fail(ErrorKind.INVALID_REPLY, "no answer, only calls of tools, which were not given")
    return content


def _finish(reason: object, text: str) -> str | None:
    if isinstance(reason, str) and reason in _FINISHES:
        return _FINISHES[reason]
    if reason is None and text:
        return None
    message = f"{'a' if text else 'an empty'} text with finish reason {_short(repr(reason))}"
    raise fail(ErrorKind.INVALID_REPLY, f"{message}: that may not be the whole answer")


def _unexpected(name: str, value: object, reason: object) -> RequestFailed:
    message = f"the answer's {name} is {_kind(value)} (finish reason {_short(repr(reason))})"
    return fail(ErrorKind.INVALID_REPLY, message)


def _kind(value: object) -> str:
    return "missing or null" if value is None else f"a {type(value).__name__}, not what it should"


def _count(value: object) -> int:
    """Return a number of tokens; 0 for anything that cannot be one."""
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return int(value) if known else 0  # type: ignore[call-overload]


def _short(text: str) -> str:
    return shorten(text.encode("utf-8", "replace"))


def _plain(reply: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(reply).encode("ascii")


def read_prompt_logprobs(reply: Mapping[str, Any]) -> list[ReadToken]:
    """Return the tokens of the prompt from vLLM's ``prompt_logprobs``.

    Each position is null (the first) or maps token numbers to ``logprob``, ``rank`` and
    ``decoded_token``: the prompt's own token, and beside it the likeliest where that is another.

    Raises
    ------
    RequestFailed
        If there are none, or they do not have that form.
    """
    positions = reply.get("prompt_logprobs")
    if positions is None:
        positions = first_choice(reply).get("prompt_logprobs")
    if not isinstance(positions, list) or not positions:
        raise fail(ErrorKind.INVALID_REPLY, "the reply has no prompt_logprobs")
    tokens = []
    for index, position in enumerate(positions):
        if position is None and index == 0:
            tokens.append(ReadToken("", "", None))
            continue
        if not isinstance(position, dict) or not position:
            message = f"prompt_logprobs at {index} is {_kind(position)}"
            raise fail(ErrorKind.INVALID_REPLY, message)
        tokens.append(_own_token(position, index))
    return tokens


def _own_token(position: Mapping[str, Any], index: int) -> ReadToken:
    """Return the prompt's own token of a position: of several, the one that is not the likeliest.

    The server lists it first; that it has not rank 1 tells it where an order got lost.
    """
    entries = [(key, value) for key, value in position.items() if isinstance(value, dict)]
    if len(entries) != len(position):
        raise fail(ErrorKind.INVALID_REPLY, f"prompt_logprobs at {index} has a foreign form")
    others = [entry for entry in entries if entry[1].get("rank") != 1]
    key, value = (others if len(entries) > 1 and others else entries)[0]
    text = value.get("decoded_token")
    return ReadToken(key, text if isinstance(text, str) else "", read_logprob(value.get("logprob")))


def read_echo(reply: Mapping[str, Any], new_tokens: int) -> list[ReadToken]:
    """Return the tokens of the prompt from an echo with ``logprobs``.

    Parameters
    ----------
    reply : mapping
    new_tokens : int
        The most tokens that were asked for after the prompt.

    Raises
    ------
    RequestFailed
        If the reply has no such form.
    """
    logprobs = first_choice(reply).get("logprobs")
    found = logprobs if isinstance(logprobs, dict) else {}
    texts: Any = found.get("tokens")
    values: Any = found.get("token_logprobs")
    known = isinstance(texts, list) and isinstance(values, list) and len(texts) == len(values)
    if not known or not all(isinstance(text, str) for text in texts):
        raise fail(ErrorKind.INVALID_REPLY, "the reply has no log-probabilities of its prompt")
    usage = reply.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(counted, int) or isinstance(counted, bool) or not 0 <= counted <= new_tokens:
        raise fail(ErrorKind.INVALID_REPLY, "the reply does not count its new tokens")
    end = len(texts) - counted
    return [
        ReadToken(text, text, None if index == 0 and value is None else read_logprob(value))
        for index, (text, value) in enumerate(zip(texts[:end], values[:end], strict=True))
    ]


def read_logprob(value: object) -> float:
    """Return a natural logarithm of a probability.

    Raises
    ------
    RequestFailed
        If it is none: not a number, not finite, or above zero by more than rounding.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fail(ErrorKind.INVALID_REPLY, f"a token's log-probability is {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = -math.inf
    if not _MINUS_INFINITY < number <= _ROUNDING:
        message = (
            f"a token's log-probability is {_short(repr(value))}, which is no logarithm of one"
        )
        raise fail(ErrorKind.NAN_LOGITS, message)
    return min(number, 0.0)


def add_up(tokens: Sequence[ReadToken]) -> float:
    """Return the sum of the log-probabilities.

    Raises
    ------
    RequestFailed
        If one of them has none: the first token of all, which nothing precedes.
    """
    values = [token.logprob for token in tokens if token.logprob is not None]
    if len(values) != len(tokens):
        raise fail(
            ErrorKind.UNSUPPORTED,
            "the server puts nothing before a text, so its first token has no probability",
        )
    return math.fsum(values)
