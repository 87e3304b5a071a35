"""Sentences as vectors: the plain all-MiniLM-L6-v2, as published, without a head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmaudit.errors import ScorerError
from llmaudit.scorers.adapters import read_base
from llmaudit.scorers.encoder import fixed_encoder

MOST_PIECES = 96
"""Word pieces of a sentence that are read."""
_BATCH = 64


class SentenceEncoder:
    """Turns sentences into vectors: the mean of their words' last states.

    Parameters
    ----------
    folder : Path
        Holds the base model.

    Raises
    ------
    ScorerError
        If the folder does not hold a BERT encoder.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        tensors, shape = read_base(folder)
        try:
            self._encoder = fixed_encoder(tensors, shape)
        except KeyError as error:
            raise ScorerError(f"{folder} lacks the tensor {error}: fetch the base again") from error
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        ends = (self._tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))
        self._ends: list[int] = [one for one in ends if one is not None]

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.means(["a"]).shape[1])

    def means(self, sentences: Sequence[str]) -> NDArray[np.float64]:
        """Return one row per sentence, shape (sentences, width)."""
        import torch

        first, last = self._ends
        found = self._tokenizer.encode_batch(list(sentences), add_special_tokens=False)
        rows = [[first, *one.ids[:MOST_PIECES], last] for one in found]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        parts = []
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                chosen = order[start : start + _BATCH]
                # The encoder gives the first, the mean and the largest state side by side.
                parts.append(self._encoder.pooled([rows[i] for i in chosen]).chunk(3, dim=1)[1])
        means = np.empty((len(rows), parts[0].shape[1]))
        means[order] = torch.cat(parts).numpy()
        return means
