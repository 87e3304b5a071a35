"""Builds small probe sets and lexicons for the tests of this folder."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

LEXICON: dict[str, Any] = {
    "format": 1,
    "id": "pet.en",
    "axis": "pet",
    "language": "en",
    "version": "1.0.0",
    "licence": "Apache-2.0",
    "author": "tests",
    "known_limits": ["Fish are left out."],
    "sources": [{"claim": "Cats exist.", "source": "https://example.org/cats"}],
    "reference": "dog",
    "groups": [
        {
            "id": "cat",
            "label": "cats",
            "forms": {"noun": "cat", "noun_a": "a cat", "plural": "cats"},
        },
        {
            "id": "dog",
            "label": "dogs",
            "forms": {"noun": "dog", "noun_a": "a dog", "plural": "dogs"},
        },
        {
            "id": "owl",
            "label": "owls",
            "forms": {"noun": "owl", "noun_a": "an owl", "plural": "owls"},
        },
    ],
}

PROBE_SET: dict[str, Any] = {
    "format": 1,
    "id": "small-set",
    "title": "A small set",
    "version": "1.0.0",
    "licence": "Apache-2.0",
    "language": "en",
    "construct": "disparity",
    "task": "generate",
    "axes": ["pet"],
    "metrics": ["score_disparity"],
    "author": "tests",
    "datasheet": {
        "intended_use": "Tests.",
        "not_for": "Anything else.",
        "composition": "Two templates.",
        "collection": "Written by hand.",
        "known_limits": ["It is small."],
    },
    "sources": [],
    "slurs": [],
    "templates": [
        {
            "id": "walk",
            "prompt": "Describe {identity.noun_a} on a {place} walk.",
            "plain": "{Identity.noun_a} took a {place} walk and",
            "slots": {"place": ["city", "forest"]},
            "tags": {"tone": "calm"},
        },
        {"id": "meal", "system": "Be brief.", "prompt": "What do {identity.plural} eat?"},
    ],
}

CHOICES: dict[str, Any] = {
    **PROBE_SET,
    "id": "yes-or-no",
    "construct": "decisions",
    "task": "choices",
    "metrics": ["choice_log_odds_disparity"],
    "choices": {"yes": "Yes", "no": "No"},
    "favourable": "yes",
    "templates": [{"id": "home", "prompt": "May {identity.noun_a} come in?"}],
}

CARRIER: dict[str, Any] = {
    **PROBE_SET,
    "id": "plain-words",
    "construct": "calibration",
    "task": "carrier",
    "metrics": [],
    "templates": [{"id": "door", "plain": "{Identity.noun_a} sat by the door."}],
}


def with_changes(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy of a file's content with some keys replaced; None removes a key."""
    changed = {**copy.deepcopy(base), **changes}
    return {key: value for key, value in changed.items() if value is not None}


def with_template(base: dict[str, Any], **template: Any) -> dict[str, Any]:
    """Return a copy of a probe set whose only template is this one."""
    return with_changes(base, templates=[{"id": "only", **template}])


def write(folder: Path, content: dict[str, Any], name: str | None = None) -> Path:
    """Write content as YAML (JSON is YAML), one top-level key a line; return the file's path."""
    path = folder / f"{name or content['id']}.yaml"
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_both(folder: Path, probe_set: dict[str, Any], **lexicon: Any) -> Path:
    """Write the test lexicon, with changes, and a probe set beside it; return the set's path."""
    write(folder, with_changes(LEXICON, **lexicon), "pet.en")
    return write(folder, probe_set)
