"""Likelihoods from servers that give the log-probabilities of a prompt's own tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmaudit.models.base import join_choice
from llmaudit.models.openai_client import RequestFailed, ServerClient
from llmaudit.models.openai_endpoints import PROBE, put_prompt
from llmaudit.models.openai_replies import (
    ReadToken,
    add_up,
    fail,
    read_echo,
    read_prompt_logprobs,
)
from llmaudit.records import ErrorKind, Message, Prompt

#: Asked for because no server takes zero everywhere; what is generated is thrown away.
_NEW_TOKENS = 1
_OTHER_PROBE = "A dog ran in the park."
_PROBE_TURNS = (Message("user", "Where did the cat sit?"),)
_PROBE_ANSWER = "On the mat."
#: Tokens that may be put before a text where the server puts none: tried, and taken if one token.
_STARTS = ("<|endoftext|>",)
#: What tokenizers write for a space or the end of a line, and what stands for part of a letter.
_SPACES = str.maketrans("", "", "▁ĠĊ")
_BROKEN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class TokenReader:
    """How a server is asked for the log-probabilities of a text.

    Attributes
    ----------
    model : str
    field : str
        ``prompt_logprobs`` (vLLM) or ``echo``.
    opening : int
        How many tokens the server, or ``start``, puts before every plain text.
    start : str
        What is put before a text that stands alone, where the server puts nothing.
    chat : bool
        Whether the server reads the beginning of an answer in a chat too.
    """

    model: str
    field: str
    opening: int = 0
    start: str = ""
    chat: bool = False

    async def read_text(self, client: ServerClient, text: str) -> list[ReadToken]:
        """Return the tokens of a plain text, with whatever the server puts before it."""
        body = {"model": self.model, "prompt": text, "max_tokens": _NEW_TOKENS, "temperature": 0}
        if self.field == "echo":
            reply = await client.ask("completions", body | {"echo": True, "logprobs": 1})
            return read_echo(reply, _NEW_TOKENS)
        return read_prompt_logprobs(await client.ask("completions", body | {"prompt_logprobs": 1}))

    async def read_chat(
        self, client: ServerClient, turns: Sequence[Message], answer: str
    ) -> list[ReadToken]:
        """Return the tokens of a chat whose last turn is the beginning of the model's answer.

        Without an ``answer`` the text ends where the answer would begin.
        """
        body: dict[str, Any] = {
            "model": self.model,
            **put_prompt([*turns, Message("assistant", answer)] if answer else turns),
            "max_tokens": _NEW_TOKENS,
            "temperature": 0,
            "prompt_logprobs": 1,
            "add_generation_prompt": not answer,
            "continue_final_message": bool(answer),
        }
        return read_prompt_logprobs(await client.ask("chat/completions", body))

    @property
    def definition(self) -> str:
        """What the numbers are, for the report."""
        if self.start:
            before = (
                f"by {self.start}, since the server puts nothing there and tells no beginning "
                f"token; a model on this machine has its tokenizer's own, so where that is another "
                f"one, these numbers are not to be compared with a local run's"
            )
        elif self.opening:
            before = "by what the server puts before every text"
        else:
            before = "by nothing, so its first token has no probability and it is not measured"
        return (
            f"Server ({self.field}): the sum of ln p(token | all tokens to its left), as the "
            f"server gives it, over the tokens of the continuation, which begins where the tokens "
            f"of the prompt's choices part. A text that stands alone is preceded {before}."
        )


def squeeze(text: str) -> str:
    """Return a text without its spaces, by which servers spell tokens differently."""
    return "".join(text.split()).translate(_SPACES)


def spell(tokens: Sequence[ReadToken]) -> str:
    """Return what tokens spell, without spaces."""
    return squeeze("".join(token.text for token in tokens))


def is_broken(tokens: Sequence[ReadToken]) -> bool:
    """Say whether some token is only a part of a letter, so that they spell nothing."""
    return any(_BROKEN in token.text or token.text.startswith("bytes:") for token in tokens)


async def find_reader(client: ServerClient, model: str, *, chat: bool) -> TokenReader:
    """Return how the server gives log-probabilities of prompts, found out by asking.

    Raises
    ------
    RequestFailed
        If it gives none.
    """
    reasons = []
    for field in ("prompt_logprobs", "echo"):
        try:
            reader = await _open_reader(client, TokenReader(model, field))
        except RequestFailed as failed:
            reasons.append(f"{field}: {failed.error.message}")
            continue
        if chat and field == "prompt_logprobs" and await _reads_chats(client, reader):
            return TokenReader(model, field, reader.opening, reader.start, chat=True)
        return reader
    raise fail(ErrorKind.UNSUPPORTED, "; ".join(reasons))


async def _open_reader(client: ServerClient, reader: TokenReader) -> TokenReader:
    """Find out what precedes a text that stands alone; a server that gives nothing is refused."""
    tokens = await reader.read_text(client, PROBE)
    add_up(tokens[1:])
    other = await reader.read_text(client, _OTHER_PROBE)
    opening = _find_opening(tokens, common_keys([tokens, other]))
    if opening:
        return TokenReader(reader.model, reader.field, opening)
    # Nothing precedes the text. Of its first token nothing may be told, not even what it is.
    rest = spell(tokens[1:])
    if not rest or not squeeze(PROBE).endswith(rest):
        raise fail(ErrorKind.INVALID_REPLY, "the tokens given do not spell what was sent")
    for start in _STARTS:
        if _find_opening(await reader.read_text(client, start + PROBE), 1):
            return TokenReader(reader.model, reader.field, 1, start)
    return reader


def _find_opening(tokens: Sequence[ReadToken], most: int) -> int:
    """Return how many tokens precede the probe, up to ``most``; 0 where it is not spelt whole."""
    for count in range(most, 0, -1):
        if spell(tokens[count:]) == squeeze(PROBE):
            return count
    return 0


async def _reads_chats(client: ServerClient, reader: TokenReader) -> bool:
    try:
        tokens = await reader.read_chat(client, _PROBE_TURNS, _PROBE_ANSWER)
        return spell(tokens).endswith(squeeze(_PROBE_ANSWER))
    except RequestFailed:
        return False


def common_keys(texts: Sequence[Sequence[ReadToken]]) -> int:
    """Return how many leading tokens all texts share."""
    count = 0
    for tokens in zip(*texts, strict=False):
        if len({token.key for token in tokens}) > 1:
            break
        count += 1
    return count


async def read_choices(
    client: ServerClient, reader: TokenReader, prompt: Prompt, *, chat: bool
) -> dict[str, tuple[float, int]]:
    """Return the log-probability and the number of tokens of each of a prompt's choices.

    Context and choice are read as one text. The continuation begins where the tokens of all the
    choices stop being those of the context, so all of them are about the same context.

    Raises
    ------
    RequestFailed
        If one of them cannot be had: choices are compared, so none is worth anything alone.
    """
    wholes = {
        label: await _read_whole(client, reader, prompt, choice, chat=chat)
        for label, choice in prompt.choices.items()
    }
    if not chat and not prompt.plain:
        split = reader.opening
        if not split:
            message = "the server puts nothing before a text, so its first token has no probability"
            raise fail(ErrorKind.UNSUPPORTED, message)
    else:
        split = await _find_split(client, reader, prompt, wholes, chat=chat)
    return {
        label: _measure(tokens, split, prompt.choices[label]) for label, tokens in wholes.items()
    }


async def _read_whole(
    client: ServerClient, reader: TokenReader, prompt: Prompt, choice: str, *, chat: bool
) -> list[ReadToken]:
    if chat:
        return await reader.read_chat(client, prompt.messages, choice)
    text = join_choice(prompt.plain, choice, chat=False)
    return await reader.read_text(client, text if prompt.plain else reader.start + text)


async def _find_split(
    client: ServerClient,
    reader: TokenReader,
    prompt: Prompt,
    wholes: Mapping[str, Sequence[ReadToken]],
    *,
    chat: bool,
) -> int:
    """Return how many tokens are the context's.

    Where those after the ones that all choices share spell the choices, that is known already;
    else the context is read too.
    """
    split = common_keys(list(wholes.values()))
    if all(
        not is_broken(tokens[split:]) and spell(tokens[split:]) == squeeze(prompt.choices[label])
        for label, tokens in wholes.items()
    ):
        return split
    if chat:
        context = await reader.read_chat(client, prompt.messages, "")
    else:
        context = await reader.read_text(client, prompt.plain)
    return common_keys([context, *wholes.values()])


def _measure(tokens: Sequence[ReadToken], split: int, choice: str) -> tuple[float, int]:
    """Add up a continuation, once it is certain that it holds the choice."""
    continuation = tokens[split:]
    if not continuation:
        raise fail(ErrorKind.UNSUPPORTED, f"choice {choice!r} has no tokens of its own")
    if not is_broken(continuation) and not spell(continuation).endswith(squeeze(choice)):
        message = "the tokens that the server gives do not spell the choice that was sent"
        raise fail(ErrorKind.INVALID_REPLY, message)
    return add_up(continuation), len(continuation)
