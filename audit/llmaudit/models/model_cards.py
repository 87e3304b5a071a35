"""What a model folder says of itself: its card (README.md) and its configuration (config.json).

Both are whatever their author wrote, so they are read as hostile files: only so many bytes, no
aliases, no tags, plain text of limited length and nothing that a terminal would obey. What they say
stands behind what the registry says, and always with the file as its source.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.errors import InvalidFileError
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.yamlfile import parse_yaml

CARD_FILE, CONFIG_FILE = "README.md", "config.json"
CARD_SOURCE, CONFIG_SOURCE = f"model card ({CARD_FILE})", CONFIG_FILE
MAX_BYTES = 2**20
MAX_TEXT = 200
MAX_ITEMS = 200
MAX_NAMES = 20

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_SPACE = re.compile(r"\s+")
#: Keys of a card that make the hub ask for something before it gives the files.
_GATES = ("extra_gated_prompt", "extra_gated_heading", "extra_gated_fields")
_LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
#: Ends of architecture names, and the kind of model that each means.
_KINDS = (
    ("XLNetLMHeadModel", "permuted"),
    ("ForMaskedLM", "masked"),
    ("ForCausalLM", "causal"),
    ("LMHeadModel", "causal"),
)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a folder says of its model. None, or an empty tuple: it does not say.

    Attributes
    ----------
    licence, licence_class : str or None, str
        By the registry's name where it knows the licence; the card's word otherwise.
    gated : bool or None
        True where the card holds a form that the hub asks for; never False.
    base_models, data_sets, tags : tuple of str
        What it was made from, what it was trained on, and what it is filed under.
    task, architecture, kind : str or None
        The hub's task; the class that config.json names, and the kind of model that means.
    problem : str
        Why the card could not be read; empty where it could, or where there is none.
    """

    licence: str | None = None
    licence_class: str = "unknown"
    languages: tuple[str, ...] = ()
    gated: bool | None = None
    base_models: tuple[str, ...] = ()
    data_sets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    task: str | None = None
    architecture: str | None = None
    kind: str | None = None
    context_length: int | None = None
    problem: str = ""

    @property
    def training_data(self) -> str | None:
        """What the card says that the model was made from, as sentences; None for nothing."""
        said = (("Made from", self.base_models), ("Data sets named:", self.data_sets))
        return " ".join(f"{lead} {_enumerate(names)}." for lead, names in said if names) or None


def _enumerate(names: tuple[str, ...]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def read_card(folder: Path) -> ModelCard:
    """Read what a model folder says of its model; what cannot be read says nothing."""
    front, problem = _front_matter(folder)
    config = _config(folder)
    licence, licence_class = _licence(front)
    architecture = next(iter(_texts(config.get("architectures"))), None)
    return ModelCard(
        licence=licence,
        licence_class=licence_class,
        languages=_texts(front.get("language")),
        gated=True if any(key in front for key in _GATES) else None,
        base_models=_texts(front.get("base_model")),
        data_sets=_texts(front.get("datasets")),
        tags=_texts(front.get("tags")),
        task=_text(front.get("pipeline_tag")),
        architecture=architecture,
        kind=_kind(architecture),
        context_length=_context_length(config),
        problem=problem,
    )


def known_facts(entry: RegistryEntry | None, folder: Path) -> dict[str, Any]:
    """Return what is said of a model, by the fields of :class:`llmaudit.records.ModelFacts`.

    Parameters
    ----------
    entry : RegistryEntry or None
        What the registry says. It goes before what the folder says.
    folder : Path
        The model's folder; of an adapter its base's, whose card speaks of the base alone.
    """
    card = ModelCard() if entry and entry.adapter_of else read_card(folder)
    facts: dict[str, Any] = {"family": entry.family} if entry else {}
    if entry and entry.licence:
        facts |= _licence_facts(entry.licence.value, entry.licence_class, entry.licence.source)
    elif card.licence:
        facts |= _licence_facts(card.licence, card.licence_class, CARD_SOURCE)
    if entry and entry.languages:
        facts["languages"] = entry.languages.value
    elif card.languages:
        facts["languages"] = card.languages
    if entry and entry.training_data:
        facts["training_data"] = entry.training_data.value
        facts["training_data_source"] = str(entry.training_data.source)
        facts["training_data_disclosure"] = entry.training_data.disclosure
    elif card.training_data:
        facts["training_data"] = card.training_data
        facts["training_data_source"] = CARD_SOURCE
    issues = [f"{issue.value} ({issue.source})" for issue in entry.known_issues] if entry else []
    if card.problem:
        issues.append(f"Its model card could not be read: {card.problem}")
    return facts | {"known_issues": tuple(issues)}


def _licence_facts(name: str, licence_class: str, source: object) -> dict[str, str]:
    return {"licence": name, "licence_class": licence_class, "licence_source": str(source)}


def _front_matter(folder: Path) -> tuple[Mapping[str, Any], str]:
    """Return the card's front matter, and why it could not be read."""
    try:
        text = _read(folder / CARD_FILE).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}, ""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, ""
    try:
        front = parse_yaml(found[1], Path(CARD_FILE))
    except InvalidFileError as error:
        return {}, _text(str(error.problems[0])) or CARD_FILE
    return (front, "") if isinstance(front, dict) else ({}, "")


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(_read(folder / CONFIG_FILE))
    except (OSError, ValueError, RecursionError):
        return {}  # Loading the model says what is wrong with it.
    return config if isinstance(config, dict) else {}


def _read(path: Path) -> bytes:
    """Return the beginning of a regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path.name} is not a regular file")
    with path.open("rb") as stream:
        return stream.read(MAX_BYTES)


def _text(value: Any) -> str | None:
    """Return plain text: one line, nothing invisible, not long; None for anything else."""
    if not isinstance(value, str):
        return None
    line = _SPACE.sub(" ", value[: 4 * MAX_TEXT])
    plain = "".join(character for character in line if character.isprintable()).strip()
    return plain if len(plain) <= MAX_TEXT else plain[: MAX_TEXT - 1] + "…"


def _texts(value: Any) -> tuple[str, ...]:
    """Return the plain texts of a list, or the one text that stands for a list of one."""
    items = value[:MAX_ITEMS] if isinstance(value, list) else [value]
    return tuple(text for text in map(_text, items) if text)


def _licence(front: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the licence's name and class; ``other`` stands for the name that comes with it."""
    named = _texts(front.get("license"))
    if named == ("other",):
        named = _texts(front.get("license_name")) or named
    if not named or named == ("unknown",):
        return None, "unknown"
    known = load_registry().find_licence(named[0]) if len(named) == 1 else None
    return (known.name, known.licence_class) if known else (_text(", ".join(named)), "unknown")


def _kind(architecture: str | None) -> str | None:
    for end, kind in _KINDS:
        if architecture and architecture.endswith(end):
            return kind
    return None


def _context_length(config: Mapping[str, Any]) -> int | None:
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for key in _LENGTHS:
            length = part.get(key)
            if isinstance(length, int) and not isinstance(length, bool) and 0 < length < 10**9:
                return length
    return None
