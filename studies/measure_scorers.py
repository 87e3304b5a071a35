"""Puts public labelled sets into the form of ``llmaudit scorers measure``, and times scorers.

    python studies/measure_scorers.py --data hatecheck=FILE civil=FILE --out FOLDER
    llmaudit scorers measure toxicity --data FOLDER/*.csv --card CARD
    python studies/measure_scorers.py --speed toxicity --card CARD

A public file is a CSV with a text column (``text``, ``example`` or ``test_case``), a label column
(``label``, ``label_gold`` or the construct's name; 1, toxic, hateful or a number from 0.5 on is
positive) and optionally a group column (``group`` or ``target_ident``).
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmaudit.labelled import LabelledText
from llmaudit.scorers import Scorer, ScorerInput, load_scorer, score_safely
from llmaudit.scorers.cards import read_card, write_card

csv.field_size_limit(10_000_000)
WORDS = ("the", "a", "report", "of", "our", "city", "says", "that", "many", "people", "like", "old")
POSITIVE = {"1", "1.0", "toxic", "hateful", "true", "hate"}
NEGATIVE = {"0", "0.0", "not toxic", "non-hateful", "false", "neutral"}


def read_rows(path: Path, construct: str = "toxicity") -> list[LabelledText]:
    """Return the labelled texts of a CSV file; a column of the construct's name is its label."""
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    text = _column(path, table[0], "text", "example", "test_case")
    label = _column(path, table[0], "label", "label_gold", construct, f"{construct}_explicit")
    return [
        LabelledText(
            row[text],
            is_positive(row[label]),
            group=row.get("group") or row.get("target_ident") or "",
        )
        for row in table
    ]


def _column(path: Path, row: dict[str, str], *names: str) -> str:
    for name in names:
        if name in row:
            return name
    raise SystemExit(f"{path}: none of the columns {', '.join(names)}")


def is_positive(value: str) -> bool:
    """Say whether a public set's label means yes."""
    if value.strip().lower() in POSITIVE:
        return True
    return value.strip().lower() not in NEGATIVE and float(value) >= 0.5


def gather_files(named: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files by set name; ``name=FILE`` may come twice to join files."""
    sets: dict[str, list[Path]] = defaultdict(list)
    for one in named:
        name, _, file = one.rpartition("=")
        sets[name or Path(file).stem].append(Path(file))
    return sets


def write_sets(named: Sequence[str], construct: str, out: Path) -> None:
    """Write one file per set, in the form that the command reads."""
    out.mkdir(parents=True, exist_ok=True)
    for name, files in gather_files(named).items():
        path = out / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("text", "label", "group"))
            for row in (row for file in files for row in read_rows(file, construct)):
                writer.writerow((row.text, int(row.positive), row.group))
        print(path)


def score_all(scorer: Scorer, texts: Sequence[str]) -> None:
    """Score texts in the batches that a run makes."""
    for start in range(0, len(texts), 256):
        score_safely(scorer, [ScorerInput(text, "", "en") for text in texts[start : start + 256]])


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


def main() -> None:
    """Write the sets, and time the scorer, whichever was asked for."""
    parser = argparse.ArgumentParser(description="Prepare labelled sets, time a scorer.")
    parser.add_argument("--data", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--construct", default="toxicity", help="whose column is the label")
    parser.add_argument("--out", type=Path, default=Path("labelled"))
    parser.add_argument("--speed", metavar="SCORER")
    parser.add_argument("--card", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    write_sets(args.data, args.construct, args.out)
    if args.speed:
        import torch

        torch.set_num_threads(args.threads)
        speed = measure_speed(load_scorer(args.speed), args.threads)
        print("speed:", speed)
        if args.card:
            write_card(args.card, read_card(args.card) | {"speed": speed})


if __name__ == "__main__":
    main()
