"""The names of scorers that are made of something the user names: a checkpoint, a model, a rubric.

``hf:ORG/NAME#label`` and ``hf:FOLDER#label`` are checkpoints, ``guard:MODEL`` a guard that is any
kind of model, ``judge:RUBRIC`` a rubric that the model of ``--judge`` answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from llmaudit.errors import UsageError

HUB, GUARD, JUDGE = "hf", "guard", "judge"
FAMILIES = (HUB, GUARD, JUDGE)
"""What such a name begins with, before a colon."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_RUBRIC = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class ScorerName:
    """A name taken apart.

    Attributes
    ----------
    family : str
        One of ``FAMILIES``.
    source : str
        The hub id, folder, model or rubric.
    label : str or None
        What follows ``#``.
    """

    family: str
    source: str
    label: str | None = None

    @property
    def is_folder(self) -> bool:
        """Say whether the source is a path rather than a hub id."""
        return self.family == HUB and not _HUB_ID.fullmatch(self.source)

    @property
    def public(self) -> str:
        """The name that scores are stored under: of a path only its last part, seen from here.

        Examples
        --------
        >>> parse_name("hf:/home/me/tox#rude").public
        'hf:./tox#rude'
        """
        source = self.source
        if self.is_folder or (self.family == GUARD and Path(source).expanduser().is_dir()):
            source = f"./{Path(source).expanduser().resolve().name}"
        elif self.family == GUARD and "/" in source and not _HUB_ID.fullmatch(source):
            kind, colon, rest = source.rpartition(":")
            source = f"{kind}{colon}{Path(rest).name}"
        return f"{self.family}:{source}" + (f"#{self.label}" if self.label else "")


def family_of(name: str) -> str | None:
    """Return the family that a scorer's name belongs to; None for every other name."""
    family, colon, _ = name.partition(":")
    return family if colon and family in FAMILIES else None


def parse_name(name: str) -> ScorerName:
    """Take a name of one of the families apart.

    Raises
    ------
    UsageError
        If it is none, or names no checkpoint, model or rubric.

    Examples
    --------
    >>> parse_name("hf:org/name#toxic")
    ScorerName(family='hf', source='org/name', label='toxic')
    """
    family, _, rest = name.partition(":")
    if family == HUB:
        source, hash_, label = rest.partition("#")
        if source and (label or not hash_):
            return ScorerName(HUB, source, label or None)
        raise UsageError(
            f"scorer {name!r} names no checkpoint: write hf:ORG/NAME, hf:ORG/NAME#label or "
            f"hf:./folder#label"
        )
    if family == GUARD and rest:
        return ScorerName(GUARD, rest)
    if family == JUDGE and _RUBRIC.fullmatch(rest):
        return ScorerName(JUDGE, rest)
    raise UsageError(
        f"scorer {name!r} is none: write hf:ORG/NAME#label, guard:MODEL (what --model takes) or "
        f"judge:RUBRIC (a rubric's id, in small letters)"
    )
