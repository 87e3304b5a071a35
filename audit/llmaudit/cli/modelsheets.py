"""What ``llmaudit list models`` and ``llmaudit show model`` tell of models, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmaudit.models.model_cards import ModelCard
    from llmaudit.models.registry import Registry, RegistryEntry

_GIB = 2**30
#: What a model is called and what it is, in the order it is told.
_NAMES = (
    *("name", "aliases", "hub", "revision", "family", "kind"),
    *("adapter_of", "adapter_base", "here"),
)
#: Facts that have a source each; what nobody has stated is unknown.
_FACTS = (
    "parameters",
    "context_length",
    "licence",
    "gated",
    "languages",
    "prompt_format",
    "training_data",
)


def list_models() -> list[dict[str, Any]]:
    """Return every model of the registry, by family and size, with all that is said of it."""
    from llmaudit.models.local import is_here
    from llmaudit.models.registry import load_registry

    registry = load_registry()
    rows = [describe_entry(entry, registry) | {"here": is_here(entry)} for entry in registry.models]
    return sorted(rows, key=_by_family_and_size)


def _by_family_and_size(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["family"].casefold(), (row["parameters"] or {"value": 0})["value"], row["name"]


def describe_entry(entry: RegistryEntry, registry: Registry) -> dict[str, Any]:
    """Return what the registry says of a model; ``adapter_base`` is the hub id behind the name."""
    said = entry.model_dump(mode="json", exclude=None if entry.wheel else {"wheel"})
    adapted = said.pop("adapter_of")
    base = registry.find(adapted) if adapted else None
    first = {key: said[key] for key in ("name", "aliases", "hub", "revision", "family", "kind")}
    if adapted:
        first |= {"adapter_of": adapted, "adapter_base": base.hub if base else adapted}
    memory = entry.memory_bytes
    return first | {"memory_bytes": dict(memory) if memory else None} | said


def describe_model(name: str) -> dict[str, Any]:
    """Return all that is known of a model without loading or fetching it.

    What the registry does not say is taken from the model card and the configuration of the folder
    that the model lies in, where it is on this machine.

    Parameters
    ----------
    name : str
        A registry name or alias, a hub id, a folder or a ``.gguf`` file.

    Raises
    ------
    UnknownNameError
        If it is none of these.
    """
    from llmaudit.models.local import find_local, is_here
    from llmaudit.models.model_cards import ModelCard, read_card
    from llmaudit.models.registry import load_registry, weight_memory

    local = find_local(name)
    card = read_card(local.folder) if local.folder else ModelCard()
    if local.entry is not None:
        sheet = describe_entry(local.entry, load_registry()) | {"here": is_here(local.entry)}
    else:
        sheet = _unlisted(name) | {"here": local.folder is not None}
        counted = _counted(local.folder)
        sheet |= {"kind": card.kind, "parameters": counted}
        sheet["memory_bytes"] = dict(weight_memory(counted["value"])) if counted else None
    return _fill_in(sheet, card)


def _unlisted(name: str) -> dict[str, Any]:
    """Return the sheet of a model that is not in the registry: all unknown but its name."""
    path = Path(name).expanduser()
    hub = None if path.exists() else name
    names = {"name": path.resolve().name if path.exists() else name.split("/")[-1].lower()}
    nothing = dict.fromkeys(_FACTS)
    return names | {"hub": hub, "family": None, **nothing, "licence_class": "unknown"}


def _counted(folder: Path | None) -> dict[str, Any] | None:
    """Return the number of weights in a folder; None where its files do not say."""
    from llmaudit.errors import AuditError
    from llmaudit.models.weights import count_parameters

    try:
        count = count_parameters(folder) if folder else 0
    except AuditError:
        return None
    return {"value": count, "source": "weights"} if count else None


def _fill_in(sheet: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    """Put what the folder says where the sheet says nothing, and what only the folder knows."""
    from llmaudit.models.model_cards import CARD_SOURCE, CONFIG_SOURCE

    if sheet["licence"] is None and card.licence:
        sheet["licence_class"] = card.licence_class
    for key, value, source in (
        ("licence", card.licence, CARD_SOURCE),
        ("gated", card.gated, CARD_SOURCE),
        ("languages", list(card.languages), CARD_SOURCE),
        ("training_data", card.training_data, CARD_SOURCE),
        ("context_length", card.context_length, CONFIG_SOURCE),
    ):
        if sheet[key] is None and value:
            sheet[key] = {"value": value, "source": source}
    sheet["card"] = {
        "architecture": card.architecture,
        "task": card.task,
        "made_from": list(card.base_models),
        "tags": list(card.tags),
        "problem": card.problem or None,
    }
    return sheet


def summarise_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table of models shows of one."""
    size, gated, trained = row["parameters"], row["gated"], row["training_data"]
    return {
        "name": row["name"],
        "family": row["family"],
        "kind": "adapter" if "adapter_of" in row else row["kind"],
        "size": describe_size(size["value"]) if size else None,
        "licence": row["licence_class"],
        "gated": gated["value"] if gated else None,
        "here": row["here"],
        "data": trained["disclosure"] if trained else None,
    }


def describe_sheet(sheet: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sheet for people: each fact in one line with its source behind it."""
    facts = {key: _tell(sheet[key]) if sheet[key] else None for key in _FACTS}
    trained = sheet["training_data"] or {}
    card = {key: value for key, value in sheet.get("card", {}).items() if value}
    return {
        **{key: sheet[key] for key in _NAMES if key in sheet},
        "parameters": facts["parameters"],
        "memory of the weights alone": _tell_memory(sheet.get("memory_bytes")),
        "context_length": facts["context_length"],
        "licence": facts["licence"],
        "licence_class": sheet["licence_class"],
        **{key: sheet[key] for key in ("licence_text",) if sheet.get(key)},
        **{key: facts[key] for key in ("gated", "languages", "prompt_format")},
        "disclosure of training data": trained.get("disclosure"),
        "training_data": facts["training_data"],
        "known_issues": [_tell(issue) for issue in sheet.get("known_issues", ())],
        "its own files say": card,
        "wheel": sheet.get("wheel", {}),
    }


def _tell_memory(sizes: Mapping[str, int] | None) -> str | None:
    if sizes is None:
        return None
    return ", ".join(f"{_tell_bytes(size)} as {name}" for name, size in sizes.items())


def _tell_bytes(size: int) -> str:
    return f"{size / _GIB:,.1f} GiB" if size >= _GIB else f"{size / 2**20:,.0f} MiB"


def _tell(fact: Mapping[str, Any]) -> str:
    value = fact["value"]
    if isinstance(value, list):
        value = ", ".join(value)
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, int):
        value = f"{value:,}"
    return f"{value} [{fact['source']}]"


def describe_size(parameters: int) -> str:
    """Return a number of parameters as people say it.

    Examples
    --------
    >>> describe_size(134_515_008), describe_size(1_235_814_400), describe_size(70_553_706_496)
    ('135M', '1.2B', '71B')
    """
    if parameters < 999_500_000:
        return f"{parameters / 1e6:.0f}M"
    billions = parameters / 1e9
    return f"{billions:.1f}B" if billions < 10 else f"{billions:.0f}B"
