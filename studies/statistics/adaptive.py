"""Simulate adaptive audits: how often they err at the margin, and what they save.

    python studies/statistics/adaptive.py errors --audits 2000
    python studies/statistics/adaptive.py saving --audits 50

`errors` plays rounds on eight checks, all or some of which lie at their limits, so that any
verdict on these is wrong.
`saving` puts simulated answers to the shipped suite `standard` and policy `default` and lets the
program analyse them once with everything and once in rounds. The probe sets, portions, metrics,
levels and verdicts are the program's own; only the model's answers and their scores are drawn.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from adaptive_answers import KINDS, Kind, simulate_evidence
from designs import Table, as_measurement, binary_rates
from family_errors import DISPARITY, GROUPS, LINKS, MARGIN, METRICS, RATE, SPREAD, make_policy

from llmaudit.analysis import Analyst
from llmaudit.config import AuditConfig, Policy
from llmaudit.evidence import MeasureKey
from llmaudit.findings import Finding, Measurement
from llmaudit.looks import Cell, Design, Look, Portion
from llmaudit.planning import make_plan
from llmaudit.records import Task, Verdict
from llmaudit.rounds import Played, play_rounds
from llmaudit.stats import look_sizes, ratio_and_error
from llmaudit.verdicts import decide

CLUSTERS = 80
SIZES = look_sizes(CLUSTERS, 10)
SAMPLES = 5
CORRELATION = 0.2
"""Samples per prompt of the rates, and how alike those of one prompt are."""


FEW_RESAMPLES = 400
NEAR = 2.3
"""Nearer to its limit than so many standard errors, a check is hardly ever settled: few resamples
show that too. With 400 a p below 0.0025 is seen with probability below 0.001 there."""


def _may_settle(table: Table, size: int) -> bool:
    """Return whether the part that may lie at the limit lies far from it in the first clusters."""
    ratio, error, _ = ratio_and_error(table.sums[:size], table.counts[:size])
    return bool(abs(abs(ratio[0, 0]) - MARGIN) > NEAR * error[0, 0])


class SimulatedAnalyst:
    """Judges simulated tables, each by as many of its clusters as a look sees."""

    def __init__(
        self, policy: Policy, tables: Mapping[str, Table], resamples: int, seed: int
    ) -> None:
        self.policy = policy
        self.keys = {
            check.id: MeasureKey(check.metric, check.id, "simulated", None)
            for check in policy.checks
        }
        self._tables, self._resamples, self._seed = tables, resamples, seed
        self._made: dict[tuple[str, int], Measurement] = {}

    def measure(self, check: str, look: Look) -> Measurement:
        """Return what the first clusters of a check's table come to."""
        if (check, look.number) not in self._made:
            table, size = self._tables[check], SIZES[look.number - 1]
            metric = self.keys[check].metric
            self._made[check, look.number] = as_measurement(
                Table(table.sums[:size], table.counts[:size], table.truth),
                metric,
                proportion=metric == RATE,
                resamples=self._resamples if _may_settle(table, size) else FEW_RESAMPLES,
                rng=np.random.default_rng([self._seed, look.number, len(self._made)]),
            )
        return self._made[check, look.number]

    def judge(self, looks: Mapping[str, Look]) -> tuple[Finding, ...]:
        """Hold every check against its table."""
        found = {check: self.measure(check, looks[check]) for check in self.keys}
        spending = {check: look.spending for check, look in looks.items()}
        return decide(self.policy, found, {}, {}, (), spending)


def simulated_design(policy: Policy) -> Design:
    """Return the design of one probe set per check, with a template per cluster."""
    templates = tuple(f"template {number}" for number in range(CLUSTERS))
    starts = (0, *SIZES[:-1])
    portions = tuple(
        Portion(
            templates[start:end], {"simulated": end - start}, {"simulated": SAMPLES * (end - start)}
        )
        for start, end in zip(starts, SIZES, strict=True)
    )
    return Design({check.id: portions for check in policy.checks})


def play_everything(analyst: Analyst | SimulatedAnalyst, design: Design) -> Played:
    """Play the rounds of a run that can ask for anything."""
    tasks = dict.fromkeys(design.portions, Task.GENERATE)
    held = {
        (cell, number)
        for cell in design.cells()
        for number in range(1, design.looks(cell.probe_set) + 1)
    }
    return play_rounds(analyst, design, tasks, held)


def draw_tables(
    policy: Policy, tie: str, at_limit: int, rng: np.random.Generator
) -> dict[str, Table]:
    """Return one table per check: the first ones at their limits, the others far inside."""
    common = rng.normal(size=(CLUSTERS, 1))
    tables = {}
    for index, check in enumerate(policy.checks):
        if check.metric == RATE:
            rate = MARGIN if index < at_limit else 0.001
            tables[check.id] = binary_rates(CLUSTERS, rate, CORRELATION, rng, equal=SAMPLES)
            continue
        parts = GROUPS if check.metric == DISPARITY else 1
        link = LINKS[tie]
        z = link * common + np.sqrt(1 - link**2) * rng.normal(size=(CLUSTERS, parts))
        truth = np.zeros(parts)
        truth[0] = MARGIN if index < at_limit else 0.0
        size = rng.integers(1, 6, size=(CLUSTERS, 1)).repeat(parts, axis=1).astype(float)
        tables[check.id] = Table((truth + SPREAD * z) * size, size, truth)
    return tables


