"""Measures a scorer on labelled texts, on neutral sentences about groups, and against the clock.

    python studies/measure_scorers.py --scorer toxicity --data hatecheck=FILE civil=FILE --card CARD

A data file is a CSV with a text column (``text``, ``example`` or ``test_case``), a label column
(``label``, ``label_gold`` or ``toxicity``; 1, toxic, hateful or a number from 0.5 on is positive)
and optionally a group column (``group`` or ``target_ident``). With ``--card`` the figures are
written into that JSON file beside what it already says. Texts the scorer cannot score are counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from identity_shift import carrier_texts, measure_mixing, measure_shift, own_texts
from llmaudit.scorers import Scorer, ScorerInput, load_scorer, score_safely

csv.field_size_limit(10_000_000)
WORDS = ("the", "a", "report", "of", "our", "city", "says", "that", "many", "people", "like", "old")
POSITIVE = {"1", "1.0", "toxic", "hateful", "true", "hate"}
NEGATIVE = {"0", "0.0", "not toxic", "non-hateful", "false", "neutral"}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text; ``group`` is empty where none is named."""

    text: str
    label: int
    group: str


def read_rows(path: Path, construct: str = "toxicity") -> list[Row]:
    """Return the labelled texts of a CSV file; a column of the construct's name is its label."""
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    text = _column(path, table[0], "text", "example", "test_case")
    label = _column(path, table[0], "label", "label_gold", construct, f"{construct}_explicit")
    return [
        Row(row[text], _label(row[label]), row.get("group") or row.get("target_ident") or "")
        for row in table
    ]


def _column(path: Path, row: dict[str, str], *names: str) -> str:
    for name in names:
        if name in row:
            return name
    raise SystemExit(f"{path}: none of the columns {', '.join(names)}")


def _label(value: str) -> int:
    if value.strip().lower() in POSITIVE:
        return 1
    return 0 if value.strip().lower() in NEGATIVE else int(float(value) >= 0.5)


def score_all(scorer: Scorer, texts: Sequence[str]) -> list[float | None]:
    """Return one value per text, None where the scorer has none."""
    values: list[float | None] = []
    for start in range(0, len(texts), 256):
        batch = [ScorerInput(text, "", "en") for text in texts[start : start + 256]]
        values += [output.value for output in score_safely(scorer, batch)]
    return values


