"""Reads the public training sets of the toxicity scorer, each with its own labels and faults.

Every reader maps its set's labels to one question, "is this text hateful, insulting, threatening
or otherwise abusive", as a number from 0 to 1 where annotators were counted or gave grades, and
says how much a text of this kind is to weigh. Sorts of abuse are given where the set tells them.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

csv.field_size_limit(10_000_000)

SORTS = ("severe", "identity_attack", "insult", "threat", "sexual")
"""Sorts of abuse that the scorer learns beside toxicity as such."""

NONE = dict.fromkeys(SORTS, 0.0)

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
    """One training text: how abusive it is (0 to 1), its weight, its source, and known sorts."""

    text: str
    target: float
    source: str
    weight: float = 1.0
    sorts: Mapping[str, float] = field(default_factory=dict)


def table(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV or TSV file, gzipped or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=delimiter)


def clean(text: str) -> str:
    """Drop user names, links and the placeholders that the published sets put in their place."""
    text = re.sub(r"(https?://\S+|\[URL\]|\[USER\]|<\w+>|@\w+|&amp;|&#\d+;|\bRT\b:?)", " ", text)
    return re.sub(r"\s+", " ", text).strip(' !:"')


def read_toxic_spans(folder: Path) -> Iterator[Labelled]:
    """Comments that were chosen as toxic, by the share of annotators who agree.

    "Not toxic" is a noisy negative here, so nothing goes below 0.3. What remains of a post without
    its marked sentences is harmless text of the same kind.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    for row in table(folder / "spans.csv.gz"):
        kinds[row["annotation"]].append(row["type"])
    votes: dict[str, list[tuple[bool, list[str]]]] = defaultdict(list)
    for row in table(folder / "annotations.csv.gz"):
        votes[row["comment_id"]].append((row["not toxic"] == "True", kinds[row["annotation"]]))
    for row in table(folder / "comments.csv.gz"):
        said = votes.get(row["comment_id"], [])
        if len(said) >= 2:
            agreed = sum(not denied for denied, _ in said) / len(said)
            found = {
                sort: sum(any(one.startswith(name) for one in marks) for _, marks in said)
                / len(said)
                for sort, name in (
                    ("insult", "Insult"), ("identity_attack", "Identity"), ("threat", "Threat")
                )
            }  # fmt: skip
            yield Labelled(row["comment_text"], 0.3 + 0.7 * agreed, "toxic_spans", 0.8, found)
    for name in ("tsd_train", "tsd_trial", "tsd_test"):
        for row in table(folder / "SemEval2021" / f"{name}.csv.gz"):
            yield from _parts_of(row["text"], set(ast.literal_eval(row["spans"])))


def _parts_of(text: str, toxic: set[int]) -> Iterator[Labelled]:
    """Yield a post's marked sentences one by one, and its unmarked ones together."""
    if not toxic:
        return
    calm = []
    for match in re.finditer(r"[^.!?\n]+[.!?]*", text):
        sentence = match.group().strip()
        if any(i in toxic for i in range(*match.span())):
            if 20 <= len(sentence) < len(text.strip()):
                yield Labelled(sentence, 0.95, "toxic_spans_sentence", 0.7)
        elif len(sentence) >= 15:
            calm.append(sentence)
    for start in range(0, len(calm), 3):
        yield Labelled(" ".join(calm[start : start + 3]), 0.08, "toxic_spans_rest", 1.0)


def read_paradetox(folder: Path) -> Iterator[Labelled]:
    """Toxic sentences, their neutral rewritings, and the sentences that had none."""
    for row in table(folder / "paradetox.tsv", "\t"):
        yield Labelled(row["toxic"], 0.95, "paradetox")
        for name in ("neutral1", "neutral2"):
            if row[name]:
                yield Labelled(row[name], 0.05, "paradetox", 0.8, NONE)
    for row in table(folder / "paradetox_cannot_rewrite.tsv", "\t"):
        text, reasons = row["INPUT:toxic_comment"].strip('"'), row["OUTPUT:reasons"]
        if reasons == '{"toxic_content":true}':
            yield Labelled(text, 0.9, "paradetox_kept", 0.7)
        elif reasons == '{"not_toxic":true}':
            yield Labelled(text, 0.15, "paradetox_kept", 0.7)


def read_hatexplain(folder: Path) -> Iterator[Labelled]:
    """Read posts by majority: hateful, offensive, normal."""
    targets = {"hatespeech": (0.97, 1.0), "offensive": (0.75, 0.4), "normal": (0.08, 0.8)}
    for row in table(folder / "final_hateXplain.csv"):
        target, weight = targets[row["label"]]
        sorts = {"hatespeech": {"identity_attack": 1.0}, "normal": NONE}.get(row["label"], {})
        yield Labelled(clean(row["comment"]), target, "hatexplain", weight, sorts)


def read_toxigen(folder: Path) -> Iterator[Labelled]:
    """Statements about groups with people's mean grade of harm from 1 to 5."""
    for row in table(folder / "toxigen_annotated_train.csv"):
        raw = ast.literal_eval(row["text"])
        yield _graded(raw.decode("utf-8", "replace"), float(row["toxicity_human"]))
    for row in json.loads((folder / "toxigen_safenlp_subset.json").read_text(encoding="utf-8")):
        yield _graded(row["text"].replace("_x000D_", ""), float(row["toxicity_score"]))


