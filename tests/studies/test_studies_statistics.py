"""The simulation runs and writes its tables; its figures come from long runs, not from here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STATISTICS = Path(__file__).parents[2] / "studies" / "statistics"
MODULES = (
    "corrected_coverage", "designs", "effect_coverage", "family_errors", "interval_coverage",
    "planned_power", "simulate",
)  # fmt: skip


@pytest.fixture(autouse=True)
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the study's modules importable, in this test only."""
    monkeypatch.syspath_prepend(str(STATISTICS))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def module(name: str) -> Any:
    """Return one of the study's modules."""
    return importlib.import_module(name)


def test_every_table_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("planned_power"), "STATEMENTS", 2)
    monkeypatch.setattr(module("effect_coverage"), "LARGE", 500)
    simulate = module("simulate")
    out = tmp_path / "tables.md"
    assert simulate.main(["--audits", "1", "--resamples", "60", "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        title for title, _ in simulate.TABLES.values()
    ]
    assert text.count("1 audits, 60 resamples, seed 0") == len(simulate.TABLES)


def test_the_simulated_outcomes_have_the_truth_they_state() -> None:
    designs = module("designs")
    rng = np.random.default_rng(0)
    for make in (designs.normal_means, designs.skewed_means, designs.paired_scores):
        table = make(20_000, 3, rng)
        means = table.sums.sum(axis=0) / table.counts.sum(axis=0)
        assert means == pytest.approx(table.truth, abs=0.05)
        assert set(np.unique(table.counts)) == {1, 2, 3, 4, 5}
    rates = designs.binary_rates(20_000, 0.2, 0.3, rng, equal=4)
    assert rates.sums.sum() / rates.counts.sum() == pytest.approx(0.2, abs=0.01)
    spread = (rates.sums / 4).var()
    assert spread == pytest.approx(0.2 * 0.8 / 4 * (1 + 3 * 0.3), rel=0.05)


def test_a_check_far_inside_never_counts_as_wrong_when_it_passes() -> None:
    errors = module("family_errors")
    policy = errors.make_policy()
    assert len(policy.checks) == errors.CHECKS
    rng = np.random.default_rng(0)
    assert not any(errors._any_wrong(policy, 0, "positive", 200, rng) for _ in range(3))
