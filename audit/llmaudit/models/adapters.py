"""Adapters: found, checked as hostile input, and put onto the network of their base model."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from llmaudit.errors import ModelError, UnknownNameError
from llmaudit.fetching import sha256_file
from llmaudit.models.hub import download_snapshot, local_snapshots, revision_note
from llmaudit.models.registry import load_registry
from llmaudit.models.weights import NO_TRUST, Trust, read_pickle
from llmaudit.records import AdapterFacts, WeightFile, canonical_json

CONFIG = "adapter_config.json"
_SAFE, _PICKLED = "adapter_model.safetensors", "adapter_model.bin"

#: Methods whose effect on every tensor can be computed once and added to the weights.
MERGED = frozenset({
    "ADALORA", "BOFT", "FOURIERFT", "HRA", "IA3", "LN_TUNING", "LOHA", "LOKR", "LORA", "MISS",
    "OFT", "RANDLORA", "SHIRA", "TRAINABLE_TOKENS", "VBLORA", "VERA",
})  # fmt: skip
#: Methods that stay beside the weights.
KEPT = frozenset({"ADAPTION_PROMPT"})
#: Methods that put learned vectors before every prompt; the engine has no place for them.
_PROMPT_METHODS = frozenset({
    "CARTRIDGE", "CPT", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING",
})  # fmt: skip
#: Settings that say how the adapter came to be, and nothing of what it computes.
_OF_TRAINING = frozenset({
    "auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "inference_mode",
    "kasa_config", "loftq_config", "lora_ga_config", "monteclora_config", "parent_library",
    "peft_type", "peft_version", "revision", "runtime_config", "velora_config",
})  # fmt: skip
#: Settings that must be empty: they import modules by name, copy layers, or change how a prompt is
#: read.
_REFUSED = frozenset({
    "alora_invocation_tokens", "arrow_config", "layer_replication", "megatron_config",
    "path_initial_model_for_weight_conversion", "use_bdlora",
})  # fmt: skip
#: Ways of starting an adapter that leave the base weights as they are.
_INITIALS = (None, True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class AdapterSource:
    """An adapter's files on this machine.

    Attributes
    ----------
    name, origin, revision : str
        As of a model source; never a path.
    folder : Path
    weights : WeightFile
    method : str
        A member of ``MERGED`` or ``KEPT``.
    declared_base : str
        The model that it says it was trained on.
    settings : mapping
        What it computes with, checked.
    """

    name: str
    folder: Path
    origin: str
    revision: str
    weights: WeightFile
    method: str
    declared_base: str
    settings: Mapping[str, Any]


def find_adapter(
    name: str, *, progress: Callable[[str], None] | None = None, trust: Trust = NO_TRUST
) -> AdapterSource:
    """Return the adapter that ``name`` stands for: a folder, or a hub id, cached or fetched.

    Raises
    ------
    UnknownNameError
        If it is neither.
    UnavailableError
        If it is not here and cannot be fetched.
    ModelError
        If it cannot be loaded safely.
    """
    found = find_local_adapter(name, trust)
    if found is not None:
        return found
    hub_id, short = _hub_names(name)
    folder = download_snapshot(hub_id, trust, progress)
    return read_adapter(folder, name=short, origin=hub_id, revision=folder.name, trust=trust)


def find_local_adapter(name: str, trust: Trust = NO_TRUST) -> AdapterSource | None:
    """Return the adapter that ``name`` stands for; None where it would have to be fetched.

    Raises
    ------
    UnknownNameError
        If it is neither a folder nor a hub id.
    ModelError
        If it cannot be loaded safely.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        own = path.resolve().name
        return read_adapter(path, name=own, origin=own, revision="unknown", trust=trust)
    hub_id, short = _hub_names(name)
    folder = _cached(hub_id, trust)
    if folder is None:
        return None
    return read_adapter(folder, name=short, origin=hub_id, revision=folder.name, trust=trust)


def _hub_names(name: str) -> tuple[str, str]:
    """Return an adapter's hub id and the short name that reports give it."""
    entry = load_registry().find(name)
    if entry is not None and entry.adapter_of is not None:
        name = entry.hub
    if name.count("/") != 1 or name.startswith((".", "~", "/")) or name.endswith("/"):
        known = [one.name for one in load_registry().models if one.adapter_of is not None]
        hint = "A folder or a hub id (organisation/adapter) works too."
        raise UnknownNameError("adapter", name, known, hint)
    return name, entry.name if entry else name.split("/")[1].lower()


