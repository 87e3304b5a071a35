"""The pieces that the models of probe sets, lexicons and wrappers share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT = 20_000

_WORD = "[a-z0-9]+(-[a-z0-9]+)*"
IDENTIFIER = re.compile(_WORD)
"""What an id may be."""

_MARKS = "\u0300-\u036f\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0962\u0963\u200c\u200d"
LETTERS = rf"(?:[^\W\d_]|[{_MARKS}])+"
"""A pattern of a run of letters with their marks, such as the vowel signs of Hindi and Arabic."""

Identifier = Annotated[str, Field(pattern=f"^{_WORD}$", max_length=80)]
AxisName = Annotated[str, Field(pattern=rf"^{_WORD}(\*{_WORD})?$", max_length=80)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
VersionText = Annotated[str, Field(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")]
Text = Annotated[str, Field(pattern=r"\S", max_length=MAX_TEXT)]


class Part(BaseModel):
    """A mapping of a file: no unknown keys, and no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    """One fact or figure that a file uses, and where it comes from."""

    claim: Text
    source: Text


def main_language(tag: str) -> str:
    """Return the first part of a BCP 47 tag: ``pt`` of ``pt-BR``."""
    return tag.partition("-")[0]
