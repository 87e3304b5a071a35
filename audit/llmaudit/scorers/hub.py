"""Classifiers of the model hub, or of a folder: ``hf:ORG/NAME#label``.

Any checkpoint of transformers for texts or tokens, from safetensors, with the labels of its own
configuration. What it measures, nobody but its card can say; without one the construct is unknown.
Long texts are scored by overlapping windows and get the highest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from llmaudit.fetching import sha256_file
from llmaudit.records import ScorerFacts, content_id
from llmaudit.scorers.asked import CheckpointFiles, own_card
from llmaudit.scorers.base import (
    REASON_EMPTY,
    REASON_TOO_LONG,
    ScorerInput,
    ScorerOutput,
)
from llmaudit.scorers.hub_config import SEQUENCE, HubConfig, read_hub_config
from llmaudit.scorers.hub_network import Found, HubNetwork
from llmaudit.scorers.named import ScorerName

if TYPE_CHECKING:
    from llmaudit.scorers.scorer_cards import FoundCard, ScorerCard

VERSION = "1"
UNKNOWN = "unknown"
"""The construct of a checkpoint without a card, or of a label that its card does not count."""
THRESHOLD = 0.5
NONE = "none"
"""The label where no label that counts reaches the threshold."""

METHOD = "a classifier of the model hub, or of a folder, with its own labels"
NO_CARD = "No card says what its label measures, and on which texts it may be used."
CAVEATS = (
    "The highest window of a long text counts, so long texts score higher than short ones.",
    "What its training data was is said by the checkpoint's own page, if anywhere.",
)

#: The files beside the weights that decide what is computed.
_SETTINGS = ("*.json", "*.txt", "*.model")


class HubScorer:
    """Scores texts by the probability of a checkpoint's labels.

    Parameters
    ----------
    name : ScorerName
    files : CheckpointFiles
        Where the checkpoint lies.
    card : FoundCard or None

    Raises
    ------
    ScorerError
        If it is no classifier, has no labels, or cannot be loaded safely.
    UnknownNameError
        If a label is not one of its own; the message lists them.
    """

    def __init__(self, name: ScorerName, files: CheckpointFiles, card: FoundCard | None) -> None:
        config = check_hub(name, files, card)
        self._config = config
        self._network = HubNetwork(files, config, card.card.max_tokens if card else None)
        self.facts = _facts(name, files, card, config, self._network.length)

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return probability and label of every input."""
        texts = list(dict.fromkeys(one.text for one in inputs))
        found = dict(zip(texts, self._network.score(texts), strict=True))
        return [self._output(found[one.text]) for one in inputs]

    def _output(self, found: Found | int) -> ScorerOutput:
        if isinstance(found, int):
            return ScorerOutput(None, reason=REASON_TOO_LONG if found else REASON_EMPTY)
        threshold = self.facts.threshold or THRESHOLD
        named = self._config.exclusive and self._config.kind == SEQUENCE
        shown = named or found.value >= threshold
        return ScorerOutput(
            found.value, label=self._config.name_of(found.output) if shown else NONE
        )


def check_hub(name: ScorerName, files: CheckpointFiles, card: FoundCard | None) -> HubConfig:
    """Return what the checkpoint's configuration says; raises as `HubScorer`, loads no weights."""
    return read_hub_config(files.folder, files.origin, card.card if card else None, name.label)


def hub_facts(name: ScorerName, card: FoundCard | None) -> ScorerFacts:
    """Return what is known of a checkpoint before it is loaded; the digest is not."""
    known = card.card if card and _is_counted(name, card.card) else None
    if known is None:
        labels = f"label {name.label}" if name.label else "a label"
        said = f"Probability of {labels} of {name.source}; no card says what that measures."
    else:
        said = known.description
    facts = ScorerFacts(
        name=name.public,
        version=VERSION,
        digest="",
        construct=known.construct_name if known else UNKNOWN,
        range=(0.0, 1.0),
        higher_is=known.higher_is if known else "neutral",
        languages=card.card.languages if card else ("any",),
        licence=card.card.licence if card else "unknown",
        description=hide_folder(said, name),
        threshold=card.card.threshold if card else THRESHOLD,
        needs="files",
    )
    evaluation = known.evaluation if known else {}
    caveats = CAVEATS if card else (NO_CARD, *CAVEATS)
    return replace(facts, card=own_card(facts, METHOD, evaluation=evaluation, caveats=caveats))


def hide_folder(text: str, name: ScorerName) -> str:
    """Return a text that names a checkpoint's folder by its last part only."""
    return text.replace(name.source, name.public.partition(":")[2].partition("#")[0])


def _is_counted(name: ScorerName, card: ScorerCard) -> bool:
    """Say whether the card speaks of what is scored: a label that it does not count is not its."""
    return name.label is None or name.label in card.positive


def _facts(
    name: ScorerName,
    files: CheckpointFiles,
    card: FoundCard | None,
    config: HubConfig,
    length: int,
) -> ScorerFacts:
    facts = hub_facts(name, card)
    settings = sorted({file for one in _SETTINGS for file in files.folder.glob(one)})
    counted = [config.labels[place] for place in config.positive]
    identity = {
        "scorer": "hub",
        "version": VERSION,
        "transformers": version("transformers"),
        "weights": [one.sha256 for one in files.weights],
        "settings": {file.name: sha256_file(file) for file in settings if file.is_file()},
        "kind": config.kind,
        "labels": list(config.labels),
        "positive": counted,
        "exclusive": config.exclusive,
        "length": length,
        "construct": facts.construct,
        "threshold": facts.threshold,
    }
    described = {
        "checkpoint": {
            "card": card.where if card else "none",
            "origin": files.origin,
            "revision": files.revision,
            "labels": list(config.labels),
            "counted": counted,
            "activation": "softmax" if config.exclusive else "sigmoid",
            "window_tokens": length,
            "device": files.device,
        }
    }
    return replace(
        facts,
        digest=content_id(identity),
        version=f"{VERSION} (revision {files.revision})",
        files=files.weights,
        card={**facts.card, **described},
    )