def _cached(hub_id: str, trust: Trust) -> Path | None:
    """Return the cached snapshot of an adapter with its weights; None without one."""
    for folder in local_snapshots(hub_id):
        whole = (folder / _SAFE).is_file() or (trust.pickle and (folder / _PICKLED).is_file())
        if whole and (folder / CONFIG).is_file():
            return folder
    return None


def read_adapter(
    folder: Path, *, name: str, origin: str, revision: str, trust: Trust
) -> AdapterSource:
    """Read and check an adapter's settings, and find its weights.

    Raises
    ------
    ModelError
    """
    stored = _read_config(folder)
    method = str(stored.get("peft_type"))
    settings = check_settings(stored, method, origin)
    file = _weights_of(folder, trust)
    weights = WeightFile(file.name, file.stat().st_size, sha256_file(file))
    base = stored.get("base_model_name_or_path")
    declared = _hide_folder(base) if isinstance(base, str) and base else "unknown"
    return AdapterSource(name, folder, origin, revision, weights, method, declared, settings)


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        stored = json.loads((folder / CONFIG).read_text("utf-8"))
        if not isinstance(stored, dict):
            raise TypeError(f"expected an object, found {type(stored).__name__}")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder}: {CONFIG} cannot be read: {error!r}") from error
    return stored


def check_settings(stored: Mapping[str, Any], method: str, origin: str) -> dict[str, Any]:
    """Return the settings that decide what an adapter computes, each known and harmless.

    Raises
    ------
    ModelError
        If the method is unknown, or a setting would run code or cannot be honoured.
    """
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

    if method in _PROMPT_METHODS:
        raise ModelError(
            f"{origin} is an adapter of the kind {method}, which puts learned vectors before every "
            f"prompt. Only adapters that change the network's layers can be audited."
        )
    if method not in MERGED | KEPT:
        raise ModelError(
            f"{origin} is an adapter of the kind {method!r:.60}, which is not known here. Known: "
            f"{', '.join(sorted(MERGED | KEPT))}."
        )
    _refuse_foreign_code(stored, origin)
    known = {one.name for one in fields(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method)])}
    settings: dict[str, Any] = {}
    for name, value in stored.items():
        if name in _OF_TRAINING:
            continue
        if name not in known or name in _REFUSED:
            if value not in (None, False, [], {}):
                raise ModelError(
                    f"{origin}: {CONFIG} sets {name!r:.80}, which this version cannot honour. "
                    f"Merge the adapter into its base with the program that made it, and audit "
                    f"the merged model."
                )
            continue
        settings[name] = value
    return _plain_initial(settings, origin)


def _refuse_foreign_code(stored: Mapping[str, Any], origin: str) -> None:
    """Refuse an adapter for a network whose class stands outside transformers."""
    mapping = stored.get("auto_mapping")
    if not mapping:
        return
    library = mapping.get("parent_library") if isinstance(mapping, dict) else None
    if not isinstance(library, str) or library.split(".")[0] != "transformers":
        raise ModelError(
            f"{origin}: {CONFIG} names a network class in {library!r:.80} (auto_mapping). Code "
            f"named by an adapter is never imported."
        )


def _plain_initial(settings: dict[str, Any], origin: str) -> dict[str, Any]:
    """Leave out how training began; refuse what changed the base weights on the way."""
    for name in ("init_lora_weights", "init_weights"):
        value = settings.pop(name, None)
        if not any(value is one or value == one for one in _INITIALS):
            raise ModelError(
                f"{origin} was trained from {name} = {value!r:.40}, which changes the base weights "
                f"too. Convert it to a plain adapter, or merge it with the program that made it."
            )
    return settings


def _hide_folder(base: str) -> str:
    """Return a hub id as it is, and of a path its last part only."""
    plain = base.replace("\\", "/").rstrip("/")
    is_hub_id = plain.count("/") <= 1 and not plain.startswith(("/", ".", "~")) and ":" not in plain
    return plain if is_hub_id else plain.rsplit("/", 1)[-1]


def _weights_of(folder: Path, trust: Trust) -> Path:
    if (folder / _SAFE).is_file():
        return folder / _SAFE
    if not (folder / _PICKLED).is_file():
        raise ModelError(f"{folder} holds no {_SAFE}: the adapter has no weights.")
    if not trust.pickle:
        raise ModelError(
            f"{folder} holds {_PICKLED} and no {_SAFE}. Pickle files can run code when they are "
            f"read, so they are not loaded: convert it to safetensors first, or allow it with "
            f"--allow-pickle if you trust whoever made it."
        )
    return folder / _PICKLED


