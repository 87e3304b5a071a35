"""The evidence table: fixed schema, every row, errors and hostile text included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from llmaudit.report import generations_schema, write_generations_parquet


def row(index: int, **more: Any) -> dict[str, Any]:
    """Return one row of evidence."""
    plain = {
        "request_id": f"{index:016x}",
        "prompt_id": "p",
        "probe_set": "s",
        "template_id": "t",
        "pair_id": "c",
        "axis": None,
        "group": None,
        "language": "en",
        "sent": "Hello",
        "sample_index": index,
        "text": "hi",
        "error_kind": None,
        "error_message": None,
        "finish": "stop",
        "prompt_tokens": 3,
        "new_tokens": 1,
        "scores": [
            {"scorer": "a", "scorer_digest": "d", "value": 0.25, "label": None, "reason": None}
        ],
    }
    return plain | more


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "generations.parquet"
    unscored = {
        "scorer": "a",
        "scorer_digest": "d",
        "value": None,
        "label": None,
        "reason": "empty",
    }
    rows = [
        row(0),
        row(1, text="", scores=(unscored,)),
        row(2, text=None, error_kind="nan_logits", error_message="NaN", finish=None, scores=[]),
    ]
    assert write_generations_parquet(path, iter(rows)) == 3
    table = parquet.read_table(path)
    assert table.schema.equals(generations_schema())
    back = table.to_pylist()
    assert back[0] == rows[0]
    assert back[1]["text"] == ""
    assert back[1]["scores"] == [unscored]
    assert back[2]["text"] is None
    assert back[2]["scores"] == []


def test_more_rows_than_one_batch(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    assert write_generations_parquet(path, (row(index) for index in range(9_000))) == 9_000
    table = parquet.read_table(path)
    assert table.column("sample_index").to_pylist() == list(range(9_000))
    assert parquet.ParquetFile(path).num_row_groups == 3


def test_no_rows_still_have_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    assert write_generations_parquet(path, []) == 0
    assert parquet.read_table(path).schema.equals(generations_schema())


def test_lone_surrogates_are_spelled_out(tmp_path: Path) -> None:
    path = tmp_path / "hostile.parquet"
    write_generations_parquet(path, [row(0, text="a\ud800\x00b", sent="<script>")])
    assert parquet.read_table(path).to_pylist()[0]["text"] == "a[U+D800]\x00b"


def test_a_row_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    lacking = row(0)
    del lacking["sent"]
    with pytest.raises(KeyError, match="sent"):
        write_generations_parquet(tmp_path / "x.parquet", [lacking])