def calibration_error(labels: np.ndarray, values: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error over equally wide bins."""
    place = np.minimum((values * bins).astype(int), bins - 1)
    gaps = [
        abs(labels[place == b].mean() - values[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def measure(
    rows: Sequence[Row], values: Sequence[float | None], threshold: float
) -> dict[str, Any]:
    """Return AUC and the rest, over all rows and by group where groups are named."""
    scored = [(row, value) for row, value in zip(rows, values, strict=True) if value is not None]
    labels = np.array([row.label for row, _ in scored])
    found = np.array([value for _, value in scored])
    groups = np.array([row.group for row, _ in scored])
    said = found >= threshold
    figures: dict[str, Any] = {
        "n": len(rows),
        "unscored": len(rows) - len(scored),
        "positives": int(labels.sum()),
        "auc": roc_auc_score(labels, found),
        "pr_auc": average_precision_score(labels, found),
        "threshold": threshold,
        "sensitivity": said[labels == 1].mean(),
        "specificity": (~said[labels == 0]).mean(),
        "ece": calibration_error(labels, found),
        "brier": float(((found - labels) ** 2).mean()),
    }
    by_group = {
        group: measure_group(labels, found, groups == group)
        for group in sorted(set(groups) - {""})
        if 0 < labels[groups == group].sum() < (groups == group).sum()
    }
    rounded = {k: round(float(v), 4) if not isinstance(v, int) else v for k, v in figures.items()}
    return {**rounded, **({"groups": by_group} if by_group else {})}


def measure_group(labels: np.ndarray, values: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    """Return subgroup, BPSN and BNSP AUC (Borkan et al. 2019) of one group."""

    def auc(chosen: np.ndarray) -> float:
        return round(float(roc_auc_score(labels[chosen], values[chosen])), 4)

    return {
        "n": int(inside.sum()),
        "subgroup_auc": auc(inside),
        "bpsn_auc": auc((inside & (labels == 0)) | (~inside & (labels == 1))),
        "bnsp_auc": auc((inside & (labels == 1)) | (~inside & (labels == 0))),
    }


def measure_speed(scorer: Scorer, threads: int, count: int = 600) -> dict[str, Any]:
    """Return texts per second on made-up texts of about 25 word pieces."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 23)) + "." for _ in range(count)]
    score_all(scorer, texts[:64])
    started, used = time.perf_counter(), time.process_time()
    score_all(scorer, texts)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    return {
        "texts_per_second": round(count / seconds, 1),
        "texts_per_cpu_second": round(count / cpu_seconds, 1),
        "tokens_per_text": 26,
        "threads": threads,
        "machine": platform.processor() or platform.machine(),
    }


def print_table(name: str, figures: dict[str, Any]) -> None:
    """Print one data file's figures and those of its groups."""
    line = " ".join(f"{key} {value}" for key, value in figures.items() if key != "groups")
    print(f"{name}: {line}")
    for group, values in figures.get("groups", {}).items():
        print(f"  {group}: " + " ".join(f"{key} {value}" for key, value in values.items()))


def _merged(known: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """Return the card with the new figures; evaluation sets not measured now are kept."""
    evaluation = {**known.get("evaluation", {}), **measured["evaluation"]}
    return {**known, **measured, "evaluation": evaluation}


def gather_files(named: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files by set name; ``name=FILE`` may come twice to join files."""
    sets: dict[str, list[Path]] = defaultdict(list)
    for one in named:
        name, _, file = one.rpartition("=")
        sets[name or Path(file).stem].append(Path(file))
    return sets


def measure_files(scorer: Scorer, named: Sequence[str], threshold: float) -> dict[str, Any]:
    """Return the figures of every labelled file; a sort of abuse is named beside the file."""
    _, _, sort = scorer.facts.name.partition(":")
    found: dict[str, Any] = {}
    for name, files in gather_files(named).items():
        rows = [row for file in files for row in read_rows(file, scorer.facts.construct)]
        values = score_all(scorer, [row.text for row in rows])
        found[f"{name}, {sort}" if sort else name] = measure(rows, values, threshold)
    for name, figures in found.items():
        print_table(name, figures)
    return {"evaluation": found}


def measure_groups(scorer: Scorer, carriers: Path | None) -> dict[str, Any]:
    """Return the identity shift on our sentences and a probe set's, and the mixed AUCs."""
    texts = {"identity_shift": own_texts()}
    if carriers:
        texts[f"identity_shift_{carriers.stem.replace('-', '_')}"] = carrier_texts(carriers)

    def score(filled: Sequence[str]) -> list[float | None]:
        return score_all(scorer, filled)

    found = {name: measure_shift(one, score) for name, one in texts.items()}
    found["identity_mixing"] = measure_mixing(score)
    print(json.dumps(found, indent=1))
    return found


def main() -> None:
    """Load the scorer, measure it, print, and update the card."""
    parser = argparse.ArgumentParser(description="Measure a scorer on labelled texts.")
    parser.add_argument("--scorer", required=True)
    parser.add_argument("--data", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--base", type=Path, help="folder of the scorer's base model")
    parser.add_argument("--weights", type=Path, help="other weights than the shipped ones")
    parser.add_argument("--card", type=Path)
    parser.add_argument("--carriers", type=Path, help="a probe set of neutral carrier sentences")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    options = {key: getattr(args, key) for key in ("base", "weights") if getattr(args, key)}
    scorer = load_scorer(args.scorer, **options)
    threshold = 0.5 if scorer.facts.threshold is None else scorer.facts.threshold
    measured = measure_files(scorer, args.data, threshold)
    if ":" not in args.scorer:
        measured |= measure_groups(scorer, args.carriers)
        measured["speed"] = measure_speed(scorer, args.threads)
        print("speed:", measured["speed"])
    if args.card:
        known = json.loads(args.card.read_text(encoding="utf-8")) if args.card.is_file() else {}
        text = json.dumps(_merged(known, measured), indent=1)
        args.card.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
