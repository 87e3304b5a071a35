"""Measures llmaudit against other tools: the same work, same machine, same threads, in turns.

    python studies/speed/measure.py --harness-python PATH --garak-python PATH --out FILE.json

Every tool runs in an interpreter of its own, which must have it installed; nothing is installed
here. What is measured, and how to read the table, is in ``docs/speed.md``. Exits 1 if results of
two tools disagree, 2 if something could not be measured to its end; a ratio that falls short is
shown and changes no exit code.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import Bench, NotMeasuredError, Outcome, Row
from compare_defaults import compare_defaults
from compare_generation import compare_generation
from compare_likelihoods import compare_likelihoods
from compare_memory import compare_memory
from compare_samples import compare_samples
from machine import describe_machine
from workload import PAIRS

from llmaudit.errors import AuditError
from llmaudit.models.sources import find_source

PARTS: Mapping[str, Callable[[Bench], Outcome]] = {
    "likelihoods": compare_likelihoods,
    "generation": compare_generation,
    "samples": compare_samples,
    "memory": compare_memory,
    "defaults": compare_defaults,
}
_HEADINGS = (
    "part", "setting", "llmaudit", "other", "ratio", "in rounds", "by CPU time", "wanted", "met",
)  # fmt: skip


def read_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Measure llmaudit against other tools.")
    parser.add_argument("--harness-python", help="an interpreter that has lm_eval")
    parser.add_argument("--garak-python", help="an interpreter that has garak")
    parser.add_argument("--garak-class", choices=["Pipeline", "Model"], default="Pipeline")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="CrowS-Pairs as a CSV file")
    parser.add_argument("--rounds", type=int, default=2)
    for name in ("harness", "transformers"):
        told = "its best, if known; else sizes are tried"
        parser.add_argument(f"--{name}-batch-size", type=int, help=told)
    dtypes = ["float32", "bfloat16"]
    parser.add_argument("--dtype", nargs="+", default=dtypes, choices=dtypes)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sample", type=int, help="so many pairs and prompts: only to try it out")
    parser.add_argument("--out", type=Path, required=True, help="JSON file with all figures")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write; the exit code says whether results agree."""
    options = read_options()
    interpreters = {
        "llmaudit": sys.executable,
        "harness": options.harness_python,
        "garak": options.garak_python,
    }
    machine = describe_machine(options.threads, interpreters)
    for name, package in (("harness", "lm_eval"), ("garak", "garak")):
        if interpreters[name] and package not in machine["versions"][name]:
            raise SystemExit(f"{interpreters[name]} has no {package}")
    outcomes: dict[str, Outcome] = {}
    write_figures(options.out, machine, outcomes)
    with tempfile.TemporaryDirectory() as scratch:
        bench = make_bench(options, Path(scratch))
        for name in options.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                outcomes[name] = PARTS[name](bench)
            except NotMeasuredError as error:
                outcomes[name] = Outcome(failed=[f"{name}: {error}"])
            write_figures(options.out, machine, outcomes)
    print(json.dumps(machine, indent=1))
    print_table([row for outcome in outcomes.values() for row in outcome.rows])
    raise SystemExit(print_notes(outcomes.values()))


def make_bench(options: argparse.Namespace, scratch: Path) -> Bench:
    """Return the options as what every part is told; the model is fetched if it is not here."""
    try:
        folder = find_source(options.model).folder.resolve()
    except AuditError as error:
        raise SystemExit(str(error)) from error
    return Bench(
        model=options.model,
        folder=folder,
        threads=options.threads,
        rounds=options.rounds,
        dtypes=options.dtype,
        scratch=scratch,
        harness_python=options.harness_python,
        garak_python=options.garak_python,
        garak_class=options.garak_class,
        pairs_file=options.pairs.resolve(),
        sample=options.sample,
        batch_sizes={
            "harness": options.harness_batch_size,
            "transformers": options.transformers_batch_size,
        },
    )


def write_figures(path: Path, machine: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> None:
    """Write all that is known so far, so that a part that fails takes no other with it."""
    parts = {name: dataclasses.asdict(outcome) for name, outcome in outcomes.items()}
    for name, outcome in outcomes.items():
        for row, known in zip(outcome.rows, parts[name]["rows"], strict=True):
            known |= {"wanted": row.wanted, "met": row.met}
    figures = {"machine": machine, "parts": parts}
    path.write_text(json.dumps(figures, indent=1, default=_as_json) + "\n", encoding="utf-8")


def _as_json(value: Any) -> Any:
    """Return a frozen record as JSON values."""
    return dataclasses.asdict(value)


def print_notes(outcomes: Collection[Outcome]) -> int:
    """Print what was not measured and what disagrees; return the exit code."""
    for outcome in outcomes:
        for reason in outcome.skipped:
            print(f"not measured: {reason}")
        for reason in outcome.failed:
            print(f"FAILED: {reason}")
        for reason in outcome.faults:
            print(f"RESULTS DISAGREE: {reason}")
    if any(outcome.failed for outcome in outcomes):
        return 2
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def print_table(rows: Sequence[Row]) -> None:
    """Print the ratios as a Markdown table."""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS)]
    for row in rows:
        ratio = row.ratio
        by_cpu = "" if ratio.by_cpu is None else f"{ratio.by_cpu:.2f}"
        met = {True: "yes", False: "no", None: ""}[row.met]
        spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
        known = (row.part, row.setting, row.ours, row.other, f"{ratio.value:.2f}", spread)
        lines.append((*known, by_cpu, row.wanted, met))
    for line in lines:
        print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main()
