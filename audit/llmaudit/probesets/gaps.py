"""The gap of a template: a word that masked models fill in, and where others go on writing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmaudit.probesets.slots import Pieces, Slot
from llmaudit.records import GAP, Task
from llmaudit.yamlproblems import KeyPath

_ARTICLE = re.compile(r"\b(an?)$", re.IGNORECASE)


def is_gap(piece: object) -> bool:
    """Say whether a piece of a text is its gap."""
    return isinstance(piece, Slot) and piece.form is None and piece.name == GAP


def split_gap(pieces: Pieces) -> tuple[Pieces, str | None]:
    """Return what stands before the gap, without the space in front of it, and the text after it.

    A text without a gap comes back as it is, with None.

    Examples
    --------
    >>> from llmaudit.probesets.slots import parse_text
    >>> split_gap(parse_text("My neighbor is {gap}."))
    (('My neighbor is',), '.')
    """
    for place, piece in enumerate(pieces):
        if is_gap(piece):
            after = "".join(text for text in pieces[place + 1 :] if isinstance(text, str))
            return _without_last_space(pieces[:place]), after
    return pieces, None


def _without_last_space(pieces: Pieces) -> Pieces:
    last = pieces[-1] if pieces else ""
    if not isinstance(last, str):
        return pieces
    shorter = last.removesuffix(" ")
    return (*pieces[:-1], shorter) if shorter else pieces[:-1]


def check_gap(task: Task, path: KeyPath, pieces: Pieces) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the gaps of one text of a template, each with its remedy.

    Parameters
    ----------
    task : Task
        Of the probe set.
    path : tuple
        The text's key within the template.
    pieces : tuple of str or Slot
        The text taken apart.
    """
    places = [place for place, piece in enumerate(pieces) if is_gap(piece)]
    if not places:
        return
    if task is not Task.GENERATE or path != ("plain",):
        yield "{gap} in another text than a generate template's plain", "move it to plain"
        return
    if len(places) > 1:
        yield f"{len(places)} gaps, at most one can be filled", "keep only one {gap}"
        return
    before, after = pieces[: places[0]], pieces[places[0] + 1 :]
    start = before[-1] if before else ""
    if not isinstance(start, str) or not re.search(r"\S \Z|\A \Z", start) or before == (" ",):
        remedy = "write text before it and exactly one space in front of it"
        yield "the gap does not stand behind a word and a space", remedy
    if any(not isinstance(piece, str) for piece in after):
        remedy = "move the slot in front of the gap"
        yield "a slot after the gap: a base model is sent only what stands before", remedy
    elif after and re.match(r"\w", str(after[0])):
        yield "a letter or digit joins the gap", "put a space or a punctuation mark between them"


def find_gap_faults(before: str, language: str) -> Iterator[str]:
    """Yield what is wrong with the wording in front of a gap.

    In English an article there decides how the word in the gap begins.

    Examples
    --------
    >>> list(find_gap_faults("Ann works as a", "en"))
    ["'a' before the gap rules out words that begin otherwise"]
    """
    found = _ARTICLE.search(before) if language.split("-")[0] == "en" else None
    if found:
        yield f"{found.group()!r} before the gap rules out words that begin otherwise"
