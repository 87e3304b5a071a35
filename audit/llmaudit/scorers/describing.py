"""What the scorers that work by rules have in common: how they describe themselves and read.

A scorer by rules needs no files and no training. Its digest is of its name, its version and its
settings, which hold the versions of the libraries whose rules it uses.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers.cards import load_card

LONGEST = 200_000
"""The most characters that a scorer by rules reads; longer answers are ``too_long``."""

_ORDINARY_CONTROLS = frozenset("\t\n\r")


def installed(package: str) -> str:
    """Return the version of an installed package, or ``absent``; scores depend on it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def rule_facts(
    name: str, rules: str, settings: Mapping[str, Any], *, card: str = "", **given: Any
) -> ScorerFacts:
    """Return the facts of a scorer by rules, its digest made of its name, rules and settings.

    Parameters
    ----------
    name : str
    rules : str
        The version of the scorer's own rules.
    settings : mapping
        What else its scores depend on, as plain JSON values.
    card : str
        The name of its card, where that differs from the scorer's.
    **given
        Other fields of `ScorerFacts`.
    """
    digest = content_id({"scorer": name, "version": rules, **settings})
    base: dict[str, Any] = {"languages": ("any",), "licence": "Apache-2.0", "range": (0.0, 1.0)}
    return ScorerFacts(
        name=name, version=rules, digest=digest, card=load_card(card or name), **{**base, **given}
    )


def fold_characters(text: str) -> tuple[str, list[int] | None]:
    """Return the text with look-alike forms made plain, and where each character stood.

    Characters that have a single compatible one become that (full-width and mathematical letters
    and digits); decimal digits of any script become 0 to 9; invisible format characters (joiners,
    direction marks) and control characters are left out, so that they hide nothing.

    Returns
    -------
    folded : str
    places : list of int or None
        The place in ``text`` of each character of ``folded``; None where nothing moved.
    """
    if text.isascii() and text.isprintable():
        return text, None
    kept: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        plain = _fold_character(char)
        if plain:
            kept.append(plain)
            places.append(place)
    return "".join(kept), places


def _fold_character(char: str) -> str:
    """Return one character or none."""
    if char.isascii():
        return char if char.isprintable() or char in _ORDINARY_CONTROLS else ""
    category = unicodedata.category(char)
    if category in {"Cf", "Cc"}:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(char))
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 else char
