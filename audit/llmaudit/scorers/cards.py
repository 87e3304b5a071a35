"""Reads the cards that ship with the scorers: what was measured, and on which data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmaudit.errors import ScorerError

WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
"""Folder of the weights and cards inside the package."""


def load_card(name: str) -> dict[str, Any]:
    """Return the card of a shipped scorer, ``weights/NAME-card.json``.

    Raises
    ------
    ScorerError
        If the file is not there or is not a JSON object: the installation is damaged.
    """
    return load_shipped_json(f"{name}-card.json")


def load_shipped_json(file_name: str) -> dict[str, Any]:
    """Return a JSON object that ships in the weights folder.

    Raises
    ------
    ScorerError
        If the file is not there or is not a JSON object.
    """
    path = WEIGHTS_DIR / file_name
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScorerError(f"{path} cannot be read ({error}): install llmaudit again") from error
    if not isinstance(loaded, dict):
        raise ScorerError(f"{path} does not hold a JSON object: install llmaudit again")
    return loaded
