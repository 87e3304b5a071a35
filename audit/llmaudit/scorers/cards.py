"""The cards that ship with the scorers: what each is for, what it was made from, how wrong it is.

A card is a JSON object with the keys of ``FIELDS``. What several scorers have in common stands in
the card of one, which the others ``extends``; no figure is taken over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmaudit.errors import ScorerError, UsageError
from llmaudit.records import ScorerFacts

WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
"""Folder of the weights and cards inside the package."""

FIELDS: Mapping[str, type] = {
    "name": str,
    "construct": str,
    "intended_use": str,
    "languages": list,
    "licence": str,
    "method": str,
    "training_data": list,
    "evaluation": dict,
    "caveats": list,
}
"""What every card says.

``training_data`` names the sets that anything in it was fitted on, each with ``id`` and
``licence``: none for rules. ``evaluation`` has an entry for every set it was measured on, each
with ``source`` and ``n``; where it is empty, ``not_measured`` says why. ``caveats`` are its
limits.
"""

NOT_MEASURED = "not_measured"
_TAKEN_OVER = (
    *("languages", "licence", "method", "base", "training_data", "training_texts", "settings"),
    "caveats",
)
UNKNOWN = "unknown"


def load_card(name: str) -> dict[str, Any]:
    """Return the card of a shipped scorer, ``weights/NAME-card.json``.

    Raises
    ------
    ScorerError
        If the file is not there or is not a JSON object: the installation is damaged.
    """
    card = load_shipped_json(f"{name}-card.json")
    return _completed(card)


def _completed(card: dict[str, Any]) -> dict[str, Any]:
    """Return a card with what it takes over from the one that it extends."""
    if "extends" not in card:
        return card
    shared = load_card(str(card["extends"]))
    said = {key: value for key, value in card.items() if key != "extends"}
    return {key: shared[key] for key in _TAKEN_OVER if key in shared} | said


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


def card_faults(card: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a card lacks or has in the wrong form, one sentence each."""
    for field, kind in FIELDS.items():
        if field not in card:
            yield f"{field} is missing"
        elif not isinstance(card[field], kind):
            yield f"{field} is a {type(card[field]).__name__}, not a {kind.__name__}"
        elif kind is str and not card[field].strip():
            yield f"{field} is empty"
    for place, source in enumerate(_entries(card, "training_data", list), 1):
        if not isinstance(source, Mapping) or not {"id", "licence"} <= source.keys():
            yield f"training_data {place} needs id and licence"
    evaluation = card.get("evaluation")
    if isinstance(evaluation, Mapping):
        yield from _evaluation_faults(evaluation)
        if not evaluation and not card.get(NOT_MEASURED):
            yield f"evaluation is empty and {NOT_MEASURED} does not say why"


def _entries(card: Mapping[str, Any], field: str, kind: type) -> Any:
    found = card.get(field)
    return found if isinstance(found, kind) else ()


def _evaluation_faults(evaluation: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in evaluation.items():
        if not isinstance(entry, Mapping) or not _has_size(entry):
            yield f"evaluation {name!r} needs n, how many texts it was measured on"
        elif not entry.get("source"):
            yield f"evaluation {name!r} needs source, where these texts come from"


def _has_size(entry: Mapping[str, Any]) -> bool:
    """Say whether an entry says its size, or a part of it does."""
    if any(key == "n" or key.startswith("n_") for key in entry):
        return True
    return any(_has_size(one) for one in entry.values() if isinstance(one, Mapping))


def read_card(path: Path) -> dict[str, Any]:
    """Return a card from a file, to be written again.

    Raises
    ------
    UsageError
        If it cannot be read or is no card; the message says all that is wrong.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a scorer card: {error}") from error
    if not isinstance(card, dict):
        raise UsageError(f"{path} is no scorer card: it holds no JSON object")
    faults = list(card_faults(_completed(card)))
    if faults:
        raise UsageError(f"{path} is no scorer card: {'; '.join(faults)}")
    return card


def begin_card(facts: ScorerFacts) -> dict[str, Any]:
    """Return a card for a scorer: its own, else one with what its facts say."""
    said: dict[str, Any] = {
        "name": facts.name,
        "construct": facts.construct,
        "intended_use": facts.description,
        "languages": list(facts.languages),
        "licence": facts.licence,
        "method": UNKNOWN,
        "training_data": [],
        "evaluation": {},
        "caveats": [],
    }
    return said | dict(facts.card)


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write a card, numbers to four digits after the point.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    text = json.dumps(rounded(card), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def rounded(value: Any) -> Any:
    """Return plain data with every fraction rounded to four digits."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
