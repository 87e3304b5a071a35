"""Takes texts with slots apart, and fills them in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

IDENTITY = "identity"
"""The name that stands for the group's words: ``{identity.noun}``, ``{Identity.noun_a}``."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}\s]+)\}|[{}]")
_SLOT = re.compile(r"([a-z][a-z0-9_]*)|([Ii]dentity)\.([a-z][a-z0-9_]*)")


class SlotSyntaxError(ValueError):
    """A text has a brace that is neither doubled nor part of a slot."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a text.

    ``form`` is None for a template's own slot ``name``; otherwise the group's form of that name
    goes here, with a capital first letter where ``capital`` is set.
    """

    name: str
    form: str | None = None
    capital: bool = False


Pieces = tuple[str | Slot, ...]


def parse_text(text: str) -> Pieces:
    """Return the literal pieces and slots of a text, in order; ``{{`` and ``}}`` are braces.

    Raises
    ------
    SlotSyntaxError
        If a brace is unmatched or what stands between braces is not a slot.

    Examples
    --------
    >>> parse_text("Hi {name}")
    ('Hi ', Slot(name='name', form=None, capital=False))
    """
    pieces: list[str | Slot] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[end : token.start()])
        end = token.end()
        if token.group(1) is not None:
            pieces.append(_parse_slot(token.group(1)))
        elif len(token.group()) == 2:
            pieces.append(token.group()[0])
        else:
            raise SlotSyntaxError(f"brace {token.group()!r} without its partner")
    pieces.append(text[end:])
    return tuple(piece for piece in pieces if piece != "")


def _parse_slot(name: str) -> Slot:
    match = _SLOT.fullmatch(name)
    if match is None or name == IDENTITY:
        raise SlotSyntaxError(f"'{{{name[:60]}}}' is not a slot")
    if match.group(1):
        return Slot(match.group(1))
    return Slot(IDENTITY, match.group(3), capital=match.group(2)[0] == "I")


def fill_text(pieces: Pieces, values: Mapping[str, str], forms: Mapping[str, str]) -> str:
    """Return the text with every slot filled.

    What is inserted is never read again: a value that holds braces stays as it is.

    Parameters
    ----------
    pieces : tuple of str or Slot
        From :func:`parse_text`.
    values : mapping of str to str
        The values of the template's own slots.
    forms : mapping of str to str
        The group's words by form.
    """
    return "".join(
        piece if isinstance(piece, str) else _word(piece, values, forms) for piece in pieces
    )


def _word(slot: Slot, values: Mapping[str, str], forms: Mapping[str, str]) -> str:
    if slot.form is None:
        return values[slot.name]
    word = forms[slot.form]
    return word[:1].upper() + word[1:] if slot.capital else word
