"""Sampled texts by llmaudit, by plain transformers at its best batch size, and by garak."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import fmean, variance
from typing import Any

from bench import Answer, Bench, Outcome, Row, alternate, mean_of, mean_preparation, ratio_of
from workload import read_prompts

PROMPTS, NEW_TOKENS = 200, 64
#: garak takes one prompt per call: its speed does not depend on how many there are.
GARAK_PROMPTS = 20
TRIAL_PROMPTS = 128
BATCH_SIZES = (8, 16, 32, 64, 128)
AT_LEAST = {"garak": 10.0, "transformers": 1.3}
#: Standard errors by which the mean lengths of two tools' texts may differ.
_LARGEST_DEVIATION = 5.0


def compare_generation(bench: Bench) -> Outcome:
    """Measure every number format."""
    outcome = Outcome()
    if bench.garak_python is None:
        outcome.skipped.append("generation against garak: no --garak-python")
    texts = read_prompts(bench.sample or PROMPTS)
    for dtype in bench.dtypes:
        _compare(bench, outcome, texts, dtype)
    return outcome


def _compare(bench: Bench, outcome: Outcome, texts: Sequence[str], dtype: str) -> None:
    task: dict[str, Any] = {
        "dtype": dtype, "new_tokens": NEW_TOKENS, "seed": 1, "warm_up": texts[:8],
    }  # fmt: skip
    plain = partial(bench.work, "generate_transformers.py", **task)
    best, trial = bench.batch_sizes.get("transformers"), None
    if best is None:
        trial = plain(texts=texts[:TRIAL_PROMPTS], batch_sizes=_sizes(len(texts)))
        best = min(trial["runs"], key=lambda run: run["seconds"] / run["tokens"])["batch_size"]
    contestants = {
        "llmaudit": partial(
            bench.work, "generate_llmaudit.py", texts=texts, samples=1, to_the_end=False, **task
        ),
        "transformers": partial(plain, texts=texts, batch_sizes=[best]),
    }
    if bench.garak_python is not None:
        contestants["garak"] = partial(
            bench.work, "generate_garak.py", python=bench.garak_python,
            garak_class=bench.garak_class, texts=texts[:GARAK_PROMPTS], **task,
        )  # fmt: skip
    rounds = alternate(bench.rounds, *contestants.values())
    found = dict(zip(contestants, rounds, strict=True))
    ours = found.pop("llmaudit")
    settings = {
        "transformers": f"batch size {best}",
        "garak": f"{bench.garak_class}, first {len(texts[:GARAK_PROMPTS])} prompts",
    }
    for name, theirs in found.items():
        ratio = ratio_of(theirs, ours, per="tokens")
        setting = f"{dtype}, {len(texts)} prompts x {NEW_TOKENS}; {name}: {settings[name]}"
        row = Row("generation", setting, _speed(ours), _speed(theirs), ratio, AT_LEAST[name])
        outcome.rows.append(row)
        for fault in _disagreements(ours[0], theirs[0]):
            outcome.faults.append(f"generation, {dtype}, {name}: {fault}")
    outcome.keep(dtype=dtype, prompts=len(texts), trial=trial, ours=ours, **found)


def _sizes(prompts: int) -> list[int]:
    """Return the batch sizes that so many prompts fill."""
    return [size for size in BATCH_SIZES if size <= prompts] or [prompts]


def _speed(answers: Sequence[Answer]) -> str:
    speed = mean_of(answers, "tokens") / mean_of(answers)
    return f"{speed:.1f} tokens/s (+ {mean_preparation(answers):.1f} s before)"


def _disagreements(ours: Answer, theirs: Answer) -> Iterator[str]:
    """Yield signs that two tools did not do the same work.

    Sampled texts differ, but their mean length may not by more than chance allows. Where both
    were given the same prompts, these must have come to the same number of tokens.
    """
    one, other = ours["runs"][0], theirs["runs"][0]
    prompts = one["prompt_tokens"], other["prompt_tokens"]
    if len(one["lengths"]) == len(other["lengths"]) and prompts[0] != prompts[1]:
        yield f"prompts of {prompts[0]} and of {prompts[1]} tokens"
    means = fmean(one["lengths"]), fmean(other["lengths"])
    error = math.hypot(_standard_error(one), _standard_error(other))
    if abs(means[0] - means[1]) > _LARGEST_DEVIATION * error + 1:
        yield f"texts of {means[0]:.1f} and of {means[1]:.1f} tokens in the mean"


def _standard_error(run: dict[str, Any]) -> float:
    lengths = run["lengths"]
    return math.sqrt(variance(lengths) / len(lengths)) if len(lengths) > 1 else math.inf
