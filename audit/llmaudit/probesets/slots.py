"""Takes texts with slots apart, and fills them in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

IDENTITY = "identity"
"""The name that stands for the group's words: ``{identity.noun}``, ``{Identity.noun_a}``."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
_SLOT = re.compile(r"[a-z][a-z0-9_]*")
_FORM = re.compile(r"([A-Za-z][a-z0-9_-]*)\.([a-z][a-z0-9_]*)")
_OPTION = re.compile(r"([a-z][a-z0-9_]*(?:,[a-z][a-z0-9_]*)*):(.*)")


class SlotSyntaxError(ValueError):
    """A text has a brace that is neither doubled nor part of a slot."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a text.

    ``form`` is None for a template's own slot ``name``; otherwise the form of that name of what
    ``name`` stands for goes here (``identity``: the group), with a capital first letter where
    ``capital`` is set.
    """

    name: str
    form: str | None = None
    capital: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """Words that agree with the group: for each agreement class the text that goes here."""

    options: tuple[tuple[str, str], ...]

    @property
    def classes(self) -> frozenset[str]:
        """Return the agreement classes that have a text."""
        return frozenset(name for name, _ in self.options)


Pieces = tuple[str | Slot | Pick, ...]
Inflected = str | Mapping[str, str]
"""One text for every group, or one for each agreement class."""


def parse_text(text: str, heads: frozenset[str] = frozenset({IDENTITY})) -> Pieces:
    """Return the literal pieces, slots and picks of a text, in order; ``{{``, ``}}`` are braces.

    Parameters
    ----------
    text : str
    heads : frozenset of str
        What may stand before the dot of a form.

    Raises
    ------
    SlotSyntaxError
        If a brace is unmatched or what stands between braces is neither a slot nor a pick.

    Examples
    --------
    >>> parse_text("Hi {name}")
    ('Hi ', Slot(name='name', form=None, capital=False))
    >>> parse_text("cansad{f:a|m:o}")
    ('cansad', Pick(options=(('f', 'a'), ('m', 'o'))))
    """
    pieces: list[str | Slot | Pick] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[end : token.start()])
        end = token.end()
        if token.group(1) is not None:
            inside = token.group(1)
            pieces.append(_parse_pick(inside) if ":" in inside else _parse_slot(inside, heads))
        elif len(token.group()) == 2:
            pieces.append(token.group()[0])
        else:
            raise SlotSyntaxError(f"brace {token.group()!r} without its partner")
    pieces.append(text[end:])
    return tuple(piece for piece in pieces if piece != "")


def _parse_slot(name: str, heads: frozenset[str]) -> Slot:
    form = _FORM.fullmatch(name)
    if form:
        head = form.group(1)
        lower = head[:1].lower() + head[1:]
        if lower in heads:
            return Slot(lower, form.group(2), capital=head != lower)
    elif _SLOT.fullmatch(name) and name != IDENTITY:
        return Slot(name)
    raise SlotSyntaxError(f"'{{{name[:60]}}}' is not a slot")


def _parse_pick(inside: str) -> Pick:
    options: list[tuple[str, str]] = []
    for part in inside.split("|"):
        match = _OPTION.fullmatch(part)
        if match is None:
            raise SlotSyntaxError(
                f"'{{{inside[:60]}}}' is no choice of agreeing words; they are written "
                "{f:cansada|m:cansado}"
            )
        options += [(name, match.group(2)) for name in match.group(1).split(",")]
    names = [name for name, _ in options]
    if len(set(names)) < len(names) or len(names) < 2:
        raise SlotSyntaxError(f"'{{{inside[:60]}}}' needs two agreement classes or more, each once")
    return Pick(tuple(options))


def inflect(value: Inflected, agreement: str | None) -> str:
    """Return the text of a value for one agreement class."""
    return value if isinstance(value, str) else value[agreement or ""]


def spell(value: Inflected) -> str:
    """Return one spelling of a value for all groups: its texts, parted by slashes."""
    return value if isinstance(value, str) else " / ".join(dict.fromkeys(value.values()))


def texts_in(value: Inflected) -> tuple[str, ...]:
    """Return every text of a value."""
    return (value,) if isinstance(value, str) else tuple(value.values())


def fill_text(
    pieces: Pieces,
    values: Mapping[str, Inflected],
    forms: Mapping[str, str],
    agreement: str | None = None,
) -> str:
    """Return the text with every slot filled.

    What is inserted is never read again: a value that holds braces stays as it is.

    Parameters
    ----------
    pieces : tuple of str, Slot or Pick
        From :func:`parse_text`.
    values : mapping of str to str or mapping
        The values of the template's own slots.
    forms : mapping of str to str
        The group's words by form; those of other heads than ``identity`` by ``head.form``.
    agreement : str, optional
        The group's agreement class.
    """
    return "".join(_fill_piece(piece, values, forms, agreement) for piece in pieces)


def _fill_piece(
    piece: str | Slot | Pick,
    values: Mapping[str, Inflected],
    forms: Mapping[str, str],
    agreement: str | None,
) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Pick):
        return dict(piece.options)[agreement or ""]
    if piece.form is None:
        return inflect(values[piece.name], agreement)
    word = forms[piece.form if piece.name == IDENTITY else f"{piece.name}.{piece.form}"]
    return word[:1].upper() + word[1:] if piece.capital else word
