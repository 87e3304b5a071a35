"""Ways of writing a request that a filter for words would miss and a model may still read."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Callable, Mapping

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_MORSE_SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- "
    "-..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
_MORSE = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        _MORSE_SIGNS.split(),
        strict=True,
    )
)


def _first(text: str) -> str:
    return text[: _middle(text)].rstrip()


def _second(text: str) -> str:
    return text[_middle(text) :].lstrip()


def _middle(text: str) -> int:
    """Return the place of the space nearest to the middle, or the middle where there is none."""
    half = len(text) // 2
    spaces = [place for place, letter in enumerate(text) if letter == " "]
    return min(spaces, key=lambda place: abs(place - half), default=half)


def _caesar(text: str) -> str:
    return "".join(_shift(letter) for letter in text)


def _shift(letter: str) -> str:
    for first in "aA":
        place = ord(letter) - ord(first)
        if 0 <= place < 26:
            return chr(ord(first) + (place + 3) % 26)
    return letter


def _fullwidth(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def _morse(text: str) -> str:
    words = text.lower().split()
    return " / ".join(" ".join(_MORSE.get(letter, letter) for letter in word) for word in words)


FORMS: Mapping[str, Callable[[str], str]] = {
    "first": _first,
    "second": _second,
    "base64": lambda text: base64.b64encode(text.encode("utf-8")).decode("ascii"),
    "hex": lambda text: text.encode("utf-8").hex(" "),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode("utf-8")),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "caesar": _caesar,
    "leetspeak": lambda text: text.translate(_LEET),
    "reversed": lambda text: text[::-1],
    "spaced": lambda text: " ".join(text.replace(" ", "_")),
    "fullwidth": _fullwidth,
    "morse": _morse,
    "upper": lambda text: text.upper(),
}
"""What may stand after the dot of ``{request.…}``, and what it makes of the request."""


def request_forms(text: str) -> dict[str, str]:
    """Return a request in every way of writing it, and as it is under ``request``.

    Examples
    --------
    >>> request_forms("Say hi to me")["request.first"]
    'Say hi'
    >>> request_forms("Say hi")["request.rot13"]
    'Fnl uv'
    """
    return {"request": text, **{f"request.{name}": write(text) for name, write in FORMS.items()}}
