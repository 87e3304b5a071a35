"""Says in plain words why a YAML file does not fit its pydantic model."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
Fault = tuple[KeyPath, str, str]
"""Where in a file, what is wrong, what to do."""

MAX_PROBLEMS = 100

UNKNOWN_KEY = "unknown key"
"""How the problem of a key that no model has begins."""

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "none_required": "nothing",
}


def explain(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Fault]:
    """Return every fault that pydantic found: key path, problem and remedy.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised for ``data``.
    data : Any
        The file's content.
    model : type of BaseModel
        What it was validated against; its keys are the known ones.

    Returns
    -------
    list of (key path, str, str)
        At most 100, without repetitions.
    """
    faults: dict[Fault, None] = {}
    for details in error.errors(include_url=False):
        if _is_consequence(details):
            continue
        path = _clean_path(details["loc"], data, details["type"])
        faults[path, *_explain_one(details, path, model)] = None
        if len(faults) >= MAX_PROBLEMS:
            break
    return list(faults)


def quote(value: str, *, bare: bool = False) -> str:
    """Return text for a message: escaped, cut at 60 characters, in quotes unless ``bare``."""
    shown = value if len(value) <= 60 else value[:57] + "..."
    return repr(shown)[1:-1] if bare else repr(shown)


def describe(value: Any) -> str:
    """Return what a value is, in words for a message.

    Examples
    --------
    >>> describe(["a", "b"])
    'a list of 2'
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"text {quote(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else f"number {value}"


def name_nearest(name: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the nearest known one, then all of them."""
    names = sorted(known)
    # difflib is slow, and a hostile file's author chooses how long and how many the names are.
    affordable = len(name) <= 100 and len(names) <= 500
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5) if affordable else []
    listed = f"known: {', '.join(names[:30]) or 'none'}"
    if len(names) > 30:
        listed += f" and {len(names) - 30} more"
    return f"did you mean {near[0]!r}? {listed}" if near else listed


def _clean_path(location: KeyPath, data: Any, kind: str) -> KeyPath:
    """Drop the parts of pydantic's location that are names of types, not keys of the file."""
    path: list[str | int] = []
    for part in location:
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not (kind == "missing" and part == location[-1]):
            continue
        path.append(part)
    return tuple(path)


def _is_consequence(details: ErrorDetails) -> bool:
    """Return whether a list is only too short because its faulty items were not counted."""
    context = details.get("ctx", {})
    return details["type"] == "too_short" and context["actual_length"] < len(details["input"])


def _explain_one(details: ErrorDetails, path: KeyPath, model: Any) -> tuple[str, str]:
    """Return one fault in plain words, and its remedy."""
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return "this key is missing", "add it"
    if kind == "extra_forbidden":
        name = str(path[-1])
        return f"{UNKNOWN_KEY} {quote(name)}", name_nearest(name, _known_keys(model, path[:-1]))
    if kind in _EXPECTED:
        return _explain_type(_EXPECTED[kind], found)
    if kind in ("literal_error", "enum"):
        choices = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return f"found {describe(found)}", name_nearest(str(found), choices)
    if kind == "string_pattern_mismatch":
        return f"found {describe(found)}", f"write text that matches {context['pattern']}"
    if kind in ("too_short", "too_long"):
        if kind == "too_short":
            return f"{len(found)} entries, at least {context['min_length']} needed", "add entries"
        return f"{len(found)} entries, at most {context['max_length']} allowed", "remove entries"
    if kind == "value_error":
        return str(context["error"]), _show_found(found)
    return _decapitalise(details["msg"]), _show_found(found)


def _explain_type(expected: str, found: Any) -> tuple[str, str]:
    """Return the words and the remedy for a value of the wrong type."""
    remedy = f"write {expected}"
    if found is None:
        remedy = f"write {expected}, or remove the key"
    elif expected == "text" and not isinstance(found, list | dict):
        remedy = "put it in quotes"
    elif expected == "a list" and not isinstance(found, dict):
        remedy = "put it in square brackets, or on a line of its own after '- '"
    return f"expected {expected}, found {describe(found)}", remedy


def _show_found(found: Any) -> str:
    return "correct it" if isinstance(found, dict) else f"found {describe(found)}"


def _decapitalise(message: str) -> str:
    return message[:1].lower() + message[1:]


def _known_keys(model: Any, path: KeyPath) -> list[str]:
    """Return the keys that a file may have at ``path``."""
    places: list[Any] = [model]
    for part in path:
        places = [inner for place in places for inner in _step(place, part)]
    return [
        info.alias or name
        for place in places
        if _is_model(place)
        for name, info in place.model_fields.items()
    ]


def _step(place: Any, part: str | int) -> Iterator[Any]:
    """Yield what may stand under ``part`` of a place of type ``place``."""
    if _is_model(place):
        for name, info in place.model_fields.items():
            if part == (info.alias or name):
                yield from _alternatives(info.annotation)
    else:
        # The items of a list or tuple, the values of a mapping: the last type that is named.
        arguments = [each for each in typing.get_args(place) if each is not Ellipsis]
        yield from _alternatives(arguments[-1] if arguments else None)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, unions and ``Annotated`` taken apart."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _alternatives(member)
    elif origin is typing.Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif annotation is not None:
        yield annotation


def _is_model(place: Any) -> bool:
    return hasattr(place, "model_fields")
