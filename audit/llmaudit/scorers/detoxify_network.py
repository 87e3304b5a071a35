"""The network of a Detoxify checkpoint: built by the library, fed with batches of equal texts.

The library pads every text of a call to the longest of all. Here texts are sorted by length and
put into batches of a token budget with next to no padding, and the matrix products are made by
oneDNN from weights in its own order. The probabilities are those of ``Detoxify.predict``; with
products in bfloat16, which must be asked for, they are near them.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from llmaudit.fetching import sha256_file
from llmaudit.records import content_id
from llmaudit.scorers.detoxify_building import build_network, check_variant, pack_network
from llmaudit.scorers.detoxify_checkpoint import Checkpoint, read_checkpoint
from llmaudit.scorers.detoxify_files import base_files
from llmaudit.scorers.detoxify_variants import Variant
from llmaudit.scorers.encoder import can_pack, multiplies_narrow

if TYPE_CHECKING:
    import torch

OVERLAP = 64
MOST_WINDOWS = 256
BATCH_TOKENS = 2048
MOST_PADDING = 1 / 16
"""The largest share of a batch that may be padding."""
MOST_KEPT = 200_000
"""Of how many texts the results are kept, for scorers of other labels."""

_loaded: WeakValueDictionary[str, DetoxifyNetwork] = WeakValueDictionary()


class DetoxifyNetwork:
    """Tokenizer and network: texts to one probability per class.

    Parameters
    ----------
    content : Checkpoint
    path : Path
        Where it was read, for messages.
    folder : Path
        Holds configuration and tokenizer of its base.
    narrow : bool
        Make the matrix products in bfloat16; :func:`can_narrow` says whether this machine can.

    Raises
    ------
    ScorerError
        If the parts do not fit each other.
    """

    def __init__(
        self, content: Checkpoint, path: Path, folder: Path, *, narrow: bool = False
    ) -> None:
        self.classes = content.classes
        self._model, self._tokenizer, self._length = build_network(content, path, folder)
        self._kept: dict[bytes, array[float] | None] = {}
        if can_pack():
            pack_network(self._model, narrow=narrow)

    def probabilities(self, texts: Sequence[str]) -> list[Sequence[float] | None]:
        """Return every text's probability of each class; None for one of too many windows.

        A text that the network cannot read at once gets of each class the highest probability of
        its overlapping windows; NaN where any window gives NaN.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        found = dict(zip(new, self._compute(list(new.values())), strict=True)) if new else {}
        results = [self._kept[key] if key in self._kept else found[key] for key in keys]
        if len(self._kept) + len(found) <= MOST_KEPT:
            self._kept |= found
        return list(results)

    def _compute(self, texts: Sequence[str]) -> list[array[float] | None]:
        encoded = self._tokenizer(
            list(texts),
            truncation=True,
            max_length=self._length,
            stride=min(OVERLAP, self._length // 4),
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        owners: list[int] = encoded["overflow_to_sample_mapping"]
        counts = [0] * len(texts)
        for owner in owners:
            counts[owner] += 1
        kept = [place for place, owner in enumerate(owners) if counts[owner] <= MOST_WINDOWS]
        rows = [encoded["input_ids"][place] for place in kept]
        highest: list[array[float] | None] = [None] * len(texts)
        for place, row in zip(kept, self._score_rows(rows), strict=True):
            known = highest[owners[place]]
            highest[owners[place]] = array("f", row if known is None else map(_higher, known, row))
        return highest

    def _score_rows(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return the probabilities of every row of tokens, computed in batches of like length."""
        import torch

        values: list[list[float]] = [[]] * len(rows)
        with torch.inference_mode():
            for chosen in _batches([len(row) for row in rows]):
                found = torch.sigmoid(self._forward([rows[i] for i in chosen]))
                for i, row in zip(chosen, found[:, : len(self.classes)].tolist(), strict=True):
                    values[i] = row
        return values

    def _forward(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return one batch's logits; without a mask where nothing is padded."""
        import torch

        width = len(rows[0])
        padding = self._tokenizer.pad_token_id
        ids = torch.tensor([[*row, *([padding] * (width - len(row)))] for row in rows])
        mask = None
        if len(rows[-1]) < width:
            places = torch.arange(width)
            mask = (places < torch.tensor([[len(row)] for row in rows])).long()
        logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask)[0]
        return logits


def can_narrow() -> bool:
    """Say whether this machine multiplies faster in bfloat16."""
    return can_pack() and multiplies_narrow()


def load_network(
    variant: Variant, path: Path, folder: Path, *, narrow: bool = False
) -> tuple[DetoxifyNetwork, str]:
    """Return the network of a checkpoint, and the digest of all files it is made of.

    Scorers of several labels share one network, which computes a text once.

    Raises
    ------
    ScorerError
        If the checkpoint is unsafe, damaged, another variant's, or does not fit its base.
    """
    files = {file.name: sha256_file(file) for file in base_files(folder)}
    digest = content_id({"weights": sha256_file(path), "base": files})
    key = f"{digest} {variant.file} {narrow}"
    network = _loaded.get(key)
    if network is None:
        content = read_checkpoint(path)
        check_variant(content, variant, path, folder)
        network = DetoxifyNetwork(content, path, folder, narrow=narrow)
        _loaded[key] = network
    return network, digest


def _higher(one: float, other: float) -> float:
    """Return the higher of two numbers, and NaN where either is."""
    return one if one != one or one >= other else other


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of rows that are computed together, longest first."""
    chosen: list[int] = []
    tokens = 0
    for place in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        width = lengths[chosen[0]] if chosen else lengths[place]
        full = (len(chosen) + 1) * width
        padding = full - tokens - lengths[place]
        if chosen and (full > BATCH_TOKENS or padding > MOST_PADDING * full):
            yield chosen
            chosen, tokens = [], 0
        chosen.append(place)
        tokens += lengths[place]
    if chosen:
        yield chosen
