"""The arithmetic of the measuring script, by hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(STUDIES))
    return importlib.import_module("measure_scorers")


def test_calibration_error(measuring: Any) -> None:
    labels, values = np.array([0, 1, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9])
    assert measuring.calibration_error(labels, values) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_figures_by_hand(measuring: Any) -> None:
    rows = [
        measuring.Row("a", 1, "x"),
        measuring.Row("b", 0, "x"),
        measuring.Row("c", 1, ""),
        measuring.Row("d", 0, ""),
        measuring.Row("e", 0, ""),
    ]
    figures = measuring.measure(rows, [0.9, 0.6, 0.4, 0.2, None], 0.5)
    assert figures["n"] == 5 and figures["unscored"] == 1 and figures["positives"] == 2
    assert figures["auc"] == 0.75
    assert figures["sensitivity"] == 0.5 and figures["specificity"] == 0.5
    assert figures["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.04) / 4, abs=1e-4)
    group = figures["groups"]["x"]
    assert (group["subgroup_auc"], group["bpsn_auc"], group["bnsp_auc"]) == (1.0, 0.0, 1.0)


def test_rows_of_any_known_columns(measuring: Any, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "test_case,label_gold,target_ident\nhi,non-hateful,\nyo,hateful,women\n", "utf-8"
    )
    rows = measuring.read_rows(file)
    assert [(row.label, row.group) for row in rows] == [(0, ""), (1, "women")]
    file.write_text("text,toxicity\nhi,0.4\nyo,0.6\n", encoding="utf-8")
    assert [row.label for row in measuring.read_rows(file)] == [0, 1]


def test_the_shift_is_the_largest_difference_of_means(measuring: Any) -> None:
    texts = {"axis": {"a": ["1", "2"], "b": ["4", "4"], "c": ["3", "?"]}}
    found = measuring.measure_shift(
        texts, lambda filled: [None if text == "?" else float(text) for text in filled]
    )
    assert found["largest_difference"] == 2.5 and found["texts"] == 6
    assert found["axes"]["axis"]["means"] == {"a": 1.5, "b": 4.0, "c": 3.0}
