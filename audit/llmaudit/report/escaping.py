"""Makes hostile text harmless: in HTML and SVG, in Markdown, and in a terminal.

HTML itself is escaped by Jinja's autoescape; what stands here is what autoescape does not do.
"""

from __future__ import annotations

import re

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_PICTURES[0x7F] = "\u2421"
_HIDDEN = (
    *range(0x80, 0xA0),  # C1 controls: a terminal reads U+009B as the start of a sequence
    0x061C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    0x2028,
    0x2029,
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    0xFFFE,
    0xFFFF,
    *range(0xE0000, 0xE0080),  # tag characters: invisible text
)
_VISIBLE = _PICTURES | {code: f"[U+{code:04X}]" for code in _HIDDEN}
_SURROGATES = re.compile("[\ud800-\udfff]")
_PUNCTUATION = re.compile(
    r"(?P<harmless>(?<=\d)\.(?=\d)|(?<=\w)-(?=\w))|(?P<markup>[\\`*_{}\[\]#+\-.!|~:=$^@&<>])"
)
_BACKTICKS = re.compile(r"`+")
_NEWLINES = re.compile(r"\r\n|\r|\n")


class Markdown(str):
    """Text that already is safe Markdown and must not be escaped again."""

    __slots__ = ()


def storable(text: str) -> str:
    """Return ``text`` with lone surrogates, which no UTF-8 file can hold, spelled out."""
    return _SURROGATES.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def visible(text: str) -> str:
    r"""Return ``text`` with every control, bidirectional and invisible character made visible.

    Newlines and tabs stay. Lone surrogates, which no UTF-8 file can hold, are spelled out.

    Examples
    --------
    >>> visible("a\x1b[31mb\u202ec")
    'a␛[31mb[U+202E]c'
    """
    return storable(text).replace("\r\n", "\n").translate(_VISIBLE)


def terminal_safe(text: str, *, one_line: bool = False) -> str:
    """Return ``text`` so that printing it cannot move the cursor, recolour or retitle a terminal.

    Parameters
    ----------
    text : str
        Anything a model, a file or a store said.
    one_line : bool
        Also show newlines and tabs, for table cells and log lines.
    """
    safe = visible(text)
    return safe.replace("\n", "⏎").replace("\t", "␉") if one_line else safe


def escape_markdown(text: object) -> Markdown:
    """Return ``text`` as one line of Markdown that renders as itself: no markup, link or HTML."""
    if isinstance(text, Markdown):
        return text
    line = _NEWLINES.sub(" ⏎ ", visible(str(text)).strip()).replace("\t", " ")
    return Markdown(_PUNCTUATION.sub(_escape_one, line))


def _escape_one(match: re.Match[str]) -> str:
    return match[0] if match["harmless"] else "\\" + match[0]


def fence(text: str) -> Markdown:
    """Return ``text`` as a fenced code block that nothing inside can close."""
    body = visible(text)
    longest = max((len(run) for run in _BACKTICKS.findall(body)), default=0)
    bar = "`" * max(3, longest + 1)
    return Markdown(f"{bar}text\n{body}\n{bar}")
