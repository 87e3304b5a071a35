"""Keeps what a scorer gave carrier sentences in the user's cache, from one run to the next.

The sentences are the same in every run and a scorer with the same digest gives them the same, so
only the first run pays. Each run stores the scores as its own all the same. Scorers that need
nothing (rules) are not kept: they are as fast as a look-up, and while somebody writes one its
digest seldom changes as often as it does.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmaudit import resources
from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers import ScorerInput, ScorerOutput

_LOG = logging.getLogger(__name__)
_FORMAT = 1
_MOST_BYTES = 2**25
_LONGEST_LABEL = 100


class RememberedScores:
    """The remembered outputs of one scorer, by text and language.

    The file is not trusted: what is not a score that this scorer could have given is left out, and
    a file that cannot be read counts as empty. So does a folder that cannot be written to.

    Parameters
    ----------
    facts : ScorerFacts
    folder : Path, optional
        By default the one in the user's cache.
    """

    def __init__(self, facts: ScorerFacts, folder: Path | None = None) -> None:
        place = folder or resources.cache_dir() / "calibration"
        self._facts = facts
        self._path = place / f"{content_id({'scorer': facts.digest})}.json"
        self._kept: dict[str, ScorerOutput] = self._read() if self._worth_it else {}
        self._new: dict[str, ScorerOutput] = {}

    @property
    def _worth_it(self) -> bool:
        return self._facts.needs != "nothing"

    def find(self, given: ScorerInput) -> ScorerOutput | None:
        """Return what the scorer once gave this text, or None."""
        return self._kept.get(_key(given))

    def add(self, given: ScorerInput, output: ScorerOutput) -> None:
        """Remember an output; one without a value is not kept, since it may have been bad luck."""
        if self._worth_it and output.value is not None:
            self._new[_key(given)] = output

    def save(self) -> None:
        """Write what is new beside what another run may have written meanwhile."""
        if not self._new:
            return
        scores = {
            key: [output.value, output.label] for key, output in (self._read() | self._new).items()
        }
        content = {"format": _FORMAT, "scorer": self._facts.digest, "scores": scores}
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(content), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            _LOG.info("scores of carrier sentences are not kept in %s: %s", self._path, error)
        self._kept |= self._new
        self._new = {}

    def _read(self) -> dict[str, ScorerOutput]:
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return {}
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return self._valid(content)

    def _valid(self, content: Any) -> dict[str, ScorerOutput]:
        """Return those entries of a file that are scores of this scorer."""
        if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
            return {}
        scores = content.get("scores")
        if content.get("scorer") != self._facts.digest or not isinstance(scores, Mapping):
            return {}
        return {key: ScorerOutput(*entry) for key, entry in scores.items() if self._fits(entry)}

    def _fits(self, entry: Any) -> bool:
        if not isinstance(entry, list) or len(entry) != 2:
            return False
        value, label = entry
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self._facts.range
        named = label is None or (isinstance(label, str) and len(label) <= _LONGEST_LABEL)
        return named and math.isfinite(value) and low <= value <= high


def _key(given: ScorerInput) -> str:
    masked = {"masked": list(given.identity_terms)} if given.identity_terms else {}
    return content_id({"text": given.text, "language": given.language, **masked})
