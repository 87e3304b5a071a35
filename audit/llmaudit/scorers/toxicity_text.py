"""How the toxicity scorer reads text: pictographs by name, simple disguises taken off."""

from __future__ import annotations

import re
import unicodedata

_FIRST_PICTOGRAPH = 0x2100
_FLAGS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = dict(
    zip(range(0x1F3FB, 0x1F400), ("light", "light", "medium", "dark", "dark"), strict=True)
)
_INSIDE_WORDS = {"@": "a", "$": "s", "!": "i", "1": "i", "0": "o", "3": "e", "4": "a"}
_DISGUISED = re.compile(r"(?<=[A-Za-z])[@$!1034](?=[A-Za-z])")
_DRAWN_OUT = re.compile(r"([A-Za-z])\1{2,}")
_SPACED = re.compile(r"\b(?:[A-Za-z][ .*_-]){3,19}[A-Za-z]\b")


def plain_text(text: str) -> str:
    r"""Return the text as the encoder is to see it.

    Compatibility forms are folded (NFKC) and pictographs replaced by their names, because the
    base's vocabulary has almost no emoji. Look-alike signs between letters, letters drawn out and
    letters set apart, all common ways around word filters, are undone.

    Examples
    --------
    >>> plain_text("you \N{PILE OF POO}")
    'you  pile of poo '
    >>> plain_text("an id1ot, an i d i o t, an idiooot")
    'an idiot, an idiot, an idiot'
    """
    named = text if text.isascii() else _named(unicodedata.normalize("NFKC", text))
    joined = _SPACED.sub(lambda match: re.sub(r"[^A-Za-z]", "", match.group()), named)
    undone = _DISGUISED.sub(lambda match: _INSIDE_WORDS[match.group()], joined)
    return _DRAWN_OUT.sub(r"\1", undone)


def _named(text: str) -> str:
    """Return the text with every pictograph replaced by words."""
    out = []
    for char in text:
        code = ord(char)
        if code in _SKIN_TONES:
            out.append(f"{_SKIN_TONES[code]} skin ")
        elif code in _FLAGS:
            out.append(chr(code - _FLAGS.start + ord("a")))
        elif code > _FIRST_PICTOGRAPH and unicodedata.category(char) == "So":
            name = unicodedata.name(char, "symbol").lower()
            out.append(f" {name.removesuffix(' face').replace('face with ', '')} ")
        else:
            out.append(char)
    return "".join(out)
