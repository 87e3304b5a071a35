"""Measures the detoxify scorers against the library's own ``Detoxify.predict``.

    OMP_NUM_THREADS=1 nice python studies/detoxify_speed.py --data ../shared/data --variant original

Both run in one process, with one thread, on the same texts and the same random weights of the
published sizes (``detoxify_checkpoints.py``), portion by portion in turn, so that a busy machine is
busy for both. Counted is processor time. ``predict`` is measured in two ways: lists of 32 texts as
they come, and every text on its own. The texts are comments (Civil Comments), short test sentences
(HateCheck) and answers of models cut after 48 words (XSTest completions), no text twice.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from detoxify_checkpoints import variant_named, write_base, write_checkpoint
from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.detoxify_network import can_narrow
from llmaudit.scorers.detoxify_variants import scorer_name

LIST = 32
"""Texts that the library is given at once."""
PORTION = 256
"""Texts between two turns; a run hands a scorer as many at once."""
ANSWER_WORDS = 48
Way = Callable[[Sequence[str]], list[float]]


def read_texts(data: Path, count: int, seed: int = 0) -> list[str]:
    """Return texts of mixed length in random order: half comments, a quarter each of the others."""
    comments = _column(data / "toxicity/dev/civil_comments_autolabel_subset/test.csv", "example")
    sentences = _column(data / "toxicity/dev/hatecheck/test_suite_cases.csv", "test_case")
    folder = data / "benchmarks/xstest/model_completions"
    answers = [
        " ".join(text.split()[:ANSWER_WORDS])
        for file in sorted(folder.glob("*.csv.gz"))
        for text in _column(file, "completion")
    ]
    chooser = random.Random(seed)  # noqa: S311
    chosen: list[str] = []
    for texts, share in ((comments, 2), (sentences, 4), (answers, 4)):
        different = sorted({text for text in texts if text.strip()} - set(chosen))
        chosen += chooser.sample(different, count // share)
    chooser.shuffle(chosen)
    return chosen


def _column(file: Path, name: str) -> list[str]:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8", newline="") as stream:
        return [row[name] for row in csv.DictReader(stream)]


def find_ways(folder: Path, variant: str, texts: Sequence[str], layers: int) -> dict[str, Way]:
    """Return the ways to score texts, by name; the library's first."""
    known = variant_named(variant)
    base = write_base(folder, known, texts, num_hidden_layers=layers)
    checkpoint = write_checkpoint(folder / "own.ckpt", known, base)
    theirs = _library(checkpoint, base)

    def in_lists(chosen: Sequence[str]) -> list[float]:
        parts = (list(chosen[i : i + LIST]) for i in range(0, len(chosen), LIST))
        return [value for part in parts for value in theirs.predict(part)["toxicity"]]

    def alone(chosen: Sequence[str]) -> list[float]:
        return [theirs.predict(text)["toxicity"] for text in chosen]

    ways: dict[str, Way] = {"predict, lists of 32": in_lists, "predict, one by one": alone}
    for dtype in ("float32", "bfloat16") if can_narrow() else ("float32",):
        ours = load_scorer(scorer_name(variant), checkpoint=checkpoint, dtype=dtype)
        ways[f"llmaudit, {dtype}"] = _scoring(ours)
    return ways


def _scoring(scorer: Any) -> Way:
    def score(chosen: Sequence[str]) -> list[float]:
        return [one.value for one in scorer.score([ScorerInput(text, "", "en") for text in chosen])]

    return score


def _library(checkpoint: Path, base: Path) -> Any:
    """Return the library's own classifier, which finds its base where the checkpoint says."""
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["arch"]["args"]["model_type"] = str(base)
    named = checkpoint.with_name("library.ckpt")
    torch.save(content, named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from detoxify import Detoxify

        found = Detoxify(checkpoint=str(named))
    named.unlink()
    return found


def measure(ways: dict[str, Way], texts: Sequence[str]) -> None:
    """Let every way score every portion, and print what has been measured after each."""
    seconds = dict.fromkeys(ways, 0.0)
    values: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for place, start in enumerate(range(0, len(texts), PORTION)):
        portion = texts[start : start + PORTION]
        turn = place % len(names)
        for name in names[turn:] + names[:turn]:
            begun = time.process_time()
            values[name] += ways[name](portion)
            seconds[name] += time.process_time() - begun
        print_figures(seconds, values)


def print_figures(seconds: dict[str, float], values: dict[str, list[float]]) -> None:
    """Print seconds, ratios to both ways of ``predict``, and differences from it."""
    lists, alone = list(seconds)[:2]
    print(
        f"\n{len(values[lists]):,} texts, scores {min(values[alone]):.3f}-{max(values[alone]):.3f}"
    )
    for name, used in seconds.items():
        off = max(abs(a - b) for a, b in zip(values[name], values[alone], strict=True))
        ratios = f"{seconds[lists] / used:5.2f} x lists {seconds[alone] / used:5.2f} x one by one"
        print(f"  {name:<22} {used:8.1f} s  {ratios}  largest difference {off:.1e}", flush=True)


def main() -> None:
    """Measure one variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data")
    parser.add_argument("--variant", default="original")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--layers", type=int, default=12, help="fewer than 12 for a quick look")
    given = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    texts = read_texts(given.data, given.texts)
    print(f"{given.variant}, {given.layers} layers, torch {torch.__version__}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        measure(find_ways(Path(folder), given.variant, texts, given.layers), texts)


if __name__ == "__main__":
    main()
