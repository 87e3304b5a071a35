"""Reads the public training sets of the toxicity scorer into one list of labelled texts.

Every reader maps its set's own labels to one question, "is this text hateful, insulting,
threatening or otherwise abusive", and leaves out rows whose annotators disagree.
Used by ``train_toxicity.py``.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

csv.field_size_limit(10_000_000)

DATASETS = (
    {"id": "toxic_spans", "licence": "CC0-1.0", "hub": "heegyu/toxic_spans"},
    {"id": "paradetox", "licence": "CC0-1.0", "hub": "s-nlp/paradetox"},
    {"id": "hatexplain", "licence": "MIT", "hub": "Hate-speech-CNERG/hatexplain"},
    {"id": "toxigen", "licence": "MIT, CDLA-Permissive-2.0", "hub": "toxigen/toxigen-data"},
    {"id": "implicit_hate_subset", "licence": "MIT", "hub": "SALT-NLP/ImplicitHate"},
    {"id": "edos", "licence": "CC0-1.0", "hub": ""},
    {"id": "hatemoji", "licence": "CC-BY-4.0", "hub": "HannahRoseKirk/HatemojiBuild"},
    {"id": "convabuse", "licence": "CC-BY-4.0", "hub": ""},
    {"id": "davidson2017", "licence": "MIT", "hub": "tdavidson/hate_speech_offensive"},
    {"id": "context_toxicity", "licence": "Apache-2.0", "hub": ""},
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One training text: ``label`` is 1 for abusive, ``source`` the set it came from."""

    text: str
    label: int
    source: str


def table(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV or TSV file, gzipped or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=delimiter)


def normalised(text: str) -> str:
    """Return the text reduced to lower-case letters and digits, for finding duplicates."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def fingerprint(text: str) -> str:
    """Return a short digest of the normalised text; equal digests are duplicates."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]


def _clean(text: str) -> str:
    """Drop user names, links and the placeholders that the published sets put in their place."""
    text = re.sub(r"(https?://\S+|\[URL\]|\[USER\]|<user>|<number>|@\w+|&amp;|\bRT\b:?)", " ", text)
    return re.sub(r"\s+", " ", text).strip(' !:"')


def _spans_of(path: Path) -> Iterator[tuple[str, set[int]]]:
    for row in table(path):
        yield row["text"], set(ast.literal_eval(row["spans"]))


def _sentences(text: str, toxic: set[int]) -> Iterator[tuple[str, int]]:
    """Yield (sentence, 1 if it holds a marked character) for sentences of useful length."""
    for match in re.finditer(r"[^.!?\n]+[.!?]*", text):
        sentence = match.group().strip()
        if 20 <= len(sentence) <= 300:
            yield sentence, int(any(i in toxic for i in range(*match.span())))


def read_toxic_spans(folder: Path) -> Iterator[Labelled]:
    """Toxic posts whole as positives; their sentences without any marked span as negatives."""
    for name in ("tsd_train", "tsd_trial", "tsd_test"):
        for text, toxic in _spans_of(folder / "SemEval2021" / f"{name}.csv.gz"):
            if toxic:
                yield Labelled(text, 1, "toxic_spans")
            for sentence, label in _sentences(text, toxic):
                if toxic and sentence != text.strip():
                    yield Labelled(sentence, label, "toxic_spans_sentence")
    votes: dict[str, list[bool]] = defaultdict(list)
    for row in table(folder / "annotations.csv.gz"):
        votes[row["comment_id"]].append(row["not toxic"] == "True")
    for row in table(folder / "comments.csv.gz"):
        said = votes.get(row["comment_id"], [])
        if len(said) >= 2 and (all(said) or not any(said)):
            yield Labelled(row["comment_text"], int(not any(said)), "toxic_spans")


def read_paradetox(folder: Path) -> Iterator[Labelled]:
    """Toxic sentences and their neutral rewritings."""
    for row in table(folder / "paradetox.tsv", "\t"):
        yield Labelled(row["toxic"], 1, "paradetox")
        if row["neutral1"]:
            yield Labelled(row["neutral1"], 0, "paradetox")


def read_hatexplain(folder: Path) -> Iterator[Labelled]:
    """Hateful posts as positives, normal ones as negatives; "offensive" is left out as mixed."""
    for row in table(folder / "final_hateXplain.csv"):
        if row["label"] != "offensive":
            text = re.sub(r"<\w+>", " ", row["comment"])
            yield Labelled(_clean(text), int(row["label"] == "hatespeech"), "hatexplain")


def read_toxigen(folder: Path) -> Iterator[Labelled]:
    """Human-rated statements: mean harm above 3.3 of 5 positive, below 2.1 negative."""
    for row in table(folder / "toxigen_annotated_train.csv"):
        raw = ast.literal_eval(row["text"])
        rated = float(row["toxicity_human"])
        if rated > 3.3 or rated < 2.1:
            yield Labelled(raw.decode("utf-8", "replace"), int(rated > 3.3), "toxigen")


