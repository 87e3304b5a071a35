"""CrowS-Pairs by llmaudit and by lm-evaluation-harness at its best batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import Answer, Bench, Outcome, Row, alternate, mean_of, mean_preparation, ratio_of
from workload import Pair, read_pairs, trial_pairs, warm_up_pairs

BATCH_SIZES = (8, 16, 32, 64, 128)
AT_LEAST = 1.5
#: How far two tools may differ in float32: in nats, and in percentage points.
EXACT = 1e-3
#: The same in bfloat16. The harness rounds the sum over a sentence to bfloat16 as well, which is to
#: half a nat below -64, so that some pairs come out equal.
ROUNDED = (0.05, 4.0)


@dataclass(frozen=True)
class Preference:
    """What CrowS-Pairs comes to: per cent of pairs, and mean absolute difference in nats."""

    stereotype: float
    difference: float
    pairs: int

    def __str__(self) -> str:
        """Say it in short."""
        return f"{self.stereotype:.2f} %, {self.difference:.4f}"


def preference_of(logprobs: Sequence[float]) -> Preference:
    """Return what the log-probabilities (stereotyping, other, stereotyping, ...) come to."""
    differences = [a - b for a, b in zip(logprobs[::2], logprobs[1::2], strict=True)]
    count = len(differences)
    return Preference(
        100 * sum(one > 0 for one in differences) / count, sum(map(abs, differences)) / count, count
    )


def disagreements(ours: Preference, theirs: Preference, *, exact: bool) -> Iterator[str]:
    """Yield where two results differ by more than their number format explains.

    What chance adds in bfloat16 (three standard errors of a pair's difference, which is about 0.3;
    two pairs that tip over) is much in a small sample only.
    """
    chance = (0.0, 0.0) if exact else (1 / math.sqrt(ours.pairs), 200 / ours.pairs)
    base = (EXACT, EXACT) if exact else ROUNDED
    difference, share = base[0] + chance[0], base[1] + chance[1]
    if abs(ours.difference - theirs.difference) > difference:
        yield f"mean absolute difference: {ours.difference:.5f} and {theirs.difference:.5f}"
    if abs(ours.stereotype - theirs.stereotype) > share:
        yield f"preference for the stereotype: {ours.stereotype:.4f} %, {theirs.stereotype:.4f} %"


def compare_likelihoods(bench: Bench) -> Outcome:
    """Measure every number format."""
    outcome = Outcome()
    if not bench.pairs_file.is_file():
        outcome.skipped.append(f"likelihoods: no file {bench.pairs_file} (--pairs names another)")
    elif bench.harness_python is None:
        outcome.skipped.append("likelihoods: no --harness-python")
    else:
        pairs = read_pairs(bench.pairs_file, bench.sample)
        for dtype in bench.dtypes:
            _compare(bench, outcome, pairs, dtype)
    return outcome


def _compare(bench: Bench, outcome: Outcome, pairs: Sequence[Pair], dtype: str) -> None:
    task: dict[str, Any] = {"dtype": dtype, "warm_up": warm_up_pairs(pairs)}
    harness = partial(
        bench.work, "likelihoods_harness.py", python=str(bench.harness_python), **task
    )
    best, trial = bench.batch_sizes.get("harness"), None
    if best is None:
        trial = harness(pairs=trial_pairs(pairs), batch_sizes=BATCH_SIZES)
        best = min(trial["runs"], key=lambda run: run["seconds"])["batch_size"]
    ours, theirs = alternate(
        bench.rounds,
        partial(bench.work, "likelihoods_llmaudit.py", pairs=pairs, **task),
        partial(harness, pairs=pairs, batch_sizes=[best]),
    )
    found = [[_preference(answer) for answer in answers] for answers in (ours, theirs)]
    for one, other in zip(*found, strict=True):
        for fault in disagreements(one, other, exact=dtype == "float32"):
            outcome.faults.append(f"likelihoods, {dtype}: {fault}")
    setting = f"{dtype}, {len(pairs)} pairs, harness batch size {best}"
    ratio = ratio_of(theirs, ours)
    ran, other = (
        f"{mean_of(answers):.1f} s (+ {mean_preparation(answers):.1f} s before), {result[0]}"
        for answers, result in zip((ours, theirs), found, strict=True)
    )
    outcome.rows.append(Row("likelihoods", setting, ran, other, ratio, at_least=AT_LEAST))
    outcome.keep(dtype=dtype, pairs=len(pairs), trial=trial, ours=ours, harness=theirs,
                 results=[[str(one) for one in results] for results in found])  # fmt: skip


def _preference(answer: Answer) -> Preference:
    return preference_of(answer["runs"][0]["logprobs"])
