"""The simulation of reviews runs and writes its tables; its figures come from long runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

STATISTICS = Path(__file__).parents[2] / "studies" / "statistics"


def test_reviews_are_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STATISTICS))
    study = importlib.import_module("review_coverage")
    try:
        monkeypatch.setattr(study, "RATES", (0.5,))
        monkeypatch.setattr(study, "LABELS", (100,))
        out = tmp_path / "review.md"
        assert study.main(["--audits", "8", "--out", str(out)]) == 0
        rows = [
            line.split(" | ") for line in out.read_text("utf-8").splitlines() if "0.5 |" in line
        ]
        assert [len(row) for row in rows] == [10] * 10 + [9] * 3
        # A classifier that misses half never finds a rate of one half; labels mostly do.
        missing = next(row for row in rows if row[0] == "| misses half")
        assert float(missing[3]) == 0
        assert float(missing[6]) >= 0.5
        design = study.Design(study.CLASSIFIERS["useless"], 0.5, 100, study.GROUPS, 2, others=0.5)
        sample = study.simulate(design, np.random.default_rng(0))
        assert sample.labelled.sum() == 100
        assert len(np.unique(sample.group)) == study.GROUPS
        assert sample.weight[sample.labelled].sum() == pytest.approx(len(sample.human))
    finally:
        for name in ("review_coverage", "simulate"):
            sys.modules.pop(name, None)