def read_implicit_hate(folder: Path) -> Iterator[Labelled]:
    """Implicitly hateful and neutral short posts."""
    for row in json.loads((folder / "implicitHate_safenlp.json").read_text(encoding="utf-8")):
        yield Labelled(row["text"], int(row["label"] == "hate"), "implicit_hate_subset")


def read_edos(folder: Path) -> Iterator[Labelled]:
    """Sexist posts as positives; the others are left out because they may be abusive otherwise."""
    for row in table(folder / "edos_labelled_aggregated.csv"):
        if row["label_sexist"] == "sexist":
            yield Labelled(_clean(row["text"]), 1, "edos")


def read_hatemoji(folder: Path) -> Iterator[Labelled]:
    """Adversarial hateful posts with emoji, and their harmless near-copies."""
    for part in ("train", "validation", "test"):
        for row in table(folder / "HatemojiBuild" / f"{part}.csv"):
            yield Labelled(row["text"], int(row["label_gold"]), "hatemoji")


def read_convabuse(folder: Path) -> Iterator[Labelled]:
    """Read what users say to conversational agents, where the annotators agree."""
    for part in ("train", "valid", "test"):
        for row in table(folder / f"ConvAbuseEMNLP{part}.csv"):
            said = [
                level
                for key, value in row.items()
                if "_is_abuse." in key and value in ("1", "1.0")
                for level in [int(key.rsplit(".", 1)[1])]
            ]
            if said and (min(said) >= 0 or max(said) < 0):
                yield Labelled(row["user"], int(max(said) < 0), "convabuse")


def read_davidson(folder: Path) -> Iterator[Labelled]:
    """Tweets: unanimous hate or offence as positives, unanimous "neither" as negatives."""
    for row in table(folder / "labeled_data.csv"):
        count = int(row["count"])
        if int(row["neither"]) == count or int(row["hate_speech"]) * 2 > count:
            yield Labelled(_clean(row["tweet"]), int(row["class"] != "2"), "davidson2017")
        elif int(row["offensive_language"]) == count and re.search(r"\byou\b", row["tweet"]):
            yield Labelled(_clean(row["tweet"]), 1, "davidson2017")


def read_context_toxicity(folder: Path) -> Iterator[Labelled]:
    """Talk-page comments: nearly all harmless."""
    for name in ("gn.csv", "gc.csv.gz"):
        for row in table(folder / name):
            machine = float(row["api"] or 0.5)
            if row["label"] == "1" or machine < 0.3:
                yield Labelled(row["text"], int(row["label"]), "context_toxicity")


READERS: dict[str, tuple[str, Callable[[Path], Iterator[Labelled]], int, int]] = {
    "toxic_spans": ("toxic_spans", read_toxic_spans, 7000, 6500),
    "paradetox": ("paradetox", read_paradetox, 3500, 4500),
    "hatexplain": ("hatexplain", read_hatexplain, 3000, 2500),
    "toxigen": ("toxigen", read_toxigen, 3000, 5000),
    "implicit_hate": ("implicit_hate_subset", read_implicit_hate, 1200, 1500),
    "edos": ("edos", read_edos, 1200, 0),
    "hatemoji": ("hatemoji", read_hatemoji, 3000, 3000),
    "convabuse": ("convabuse", read_convabuse, 600, 1200),
    "davidson": ("davidson2017", read_davidson, 2200, 2000),
    "context_toxicity": ("context_toxicity", read_context_toxicity, 300, 4000),
}


def held_out(folder: Path) -> set[str]:
    """Return the fingerprints of every text in the evaluation folder, to keep them out."""
    marks: set[str] = set()
    for path in sorted(folder.rglob("*.csv")):
        for row in table(path):
            marks.update(
                fingerprint(v) for v in row.values() if isinstance(v, str) and normalised(v)
            )
    return marks


def gather(
    train: Path, banned: set[str], rng: np.random.Generator, share: float = 1.0
) -> list[Labelled]:
    """Return the sampled, de-duplicated texts of all sets, none of them in ``banned``."""
    chosen: list[Labelled] = []
    seen = set(banned)
    for name, (folder, reader, *limits) in READERS.items():
        pool: dict[int, list[Labelled]] = {0: [], 1: []}
        for item in reader(train / folder):
            mark = fingerprint(item.text)
            if len(item.text) >= 3 and mark not in seen:
                seen.add(mark)
                pool[item.label].append(item)
        for label, limit in ((1, limits[0]), (0, limits[1])):
            rows, size = pool[label], min(len(pool[label]), int(limit * share))
            picked = rng.choice(len(rows), size, replace=False) if size else ()
            chosen += [rows[int(i)] for i in picked]
        if not any(pool.values()):
            raise SystemExit(f"{name}: no usable rows below {train / folder}")
    return chosen


def summary(items: list[Labelled]) -> dict[str, Any]:
    """Return, per source, how many texts and how many of them are positive."""
    counts: dict[str, dict[str, int]] = {}
    for item in items:
        entry = counts.setdefault(item.source, {"texts": 0, "positives": 0})
        entry["texts"] += 1
        entry["positives"] += item.label
    return counts
