"""Public labelled sets come out in the form that the command reads."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from llmaudit.labelled import read_labelled

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(STUDIES))
    return importlib.import_module("measure_scorers")


def test_sets_of_any_known_columns(measuring: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(
        'test_case,label_gold,target_ident\n"hi, you",non-hateful,\nyo,hateful,women\n', "utf-8"
    )
    other.write_text("text,toxicity\nhey,0.4\nho,0.6\n", encoding="utf-8")
    measuring.write_sets([f"both={one}", f"both={other}"], "toxicity", tmp_path / "out")
    rows = read_labelled([("both", tmp_path / "out" / "both.csv")])
    assert [(row.text, row.positive, row.group) for row in rows] == [
        ("hi, you", False, ""),
        ("yo", True, "women"),
        ("hey", False, ""),
        ("ho", True, ""),
    ]