def count_errors(
    audits: int, resamples: int, seed: int, ties: Sequence[str], limits: Sequence[int]
) -> Iterator[list[str]]:
    """Yield one row per design: how often any verdict was wrong, and at which look."""
    yield ["checks at their limit", "dependence", "any wrong verdict", "wrong at look 1, 2, 3, 4"]
    policy = make_policy(METRICS)
    design = simulated_design(policy)
    for at_limit in limits:
        undecided = [check.id for check in policy.checks[:at_limit]]
        for tie in ties:
            wrong, looks = 0, Counter[int]()
            for audit in range(audits):
                rng = np.random.default_rng([seed, at_limit, list(LINKS).index(tie), audit])
                tables = draw_tables(policy, tie, at_limit, rng)
                analyst = SimulatedAnalyst(policy, tables, resamples, audit)
                errors = [
                    finding
                    for finding in play_everything(analyst, design).findings
                    if finding.verdict is Verdict.FAIL
                    or (finding.verdict is Verdict.PASS and finding.check in undecided)
                ]
                wrong += bool(errors)
                looks.update(int(finding.detail["look"]) for finding in errors)
                if audit % 100 == 99:
                    print(f"{at_limit} {tie}: {wrong} of {audit + 1}", file=sys.stderr, flush=True)
            by_look = ", ".join(str(looks[look]) for look in range(1, len(SIZES) + 1))
            yield [f"{at_limit} of {len(METRICS)}", tie, f"{wrong / audits:.4f}", by_look]


def measure_saving(
    audits: int, suite: str, seed: int, kinds: Sequence[Kind]
) -> Iterator[list[str]]:
    """Yield one row per kind of model: what the rounds asked, and whether verdicts are equal."""
    yield [
        "model",
        "verdicts of the fixed design",
        "generations, share of the fixed design (least, mean, most)",
        "runs with every verdict equal",
        "checks with another verdict, of all",
        "rounds",
    ]
    config = AuditConfig(model="simulated", suite=suite, until_settled=True)
    plan = make_plan(config)
    assert plan.design is not None  # noqa: S101 - it was asked for
    for kind in kinds:
        shares, rounds, equal = [], Counter[int](), 0
        fixed_counts, changed = Counter[str](), Counter[str]()
        for audit in range(audits):
            evidence = simulate_evidence(plan, kind, np.random.default_rng([seed, audit]))
            analyst = Analyst(evidence, plan.policy, suite_id=suite, seed=audit)
            fixed = {f.check: f.verdict for f in analyst.judge()}
            played = play_everything(analyst, plan.design)
            adaptive = {finding.check: finding.verdict for finding in played.findings}
            fixed_counts.update(verdict.value for verdict in fixed.values())
            changed.update(
                f"{fixed[one]} became {adaptive[one]}"
                for one in fixed
                if fixed[one] is not adaptive[one]
            )
            equal += fixed == adaptive
            shares.append(_share(played, plan.design, evidence.probe_sets))
            rounds[len(played.rounds)] += 1
            if audit % 10 == 9:
                print(
                    f"{kind.name}: {audit + 1}, {np.mean(shares):.3f}", file=sys.stderr, flush=True
                )
        total = sum(fixed_counts.values())
        yield [
            kind.name,
            ", ".join(f"{name} {count / audits:.1f}" for name, count in fixed_counts.items()),
            f"{min(shares):.2f}, {np.mean(shares):.2f}, {max(shares):.2f}",
            f"{equal} of {audits}",
            ", ".join(f"{name}: {count}" for name, count in changed.items()) + f" of {total}",
            ", ".join(f"{count} x {number}" for number, count in sorted(rounds.items())),
        ]


def _share(played: Played, design: Design, facts: Mapping[str, object]) -> float:
    """Return the generations of the rounds over those of the whole design."""
    whole = {
        cell: sum(design.requests(cell, n) for n in range(1, design.looks(cell.probe_set) + 1))
        for cell in design.cells()
        if getattr(facts[cell.probe_set], "task", None) is Task.GENERATE
    }
    made = sum(
        design.requests(Cell(part.probe_set, part.axis), part.look)
        for one in played.rounds
        for part in one.parts
        if Cell(part.probe_set, part.axis) in whole
    )
    return made / sum(whole.values())


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=("errors", "saving"))
    parser.add_argument("--audits", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=4_000, help="of errors")
    parser.add_argument("--tie", choices=tuple(LINKS), nargs="*", default=list(LINKS))
    parser.add_argument("--at-limit", type=int, nargs="*", default=[8, 2])
    parser.add_argument("--suite", default="standard")
    parser.add_argument("--kind", type=int, nargs="*", default=range(len(KINDS)), help="of saving")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = (
        count_errors(options.audits, options.resamples, options.seed, options.tie, options.at_limit)
        if options.table == "errors"
        else measure_saving(
            options.audits, options.suite, options.seed, [KINDS[index] for index in options.kind]
        )
    )
    for index, row in enumerate(rows):
        print(f"| {' | '.join(row)} |", flush=True)
        if not index:
            print(f"|{' --- |' * len(row)}")


if __name__ == "__main__":
    main()
