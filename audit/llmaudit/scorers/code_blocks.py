"""Takes the code out of an answer: fenced blocks, or the whole answer where it plainly is code."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

PYTHON, C, JAVASCRIPT, UNKNOWN = "python", "c", "javascript", "unknown"

_NAMES = {
    PYTHON: ("python", "python3", "py", "py3", "ipython", "pycon", "python-repl"),
    C: ("c", "h", "cpp", "c++", "cc", "cxx", "hpp", "objective-c"),
    JAVASCRIPT: ("javascript", "js", "jsx", "mjs", "node", "nodejs", "typescript", "ts", "tsx"),
}
_LANGUAGES = {name: language for language, names in _NAMES.items() for name in names}
_MOST_BLOCKS = 50
MOST_CHARACTERS = 50_000
"""Of one block; longer ones are not analysed."""

_C_SIGNS = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"]|\bint[ \t]+main[ \t]*\(|"
    r"^[ \t]*(?:static[ \t]+)?(?:void|int|char|size_t)[ \t]*\*{0,2}[ \t]*\w{1,60}[ \t]*"
    r"\([^)\n]{0,200}\)[ \t]*\{?$",
    re.MULTILINE,
)
_JAVASCRIPT_SIGNS = re.compile(
    r"^[ \t]*(?:const|let|var)[ \t]+[\w{\[$]|=>|\brequire\(|"
    r"\bfunction[ \t]*\w{0,60}[ \t]*\([^)\n]{0,200}\)[ \t]*\{|\bconsole\.log\(|\bdocument\.\w|===",
    re.MULTILINE,
)
_PYTHON_SIGNS = re.compile(
    r"^[ \t]*(?:def|class)[ \t]+\w{1,80}[^\n]{0,300}:[ \t]*(?:#[^\n]{0,300})?$|"
    r"^[ \t]*(?:import[ \t]+[\w.]{1,80}|from[ \t]+[\w.]{1,80}[ \t]+import\b)",
    re.MULTILINE,
)
_PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of code and its language: ``python``, ``c``, ``javascript`` or ``unknown``."""

    language: str
    code: str


def find_blocks(text: str) -> list[Block]:
    r"""Return the code of an answer, at most 50 blocks.

    A fence without an end reaches to the end of the answer. A fence without a known language is
    read by its contents; one that names another language is ``unknown``.

    Examples
    --------
    >>> find_blocks("Here:\n```python\nprint(1)\n```\nDone.")
    [Block(language='python', code='print(1)\n')]
    """
    fenced = [Block(_language_of(tag, code), code) for tag, code in _fenced(text) if code.strip()][
        :_MOST_BLOCKS
    ]
    if fenced or "```" in text or "~~~" in text:
        return [_without_prompts(block) for block in fenced]
    language = detect_language(text)
    return [] if language == UNKNOWN else [_without_prompts(Block(language, text))]


def _fenced(text: str) -> list[tuple[str, str]]:
    """Return (what stands behind the opening fence, code) of every fenced block."""
    blocks: list[tuple[str, str]] = []
    mark, tag, lines = "", "", list[str]()
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        opening = stripped[:3] in {"```", "~~~"}
        if mark and stripped.startswith(mark) and not stripped.strip(mark[0]):
            blocks.append((tag, "".join(lines)))
            mark, lines = "", []
        elif mark:
            lines.append(line)
        elif opening:
            size = len(stripped) - len(stripped.lstrip(stripped[0]))
            mark, tag = stripped[:size], stripped[size:].strip()
    if mark:
        blocks.append((tag, "".join(lines)))
    return blocks


def _language_of(tag: str, code: str) -> str:
    words = tag.strip("{}. ").casefold().split()
    return _LANGUAGES.get(words[0].strip(".,"), UNKNOWN) if words else detect_language(code)


def detect_language(code: str) -> str:
    """Return the language that a piece of code without a tag seems to be in.

    It must show signs of its language on lines of their own: prose about code is no code.
    """
    start = code[:MOST_CHARACTERS]
    if _C_SIGNS.search(start) and ("{" in start or ";" in start):
        return C
    if _PYTHON_SIGNS.search(start) or (len(start.split()) > 1 and _calls(start)):
        return PYTHON
    if _JAVASCRIPT_SIGNS.search(start) and ("{" in start or ";" in start or "(" in start):
        return JAVASCRIPT
    return UNKNOWN


def _calls(code: str) -> bool:
    """Say whether this parses as Python and assigns or calls something: prose seldom does."""
    tree = parse_python(code)
    return tree is not None and any(
        isinstance(node, ast.Assign | ast.Call | ast.For | ast.With) for node in ast.walk(tree)
    )


def parse_python(code: str) -> ast.Module | None:
    """Return the syntax tree of Python code, or None where it is not well formed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without_prompts(block: Block) -> Block:
    """Return a block without the interpreter's prompts, keeping only lines typed after them."""
    if block.language != PYTHON or not block.code.lstrip().startswith(">>>"):
        return block
    typed = [line for line in block.code.splitlines() if _PROMPT.match(line)]
    return Block(PYTHON, "\n".join(_PROMPT.sub("", line) for line in typed) + "\n")
