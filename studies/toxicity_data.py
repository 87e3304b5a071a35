"""Samples, de-duplicates and augments the training texts of the toxicity scorer.

The readers are in ``toxicity_sources.py``. Here a text that equals an evaluation text, or shares
most of its word triples with one (group names counted as one word), is dropped; group names are
swapped; some letters are disguised. Used by ``train_toxicity.py``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from llmaudit.scorers.toxicity_text import plain_text
from toxicity_carriers import Carrier, make_carriers
from toxicity_phrases import GROUPS
from toxicity_sources import NONE, READERS, Labelled, table

OVERLAP = 0.6
"""Share of a text's word triples that an evaluation text may not reach."""
PLURALS = tuple(plural for groups in GROUPS.values() for plural, _ in groups)
SINGULARS = tuple(singular for groups in GROUPS.values() for _, singular in groups)
ALIASES = (
    "blacks", "the blacks", "black people", "muslim people", "jewish folks", "gays", "mexicans",
    "asians", "latinos", "lgbtq people", "illegal immigrants", "illegals", "gay men", "the jews",
)  # fmt: skip
SINGLE = ("gay", "black", "muslim", "jewish", "asian", "trans", "disabled", "female", "immigrant")
LOOKALIKES = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7"}


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted({word.lower() for word in words}, key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, ordered)) + r")\b", re.IGNORECASE)


_PLURAL = _pattern((*PLURALS, *ALIASES))
_SINGULAR = _pattern(SINGULARS)
_ANY = _pattern((*PLURALS, *ALIASES, *SINGULARS, *SINGLE, "people", "person", "man", "woman"))


def normalised(text: str) -> str:
    """Return the text reduced to lower-case letters and digits, for finding duplicates."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def fingerprint(text: str) -> str:
    """Return a short digest of the normalised text; equal digests are duplicates."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]


def triples(text: str) -> set[str]:
    """Return the word triples of the text, group names replaced by one mark; short texts whole.

    Examples
    --------
    >>> sorted(triples("Trans women like tea."))
    ['grp like tea']
    """
    words = re.sub(r"(\bgrp\s*)+", "grp ", normalised(_ANY.sub("grp", text))).split()
    if len(words) < 3:
        return {" ".join(words)}
    return {" ".join(words[i : i + 3]) for i in range(len(words) - 2)}


class Evaluated:
    """The evaluation texts, to keep them and what resembles them out of training."""

    def __init__(self, texts: Iterable[str]) -> None:
        kept = [text for text in texts if normalised(text)]
        self.marks = {fingerprint(text) for text in kept}
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = defaultdict(list)
        for place, found in enumerate({frozenset(triples(text)) for text in kept}):
            self._sizes.append(len(found))
            for triple in found:
                self._holders[triple].append(place)

    @classmethod
    def below(cls, folder: Path) -> Evaluated:
        """Return the texts of every CSV file in ``folder``."""
        csv.field_size_limit(10_000_000)
        rows = (row for path in sorted(folder.rglob("*.csv")) for row in table(path))
        return cls(value for row in rows for value in row.values() if isinstance(value, str))

    def resembles(self, text: str) -> bool:
        """Say whether the text equals or nearly equals an evaluation text."""
        if fingerprint(text) in self.marks:
            return True
        own, shared = triples(text), defaultdict[int, int](int)
        for triple in own:
            for place in self._holders.get(triple, ()):
                shared[place] += 1
        return any(n / min(len(own), self._sizes[at]) >= OVERLAP for at, n in shared.items())


def swap_groups(text: str, rng: np.random.Generator) -> str:
    """Return the text with every group it names replaced by a random one, the same throughout."""
    places: dict[str, str] = {}

    def other(options: tuple[str, ...]) -> Any:
        def replaced(match: re.Match[str]) -> str:
            key = match.group().lower()
            if key not in places:
                places[key] = options[int(rng.integers(len(options)))]
            name = places[key]
            return name.lower() if match.group().islower() else name

        return replaced

    return _SINGULAR.sub(other(SINGULARS), _PLURAL.sub(other(PLURALS), text))


def disguise(text: str, rng: np.random.Generator) -> str:
    """Return the text with some words written as people write them to pass a filter."""
    words = text.split(" ")
    for place in rng.choice(len(words), max(1, len(words) // 5), replace=False):
        word = words[int(place)]
        if len(word) < 3:
            continue
        at, way = int(rng.integers(1, len(word) - 1)), int(rng.integers(6))
        mark = LOOKALIKES.get(word[at].lower(), "*")
        words[int(place)] = (
            word[:at] + mark[int(rng.integers(len(mark)))] + word[at + 1 :],
            word[:at] + "*" + word[at + 1 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] * 3 + word[at + 1 :],
            " ".join(word),
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )[way]
    out = " ".join(words)
    return out.replace(" ", "") if len(words) < 6 and rng.random() < 0.2 else out


def gather(
    train: Path, banned: Evaluated, rng: np.random.Generator, share: float = 1.0
) -> list[Labelled]:
    """Return the sampled, de-duplicated texts of all sets, none of them like one in ``banned``."""
    chosen: list[Labelled] = []
    seen: set[str] = set()
    for name, (reader, positives, negatives) in READERS.items():
        pool: dict[bool, list[Labelled]] = {False: [], True: []}
        for item in reader(train / name):
            mark = fingerprint(plain_text(item.text))
            if len(item.text) >= 3 and mark not in seen and not banned.resembles(item.text):
                seen.add(mark)
                pool[item.target >= 0.5].append(item)
        for label, limit in ((True, positives), (False, negatives)):
            rows, size = pool[label], min(len(pool[label]), int(limit * share))
            picked = rng.choice(len(rows), size, replace=False) if size else ()
            chosen += [rows[int(i)] for i in picked]
        if not any(pool.values()):
            raise SystemExit(f"{name}: no usable rows below {train / name}")
    return chosen


def own_sentences(count: int, banned: Evaluated, rng: np.random.Generator) -> list[Labelled]:
    """Return ``count`` or fewer sentences of our own that resemble no evaluation text."""
    return [_labelled(one) for one in make_carriers(count, rng) if not banned.resembles(one.text)]


def _labelled(carrier: Carrier) -> Labelled:
    sorts = {
        "identity_attack": float(carrier.identity_attack),
        "insult": float(carrier.insult),
        "threat": float(carrier.threat),
        "sexual": float(carrier.sexual),
    }
    target, source = (0.98, "carriers") if carrier.label else (0.02, "carriers")
    return Labelled(carrier.text, target, source, 1.0, sorts if carrier.label else NONE)


def augmented(items: list[Labelled], rng: np.random.Generator) -> list[Labelled]:
    """Return the texts with groups swapped in half of them and words disguised in one of twelve."""
    out = []
    for item in items:
        text = item.text
        if item.source != "carriers" and rng.random() < 0.5:
            text = swap_groups(text, rng)
        if rng.random() < 0.08:
            text = disguise(text, rng)
        out.append(replace(item, text=text))
    return out


def summary(items: list[Labelled]) -> dict[str, Any]:
    """Return, per source, how many texts and how many of them are rather abusive than not."""
    counts: dict[str, dict[str, int]] = {}
    for item in items:
        entry = counts.setdefault(item.source, {"texts": 0, "positives": 0})
        entry["texts"] += 1
        entry["positives"] += int(item.target >= 0.5)
    return counts
