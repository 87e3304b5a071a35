"""What a classifier's own configuration says: its task, its labels, whether one excludes others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import ScorerError, UnknownNameError

if TYPE_CHECKING:
    from llmaudit.scorers.scorer_cards import ScorerCard

SEQUENCE, TOKENS = "classifier", "tokens"
#: Kind to the end of the architectures that have it, and to transformers' table of model types.
_TASKS: Mapping[str, tuple[str, str]] = {
    SEQUENCE: ("ForSequenceClassification", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"),
    TOKENS: ("ForTokenClassification", "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES"),
}
_PLACES = frozenset("BIELSU")
_OUTSIDE = "O"


@dataclass(frozen=True, slots=True)
class HubConfig:
    """A classifier, as its configuration and its card describe it.

    Attributes
    ----------
    kind : str
        ``classifier`` for one verdict per text, ``tokens`` for one per token.
    labels : tuple of str
        By the number of the network's output; of tokens with their prefixes (``B-``).
    exclusive : bool
        Whether the probabilities add up to 1 (softmax), or each stands for itself (sigmoid).
    positive : tuple of int
        The outputs that count.
    """

    kind: str
    labels: tuple[str, ...]
    exclusive: bool
    positive: tuple[int, ...]

    def name_of(self, output: int) -> str:
        """Return the label of an output, without the prefix that says where a span begins."""
        return _bare(self.labels[output]) if self.kind == TOKENS else self.labels[output]


def read_hub_config(
    folder: Path, origin: str, card: ScorerCard | None, label: str | None
) -> HubConfig:
    """Read the configuration of a checkpoint, and hold card and label against it.

    Parameters
    ----------
    folder : Path
    origin : str
        What messages call it.
    card : ScorerCard or None
    label : str or None
        The one label that counts, if the user named one.

    Raises
    ------
    ScorerError
        If it is no classifier, needs code of its own, or has no labels.
    UnknownNameError
        If a label is not one of its own.
    UsageError
        If neither card nor user says which labels count.
    """
    config = _read_json(folder / "config.json", origin)
    kind = _find_kind(config, origin)
    if card is not None and card.kind != kind:
        raise ScorerError(
            f"the card says that {origin} is of kind {card.kind!r}, but its configuration is of "
            f"one of kind {kind!r}: correct 'kind'"
        )
    labels = _find_labels(config, origin, card)
    exclusive = kind == TOKENS or _is_exclusive(config, origin, card, len(labels))
    wanted = (label,) if label is not None else card.positive if card else ()
    found = HubConfig(kind, labels, exclusive, ())
    known = _known(found)
    if not wanted:
        raise ScorerError(
            f"{origin} has no card, so name the label that counts: hf:{origin}#{known[0]}. Its "
            f"labels: {', '.join(known)}. Or write a card, see docs/scorers.md."
        )
    return HubConfig(kind, labels, exclusive, _places(found, wanted, known, origin))


def _read_json(path: Path, origin: str) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ScorerError(f"{origin}: {path.name} cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise ScorerError(f"{origin}: {path.name} does not hold a JSON object")
    return loaded


def _find_kind(config: Mapping[str, Any], origin: str) -> str:
    """Return which task the checkpoint was made for; its own code never decides it."""
    from transformers.models.auto import modeling_auto

    named = config.get("architectures")
    names = [str(one) for one in named] if isinstance(named, list) else []
    model_type = str(config.get("model_type"))
    for kind, (ending, table) in _TASKS.items():
        if any(name.endswith(ending) for name in names):
            if model_type in getattr(modeling_auto, table):
                return kind
            code = "needs code of its own" if config.get("auto_map") else "is of an unknown kind"
            raise ScorerError(
                f"{origin} {code} (model type {model_type!r}): code that comes with a scorer is "
                f"never run"
            )
    raise ScorerError(
        f"{origin} is a {', '.join(names) or 'checkpoint of unknown architecture'}, not a "
        f"classifier of texts or tokens. A generative guard needs a card with 'kind: guard'."
    )


def _find_labels(
    config: Mapping[str, Any], origin: str, card: ScorerCard | None
) -> tuple[str, ...]:
    """Return the labels by output, renamed as the card says."""
    renamed = dict(card.labels) if card else {}
    listed = config.get("id2label")
    if isinstance(listed, dict) and listed:
        own = [str(listed.get(str(place))) for place in range(len(listed))]
        if "None" in own:
            raise ScorerError(f"{origin}: id2label in config.json does not count from 0: {listed}")
    else:
        own = [f"LABEL_{place}" for place in range(len(renamed))]
        if not own or set(own) != set(renamed):
            raise ScorerError(
                f"{origin}: config.json has no labels (id2label). Write a card with 'labels' for "
                f"all outputs in order: {{LABEL_0: ..., LABEL_1: ...}}"
            )
    for name in renamed:
        if name not in own:
            raise UnknownNameError(f"label of {origin}", name, own)
    labels = tuple(renamed.get(name, name) for name in own)
    if len(set(labels)) < len(labels):
        raise ScorerError(f"{origin}: two outputs have the same label: {', '.join(labels)}")
    return labels


def _is_exclusive(
    config: Mapping[str, Any], origin: str, card: ScorerCard | None, count: int
) -> bool:
    """Say whether the labels exclude each other; as transformers' own pipeline decides it."""
    if card is not None and card.activation is not None:
        return card.activation == "softmax"
    problem = config.get("problem_type")
    if problem == "regression":
        raise ScorerError(
            f"{origin} was trained to give a number and no probability (problem_type: regression). "
            f"If its outputs are logits all the same, say so by 'activation' in a card."
        )
    return problem != "multi_label_classification" and count > 1


def _bare(label: str) -> str:
    """Return a token's label without the prefix that says where its span begins or ends."""
    place, dash, name = label.partition("-")
    return name if dash and place in _PLACES else label


def _known(config: HubConfig) -> list[str]:
    """Return the labels as users write them."""
    names = dict.fromkeys(config.name_of(place) for place in range(len(config.labels)))
    return [name for name in names if config.kind != TOKENS or name != _OUTSIDE]


def _places(
    config: HubConfig, wanted: Sequence[str], known: Sequence[str], origin: str
) -> tuple[int, ...]:
    for name in wanted:
        if name not in known:
            raise UnknownNameError(f"label of {origin}", name, known)
    return tuple(
        place for place in range(len(config.labels)) if config.name_of(place) in set(wanted)
    )
