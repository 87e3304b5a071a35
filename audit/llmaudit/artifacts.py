"""Writes the files of a finished run: each appears whole or not at all, the manifest last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmaudit.errors import StoreError
from llmaudit.records import Run
from llmaudit.report import (
    render_html,
    render_markdown,
    results_json,
    write_generations_parquet,
)

MANIFEST = "manifest.json"


def write_artifacts(
    directory: Path,
    run: Run,
    rows: Iterator[Mapping[str, Any]],
    *,
    content_digest: str,
    template: Path | None = None,
) -> Path:
    """Write every file of the report into the run directory and return the report's path.

    Parameters
    ----------
    directory : Path
        The run directory.
    run : Run
    rows : iterator of mapping
        The evidence, one row per generation.
    content_digest : str
        The store's digest of all records, for the manifest.
    template : Path, optional
        A user's own HTML template.

    Raises
    ------
    StoreError
        If a file cannot be written: the disk is full, or the folder is read-only.
    """
    withdraw_manifest(directory)
    contents = {
        "report.html": lambda: render_html(run, template=template),
        "report.md": lambda: render_markdown(run),
        "results.json": lambda: _json(results_json(run)),
        "config.yaml": lambda: _yaml(run),
    }
    written = {name: _write_text(directory / name, make) for name, make in contents.items()}
    with _replacing(directory / "generations.parquet") as temporary:
        write_generations_parquet(temporary, rows)
    written["generations.parquet"] = _sha256(directory / "generations.parquet")
    manifest = {"run_id": run.id, "content_digest": content_digest, "files": written}
    _write_text(directory / MANIFEST, lambda: _json(manifest))
    return directory / "report.html"


def withdraw_manifest(directory: Path) -> None:
    """Remove the manifest, without which no run passes for finished."""
    with _as_store_error(directory / MANIFEST):
        (directory / MANIFEST).unlink(missing_ok=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _yaml(run: Run) -> str:
    import yaml

    stored = {"config": run.config, "suite": run.suite, "policy": run.policy}
    return yaml.safe_dump(json.loads(json.dumps(stored)), sort_keys=True, allow_unicode=True)


def _write_text(path: Path, make: Callable[[], str]) -> str:
    """Write text atomically and return the SHA-256 of its bytes."""
    content = make().encode("utf-8", "replace")
    with _replacing(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path`` that takes its place once it is whole and on disk."""
    temporary = path.with_name(f".{path.name}.partial")
    with _as_store_error(path):
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} could not be written: {error.strerror or error}. The results are in the run's "
            f"store; make room or choose a writable place, then run `llmaudit report {path.parent}`."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
