"""Writes the evidence table: every generation with what was sent and every score it got."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.report.escaping import storable

if TYPE_CHECKING:
    import pyarrow

_TEXT_COLUMNS = (
    "request_id",
    "prompt_id",
    "probe_set",
    "template_id",
    "pair_id",
    "axis",
    "group",
    "language",
    "sent",
    "text",
    "error_kind",
    "error_message",
    "finish",
)
_ROWS_AT_ONCE = 4_096


def generations_schema() -> pyarrow.Schema:
    """Return the fixed Arrow schema of ``generations.parquet``; absent values are null."""
    import pyarrow

    score = pyarrow.struct(
        [
            pyarrow.field("scorer", pyarrow.string(), nullable=False),
            pyarrow.field("scorer_digest", pyarrow.string(), nullable=False),
            pyarrow.field("value", pyarrow.float64()),
            pyarrow.field("label", pyarrow.string()),
            pyarrow.field("reason", pyarrow.string()),
        ]
    )
    required = {"request_id", "prompt_id", "probe_set", "template_id", "pair_id", "language"}
    texts = [
        pyarrow.field(name, pyarrow.string(), nullable=name not in required)
        for name in _TEXT_COLUMNS
    ]
    numbers = [
        pyarrow.field(name, pyarrow.int64(), nullable=False)
        for name in ("sample_index", "prompt_tokens", "new_tokens")
    ]
    return pyarrow.schema([*texts, *numbers, pyarrow.field("scores", pyarrow.list_(score))])


def write_generations_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write ``rows`` to ``path`` as they come and return how many there were.

    Parameters
    ----------
    path : Path
        Where to write. The caller makes it appear whole or not at all.
    rows : iterable of mapping
        One per generation, with the columns of :func:`generations_schema`; ``scores`` is a
        sequence of mappings. Memory use does not grow with the number of rows.

    Raises
    ------
    KeyError
        If a row lacks a column: evidence is never filled in.
    OSError
        If the file cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    schema = generations_schema()
    written = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        pending = iter(rows)
        while batch := list(itertools.islice(pending, _ROWS_AT_ONCE)):
            plain = [{name: _plain(row[name]) for name in schema.names} for row in batch]
            writer.write_table(pyarrow.Table.from_pylist(plain, schema=schema))
            written += len(plain)
    return written


def _plain(value: Any) -> Any:
    """Return a cell in which every text can be stored as UTF-8."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
