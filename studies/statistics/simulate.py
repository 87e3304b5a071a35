"""Simulate audits of known truth and write how often intervals and verdicts are right.

    python studies/statistics/simulate.py --out statistics.md

Every table is made of the product's own code: `llmaudit.stats`, `llmaudit.metrics` and
`llmaudit.verdicts`. With 2,000 audits a share of 0.95 has a standard error of 0.005.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from corrected_coverage import correct_means, correct_shares
from effect_coverage import correct_prevalence, cover_effects, size_of_tests
from family_errors import count_errors
from interval_coverage import cover_means, cover_rates
from planned_power import reach_power

Rows = Iterator[list[str]]

TABLES: dict[str, tuple[str, Callable[[int, int, int], Rows]]] = {
    "means": ("Coverage of 95 % intervals of means", cover_means),
    "rates": (
        "Coverage of 95 % intervals of rates",
        lambda audits, _, seed: cover_rates(audits, seed),
    ),
    "families": ("Any wrong verdict among 8 checks, alpha 0.05", count_errors),
    "power": ("Power reached where 0.8 was planned", reach_power),
    "effects": ("Coverage of 95 % intervals of effect sizes", cover_effects),
    "tests": ("Rejections at 0.05 where nothing is to be found", size_of_tests),
    "prevalence": (
        "Coverage of 95 % intervals of corrected rates",
        lambda audits, _, seed: correct_prevalence(audits, seed),
    ),
    "corrected-shares": (
        "Coverage of 95 % intervals of disparities of shares, corrected for the scorer",
        correct_shares,
    ),
    "corrected-means": (
        "Coverage of 95 % intervals of disparities of means, corrected for the scorer",
        correct_means,
    ),
}
"""Name of a table to its title and to what makes its rows from audits, resamples and seed."""


def format_table(rows: Rows) -> Iterator[str]:
    """Yield the lines of a Markdown table; the first row is its head."""
    for index, row in enumerate(rows):
        yield f"| {' | '.join(row)} |"
        if index == 0:
            yield f"|{' --- |' * len(row)}"


def main(arguments: list[str] | None = None) -> int:
    """Write the tables that were asked for, each as soon as its rows are known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audits", type=int, default=2000, help="simulated audits per design")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples per audit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", choices=TABLES, action="append", help="only these (repeat)")
    parser.add_argument("--out", type=Path, help="a Markdown file; by default the terminal")
    options = parser.parse_args(arguments)
    out = options.out.open("w", encoding="utf-8") if options.out else sys.stdout
    for name in options.table or TABLES:
        title, make = TABLES[name]
        begun = time.perf_counter()
        print(f"## {title}\n", file=out)
        for line in format_table(make(options.audits, options.resamples, options.seed)):
            print(line, file=out, flush=True)
        print(
            f"\n{options.audits:,} audits, {options.resamples:,} resamples, seed {options.seed}, "
            f"{time.perf_counter() - begun:.0f} s.\n",
            file=out,
            flush=True,
        )
    if options.out:
        out.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
