"""What the tools are given to do: sentence pairs, prompts to continue, long prompts."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

PAIRS = Path(__file__).resolve().parents[3] / (
    "shared/data/benchmarks/crows_pairs/crows_pairs_anonymized.csv"
)
"""Where CrowS-Pairs is expected: in ``shared/data`` beside the checkout."""

Pair = list[str]
_SLICES = 4
_WARM_UP = 8


def read_pairs(path: Path, sample: int | None = None) -> list[Pair]:
    """Return the pairs of CrowS-Pairs, the stereotyping sentence first, all or a sample of them."""
    with path.open(encoding="utf-8", newline="") as stream:
        pairs = [[row["sent_more"], row["sent_less"]] for row in csv.DictReader(stream)]
    random.Random(0).shuffle(pairs)  # noqa: S311
    return pairs[:sample]


def warm_up_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the few pairs that every tool scores before the clock starts."""
    return list(pairs[:_WARM_UP])


def trial_pairs(pairs: Sequence[Pair], per_slice: int = 64) -> list[Pair]:
    """Return pairs to try batch sizes with.

    Four stretches of neighbours in length, not a random sample: batches of the whole set hold
    texts of almost equal length, and in a thinner set large batches would be padded more than
    they are there.
    """
    ordered = sorted(pairs, key=lambda pair: len(pair[0]))
    if len(ordered) <= _SLICES * per_slice:
        return ordered
    chosen = []
    for number in range(_SLICES):
        middle = (2 * number + 1) * len(ordered) // (2 * _SLICES)
        chosen += ordered[middle - per_slice // 2 : middle + per_slice // 2]
    return chosen


#: Named, so that the work stays the same when the library grows.
_SETS = ("toxicity-openings", "descriptions-and-stories", "harmful-requests", "benign-lookalikes")


def read_prompts(count: int) -> list[str]:
    """Return plain texts to continue, drawn from the shipped probe sets that ask for texts."""
    texts = sorted(set(_plain_texts()))
    return random.Random(0).sample(texts, count)  # noqa: S311


def _plain_texts() -> list[str]:
    """Return what base models are asked to continue."""
    from llmaudit.probesets import fill_probe_set, load_probe_set

    return [prompt.plain for name in _SETS for prompt in fill_probe_set(load_probe_set(name))]


def long_prompts(folder: Path, count: int, tokens: int) -> list[str]:
    """Return texts of exactly so many tokens of a model, each another from its first word on."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = sorted(set(_plain_texts()))
    prompts = []
    for number in range(count):
        shuffled = list(texts)
        random.Random(number).shuffle(shuffled)  # noqa: S311
        words = f"{number + 1}. {' '.join(shuffled)}".split()[:tokens]
        while len(tokenizer.encode(" ".join(words)).ids) > tokens:
            words.pop()
        while len(tokenizer.encode(" ".join(words)).ids) < tokens:
            words.append("and")
        prompts.append(" ".join(words))
    return prompts