def apply_adapter(network: Any, adapter: AdapterSource, *, merge: bool) -> tuple[Any, str]:
    """Put an adapter onto its base network.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Changed in place.
    adapter : AdapterSource
    merge : bool
        Whether to add it to the weights where the method allows that.

    Returns
    -------
    (network, str)
        The network of the same class, and what became of the adapter, in words.

    Raises
    ------
    ModelError
        If the adapter does not fit the network, lacks weights or has some to spare.
    """
    from peft import PeftModel, set_peft_model_state_dict

    try:
        with warnings.catch_warnings():
            # peft warns where it makes up for a difference; here every difference is an error.
            warnings.simplefilter("ignore")
            config = _make_config(adapter)
            tuned: Any = PeftModel(network, config, low_cpu_mem_usage=True)
            state = _read_state(adapter)
            outcome: Any = set_peft_model_state_dict(tuned, state, low_cpu_mem_usage=True)
            _check_complete(tuned, outcome.unexpected_keys, adapter)
            if merge and adapter.method in MERGED:
                return tuned.merge_and_unload(safe_merge=True).eval(), "merged into the weights"
            return tuned.get_base_model().eval(), "kept beside the weights"
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"the adapter {adapter.origin} cannot be put onto this model "
            f"({type(error).__name__}: {error}). It may be made for another one: it says "
            f"{adapter.declared_base!r}."
        ) from error


def _make_config(adapter: AdapterSource) -> Any:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

    make = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(adapter.method)]
    return make(**adapter.settings, inference_mode=True)


def _read_state(adapter: AdapterSource) -> dict[str, Any]:
    file = adapter.folder / adapter.weights.name
    if file.suffix == ".bin":
        return read_pickle(file, device="cpu")
    from safetensors.torch import load_file

    state: dict[str, Any] = load_file(file)
    return state


def _check_complete(tuned: Any, unexpected: list[str], adapter: AdapterSource) -> None:
    """Refuse an adapter with weights that have no place, or places that have no weights."""
    if unexpected:
        raise ModelError(
            f"the adapter {adapter.origin} has {len(unexpected)} tensors that this model has no "
            f"place for, {unexpected[0]!r} among them: it was made for another model."
        )
    tensors = (*tuned.named_parameters(), *tuned.named_buffers())
    empty = [name for name, tensor in tensors if tensor.is_meta]
    if empty:
        raise ModelError(
            f"the adapter {adapter.origin} lacks {len(empty)} of its weights, {empty[0]!r} among "
            f"them: its files are incomplete."
        )


def describe_adapter(adapter: AdapterSource, *, base: str, applied: str) -> AdapterFacts:
    """Return the adapter as the run's facts hold it; ``base`` is the model that it was put on."""
    settings = {name: canonical_json(value) for name, value in sorted(adapter.settings.items())}
    return AdapterFacts(
        name=adapter.name,
        source=adapter.origin,
        revision=adapter.revision,
        kind=adapter.method,
        base=base,
        declared_base=adapter.declared_base,
        applied=applied,
        weights=(adapter.weights,),
        settings=settings,
    )


def lineage_notes(facts: AdapterFacts) -> tuple[str, ...]:
    """Return how the model came about, with what is unexpected of its base or revision."""
    lineage = f"Lineage: {facts.base}, with the adapter {facts.source} ({facts.kind}) "
    other = revision_note(facts.source, facts.revision)
    return tuple(filter(None, (f"{lineage}{facts.applied}.", base_warning(facts), other)))


def base_warning(facts: AdapterFacts) -> str:
    """Return what is wrong with the base that an adapter was put on; empty where nothing is.

    A folder, of which only the last part is known, counts as the hub's model of that name.
    """
    declared, base = facts.declared_base.casefold(), facts.base.casefold()
    if declared == "unknown":
        return "The adapter does not say which model it was trained on."
    both_on_hub = "/" in declared and "/" in base
    if declared == base or (not both_on_hub and _last(declared) == _last(base)):
        return ""
    return (
        f"The adapter says that it was trained on {facts.declared_base}, and it was put on "
        f"{facts.base}. Unless these are the same weights, the result is a model that nobody "
        f"trained."
    )


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]
