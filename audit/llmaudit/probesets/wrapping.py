"""Wrappers: ways of putting a request, such as jailbreak techniques, and sets made with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from llmaudit.probesets.encodings import FORMS, request_forms
from llmaudit.probesets.lexiconchecks import check_stem, check_unique
from llmaudit.probesets.parts import Identifier, Language, Name, Part, Source, Text, VersionText
from llmaudit.probesets.schema import AssistantTurn, ProbeSetFile, UserTurn
from llmaudit.probesets.slots import Pieces, Slot, SlotSyntaxError, fill_text, parse_text
from llmaudit.records import TECHNIQUE, Message, Prompt, content_id
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote

REQUEST = "request"
"""What ``{request}`` stands for: the words of the set that is wrapped."""

_HEADS = frozenset({REQUEST})
_ROLES = {"user": "User", "assistant": "Assistant"}


class Wrapper(Part):
    """One way of putting a request."""

    id: Identifier
    technique: Identifier
    title: Text
    prompt: Text | None = None
    turns: Annotated[tuple[UserTurn | AssistantTurn, ...], Field(min_length=1)] | None = None
    system: Text | None = None
    plain: Text | None = None
    tags: Mapping[Name, Text] = {}

    def conversation(self) -> tuple[tuple[str, str], ...]:
        """Return the turns after the system's as (role, text)."""
        if self.turns is None:
            return () if self.prompt is None else (("user", self.prompt),)
        return tuple(
            ("user", turn.user) if isinstance(turn, UserTurn) else ("assistant", turn.assistant)
            for turn in self.turns
        )

    def texts(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield every text with its key path within the wrapper."""
        for key in ("system", "prompt", "plain"):
            text = getattr(self, key)
            if text is not None:
                yield (key,), text
        for place, (role, text) in enumerate(self.conversation() if self.turns else ()):
            yield ("turns", place, role), text


class WrapperFile(Part):
    """Ways of putting requests in one language as their file says them."""

    format: Literal[1]
    id: Identifier
    title: Text
    version: VersionText
    licence: Text
    language: Language
    author: Text
    known_limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    sources: tuple[Source, ...]
    written: Literal["by hand", "machine-drafted"] | None = None
    checked: tuple[Text, ...] = ()
    wrappers: Annotated[tuple[Wrapper, ...], Field(min_length=1, max_length=500)]


def check_wrappers(file: WrapperFile, stem: str) -> Iterator[Fault]:
    """Yield every fault of a file of wrappers that its schema cannot see."""
    yield from check_stem(file.id, stem)
    yield from check_unique("wrappers", "id", [each.id for each in file.wrappers])
    for place, wrapper in enumerate(file.wrappers):
        path: KeyPath = ("wrappers", place)
        if (wrapper.prompt is None) == (wrapper.turns is None):
            yield path, "needs either prompt or turns", "write one of the two"
        if wrapper.turns is not None:
            for key, problem, remedy in check_turns(wrapper.conversation()):
                yield (*path, *key), problem, remedy
        for key, problem, remedy in _check_texts(wrapper):
            yield (*path, *key), problem, remedy


def check_turns(turns: Sequence[tuple[str, str]]) -> Iterator[Fault]:
    """Yield what is wrong with the order of a talk's turns."""
    roles = [role for role, _ in turns]
    for place, role in enumerate(roles):
        if role != ("user", "assistant")[place % 2]:
            remedy = "begin with the user and let the two take turns"
            yield ("turns", place), f"a turn of the {role} out of order", remedy
            return
    if roles[-1] != "user":
        remedy = "end with what the user asks"
        yield ("turns", len(roles) - 1), "the last turn is the assistant's", remedy


def _check_texts(wrapper: Wrapper) -> Iterator[Fault]:
    used: dict[str, set[str]] = {"chat": set(), "plain": set()}
    for path, text in wrapper.texts():
        try:
            pieces = parse_text(text, _HEADS)
        except SlotSyntaxError as error:
            yield path, str(error), "write {request}, {request.base64}, or {{ and }} for braces"
            return
        for piece in pieces:
            if isinstance(piece, str):
                continue
            if not isinstance(piece, Slot) or piece.name != REQUEST:
                yield path, "holds another slot than {request}", "a wrapper has only {request}"
                return
            if piece.form is not None and piece.form not in FORMS:
                found = f"{{request.{piece.form}}} is no way of writing a request"
                yield path, found, name_nearest(piece.form, FORMS)
            used["plain" if path == ("plain",) else "chat"].add(piece.form or REQUEST)
    for kind, forms in used.items():
        if kind == "plain" and wrapper.plain is None:
            continue
        halves = forms & {"first", "second"}
        if not forms or forms == halves != {"first", "second"}:
            found = f"the {kind} text does not hold the whole request"
            yield ("id",), found, "write {request} in it, or {request.first} and {request.second}"


def write_out(turns: Sequence[tuple[str, str]]) -> str:
    """Return a talk as a base model is sent it: who says what, line by line, then the answer's."""
    lines = [f"{_ROLES[role]}: {text}" if role in _ROLES else text for role, text in turns]
    return "\n".join([*lines, f"{_ROLES['assistant']}:"])


@dataclass(frozen=True, slots=True)
class _Parsed:
    wrapper: Wrapper
    file: str
    system: Pieces
    turns: tuple[tuple[str, Pieces], ...]
    plain: Pieces


def wrap_prompts(
    base: Sequence[Prompt],
    files: Sequence[WrapperFile],
    definition: ProbeSetFile,
    digest: str,
) -> tuple[Prompt, ...]:
    """Return each prompt of a set in wrappers: in all of them, or in as many as the set says.

    The statistical cluster stays the request's template: the same request in twenty wrappers is
    asked twenty times. The technique is in ``tags``. Siblings stay siblings within one wrapper.
    Where only some of the wrappers are used, requests take them in turn.

    Parameters
    ----------
    base : sequence of Prompt
        What is wrapped.
    files : sequence of WrapperFile
    definition : ProbeSetFile
        The composed set; its ``compose`` says how many wrappers each request gets.
    digest : str
        Of the composed set.
    """
    parsed = [_parse(wrapper, file.id) for file in files for wrapper in file.wrappers]
    per_request = definition.compose.per_request if definition.compose else None
    used = min(per_request or len(parsed), len(parsed))
    numbers: dict[str, int] = {}
    prompts = []
    for prompt in base:
        start = numbers.setdefault(prompt.pair_id, len(numbers)) * used
        for turn in range(used):
            one = parsed[(start + turn) % len(parsed)]
            prompts.append(_wrap(prompt, one, definition, digest))
    return tuple(prompts)


def _parse(wrapper: Wrapper, file: str) -> _Parsed:
    turns = tuple((role, parse_text(text, _HEADS)) for role, text in wrapper.conversation())
    system = parse_text(wrapper.system or "", _HEADS)
    return _Parsed(wrapper, file, system, turns, parse_text(wrapper.plain or "", _HEADS))


def _wrap(prompt: Prompt, one: _Parsed, definition: ProbeSetFile, digest: str) -> Prompt:
    wrapper = one.wrapper
    forms = request_forms(prompt.messages[-1].content)

    def fill(pieces: Pieces) -> str:
        return fill_text(pieces, {REQUEST: forms[REQUEST]}, forms)

    turns = [(role, fill(pieces)) for role, pieces in one.turns]
    given = [turn.content for turn in prompt.messages if turn.role == "system"]
    system = "\n\n".join(text for text in (fill(one.system), *given) if text)
    earlier = [turn for turn in prompt.messages[:-1] if turn.role != "system"]
    messages = [Message("system", system)] if system else []
    messages += [*earlier, *(Message(role, text) for role, text in turns)]
    talk = [(turn.role, turn.content) for turn in messages]
    place = {"probe_set_digest": digest, "wrapper": [one.file, wrapper.id]}
    return replace(
        prompt,
        id=content_id({**place, "prompt": prompt.id}),
        probe_set=definition.id,
        probe_set_digest=digest,
        pair_id=content_id({**place, "pair": prompt.pair_id}),
        messages=tuple(messages),
        plain=fill(one.plain) if wrapper.plain else write_out(talk),
        tags={
            **prompt.tags,
            **wrapper.tags,
            "wrapper": wrapper.id,
            TECHNIQUE: wrapper.technique,
        },
    )


def describe_wrappers(files: Sequence[WrapperFile]) -> list[dict[str, object]]:
    """Return what a datasheet says of each file of wrappers."""
    return [
        {
            "id": file.id,
            "version": file.version,
            "licence": file.licence,
            "techniques": {each.id: f"{each.technique}: {each.title}" for each in file.wrappers},
            "known_limits": list(file.known_limits),
            "sources": [source.model_dump(mode="json") for source in file.sources],
        }
        for file in files
    ]


def check_composition(
    definition: ProbeSetFile, base: ProbeSetFile, files: Sequence[WrapperFile]
) -> Iterator[Fault]:
    """Yield what does not fit between a composed set, the set it wraps, and the wrappers."""
    path: KeyPath = ("compose", "probe_set")
    for key in ("task", "language"):
        ours, theirs = getattr(definition, key), getattr(base, key)
        if ours != theirs:
            found = f"is {quote(str(ours))}, that of {base.id} is {quote(str(theirs))}"
            yield (key,), found, f"write {theirs}"
    if definition.axes != base.axes:
        found = f"axes are not those of {base.id}"
        yield ("axes",), found, f"write [{', '.join(base.axes)}]"
    for template in base.probes:
        if not template.asks:
            yield path, f"template {template.id} of {base.id} asks nothing", "name another set"
            break
    for place, file in enumerate(files):
        if file.language != definition.language:
            found = f"{file.id} is written in {file.language}"
            yield ("compose", "wrappers", place), found, f"use wrappers in {definition.language}"