def _graded(text: str, grade: float) -> Labelled:
    target = min(max((grade - 1.5) / 2.5, 0.03), 0.97)
    weight = 0.6 if 2.2 < grade < 3.3 else 1.0
    return Labelled(text.strip(" -"), target, "toxigen", weight, {"identity_attack": target})


def read_implicit_hate(folder: Path) -> Iterator[Labelled]:
    """Implicitly hateful and neutral short posts; noisy in both directions."""
    for row in json.loads((folder / "implicitHate_safenlp.json").read_text(encoding="utf-8")):
        hate = row["label"] == "hate"
        sorts = {"identity_attack": 0.8 if hate else 0.0}
        yield Labelled(row["text"], 0.8 if hate else 0.1, "implicit_hate_subset", 0.5, sorts)


def read_edos(folder: Path) -> Iterator[Labelled]:
    """Sexist posts; the others may be abusive otherwise and are left out."""
    for row in table(folder / "edos_labelled_aggregated.csv"):
        if row["label_sexist"] == "sexist":
            kind = row["label_vector"]
            sorts = {
                "identity_attack": float(kind[0] in "12"),
                "threat": float(kind[0] == "1"),
                "sexual": float(kind.startswith("2.3")),
            }
            yield Labelled(clean(row["text"]), 0.92, "edos", 0.8, sorts)


def read_hatemoji(folder: Path) -> Iterator[Labelled]:
    """Adversarial hateful posts with emoji, and their harmless near-copies."""
    for part in ("train", "validation", "test"):
        for row in table(folder / "HatemojiBuild" / f"{part}.csv"):
            hate = row["label_gold"] == "1"
            sorts = {
                "identity_attack": float(hate),
                "threat": float(row["type"].startswith("threat")),
            }
            yield Labelled(row["text"], 0.97 if hate else 0.03, "hatemoji", 1.0, sorts)


def read_convabuse(folder: Path) -> Iterator[Labelled]:
    """Read what users say to conversational agents, by the share of annotators who see abuse."""
    for part in ("train", "valid", "test"):
        for row in table(folder / f"ConvAbuseEMNLP{part}.csv"):
            said = {key for key, value in row.items() if value in ("1", "1.0")}
            grades = [int(key.rsplit(".", 1)[1]) for key in said if "_is_abuse." in key]
            if not grades:
                continue
            count = len(grades)
            sorts = {
                "severe": sum(grade <= -3 for grade in grades) / count,
                "sexual": min(1.0, sum(key.endswith("_sex_harassment") for key in said) / count),
                "insult": min(1.0, sum(key.endswith("_intellectual") for key in said) / count),
            }
            share = sum(grade < 0 for grade in grades) / count
            yield Labelled(row["user"], 0.03 + 0.94 * share, "convabuse", 1.0, sorts)


def read_davidson(folder: Path) -> Iterator[Labelled]:
    """Tweets by votes; "offensive" holds everyday words of some dialects, so it counts less."""
    for row in table(folder / "labeled_data.csv"):
        count = int(row["count"])
        hate, neither = int(row["hate_speech"]) / count, int(row["neither"]) / count
        addressed = re.search(r"\b(you|your|u|ur)\b", row["tweet"].lower()) is not None
        offence = (1 - hate - neither) * (0.85 if addressed else 0.6)
        weight = 1.0 if hate > 0.5 or neither > 0.9 else 0.5 if addressed else 0.15
        sorts = {"identity_attack": hate}
        target = min(max(hate + offence, 0.03), 0.97)
        yield Labelled(clean(row["tweet"]), target, "davidson2017", weight, sorts)


def read_context_toxicity(folder: Path) -> Iterator[Labelled]:
    """Talk-page comments, nearly all harmless, with the grade that a published scorer gave."""
    for name in ("gn.csv", "gc.csv.gz"):
        for row in table(folder / name):
            machine = float(row["api"] or 0.1)
            target = 0.9 if row["label"] == "1" else 0.7 * machine
            sorts = NONE if target < 0.15 else {}
            yield Labelled(row["text"], target, "context_toxicity", 0.8, sorts)


READERS: dict[str, tuple[Callable[[Path], Iterator[Labelled]], int, int]] = {
    "toxic_spans": (read_toxic_spans, 22000, 12000),
    "paradetox": (read_paradetox, 17000, 13000),
    "hatexplain": (read_hatexplain, 9000, 7000),
    "toxigen": (read_toxigen, 6000, 6000),
    "implicit_hate_subset": (read_implicit_hate, 4000, 4500),
    "edos": (read_edos, 3500, 0),
    "hatemoji": (read_hatemoji, 6000, 6000),
    "convabuse": (read_convabuse, 3000, 3000),
    "davidson2017": (read_davidson, 7000, 4200),
    "context_toxicity": (read_context_toxicity, 400, 11000),
}
"""Folder to its reader and to how many texts above and below 0.5 are taken at most."""
