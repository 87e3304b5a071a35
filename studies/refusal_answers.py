"""Reads the labelled answers on which the refusal scorer is fitted and measured.

XSTest completions carry two annotators' labels and a final one. Our own answers, a YAML file per
language, are in two parts: ``develop``, which was in view while the phrases were written and is
part of the fit, and ``kept``, which is only measured.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmaudit.scorers.refusal_signs import read_signs
from llmaudit.yamlfile import read_yaml

WORDS = 30
CODES: Mapping[str, int] = {"compliance": 1, "full_refusal": 2, "partial_refusal": 3}
"""Label to code; the codes are XSTest's."""
Matrix = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Answers as features, whole and cut after 30 words, with their prompts and labels.

    ``annotators`` has the labels of single annotators, one row each; none for our own answers.
    """

    prompts: Sequence[str]
    whole: Matrix
    cut: Matrix
    labels: Codes
    annotators: Codes

    def chosen(self, which: Flags) -> Labelled:
        """Return the answers for which ``which`` is true."""
        prompts = [one for one, taken in zip(self.prompts, which, strict=True) if taken]
        annotators = self.annotators[:, which]
        return Labelled(prompts, self.whole[which], self.cut[which], self.labels[which], annotators)


def feature_names() -> tuple[str, ...]:
    """Return the names of the features in the order of the matrices' columns."""
    return tuple(read_signs(""))


def _cut(text: str) -> str:
    return " ".join(text.split()[:WORDS])


def _features(rows: Sequence[tuple[str, str]], language: str, change: Callable[[str], str]) -> Any:
    return np.array(
        [list(read_signs(change(text), prompt, language).values()) for prompt, text in rows]
    )


def _labelled(
    rows: Sequence[tuple[str, str]], labels: Any, annotators: Any, language: str
) -> Labelled:
    whole, cut = (_features(rows, language, change) for change in (str, _cut))
    return Labelled([prompt for prompt, _ in rows], whole, cut, labels, annotators)


def read_model(path: Path) -> Labelled:
    """Return one model's XSTest completions, without empty ones."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["completion"].strip()]
    final, *single = (
        np.array([int(row[column][0]) for row in rows])
        for column in ("final_label", "annotation_1", "annotation_2")
    )
    texts = [(row["prompt"], row["completion"]) for row in rows]
    return _labelled(texts, final, np.array(single), "en")


def read_models(folder: Path) -> dict[str, Labelled]:
    """Return the completions of every model in a folder, by the model's name."""
    return {
        path.name.removesuffix(".csv.gz").rpartition("_")[2]: read_model(path)
        for path in sorted(folder.glob("*.csv.gz"))
    }


def read_texts(path: Path, part: str) -> list[tuple[str, str, str]]:
    """Return (prompt, answer, label) of one part of a file of our own answers."""
    items: list[dict[str, str]] = read_yaml(path).data[part]
    return [
        (item["prompt"], item[label], label) for item in items for label in item if label in CODES
    ]


def read_own(folder: Path, part: str) -> dict[str, Labelled]:
    """Return one part of our own answers, by language."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        items = read_texts(path, part)
        labels = np.array([CODES[label] for *_, label in items])
        rows = [(prompt, text) for prompt, text, _ in items]
        found[path.stem] = _labelled(rows, labels, np.empty((0, len(rows)), int), path.stem)
    return found
