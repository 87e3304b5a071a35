"""Writes the files of a finished run: each appears whole or not at all, the manifest last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaudit.errors import StoreError, UsageError
from llmaudit.findings import Run
from llmaudit.report import (
    render_html,
    render_markdown,
    results_json,
    write_generations_parquet,
)
from llmaudit.report.pdf import render_pdf
from llmaudit.transparency import hide_folders_in

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ReportOptions:
    """How the report is made: ``template`` is a user's own for the HTML; ``pdf`` adds a PDF."""

    template: Path | None = None
    pdf: bool = False


def write_artifacts(
    directory: Path,
    run: Run,
    rows: Iterator[Mapping[str, Any]],
    *,
    content_digest: str,
    options: ReportOptions,
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
    options : ReportOptions

    Raises
    ------
    InvalidFileError
        If the user's own template is at fault; the files of an earlier report stay then.
    StoreError
        If a file cannot be written: the disk is full, or the folder is read-only.
    """
    html = render_html(run, template=options.template)
    contents = {
        "report.html": _encode(html),
        "report.md": _encode(render_markdown(run)),
        "results.json": _encode(_json(results_json(run))),
        "config.yaml": _encode(_yaml(run)),
    }
    if options.pdf:
        contents["report.pdf"] = render_pdf(html)
    withdraw_manifest(directory)
    for name, content in contents.items():
        _write(directory / name, content)
    with _replacing(directory / "generations.parquet") as temporary:
        write_generations_parquet(temporary, rows)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    files["generations.parquet"] = _sha256(directory / "generations.parquet")
    manifest = {"run_id": run.id, "content_digest": content_digest, "files": files}
    _write(directory / MANIFEST, _encode(_json(manifest)))
    return directory / "report.html"


def write_text(path: Path, text: str) -> None:
    """Write a file that somebody asked for by its path; it appears whole or not at all.

    Raises
    ------
    UsageError
        If it cannot be written there.
    """
    try:
        with _whole(path) as temporary:
            temporary.write_bytes(_encode(text))
    except OSError as error:
        raise UsageError(
            f"{path} could not be written: {error.strerror or error}. Name another file."
        ) from error


def withdraw_manifest(directory: Path) -> None:
    """Remove the manifest, without which no run passes for finished."""
    with _as_store_error(directory / MANIFEST):
        (directory / MANIFEST).unlink(missing_ok=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _yaml(run: Run) -> str:
    import yaml

    stored = hide_folders_in({"config": run.config, "suite": run.suite, "policy": run.policy})
    return yaml.safe_dump(json.loads(json.dumps(stored)), sort_keys=True, allow_unicode=True)


def _encode(text: str) -> bytes:
    """Return UTF-8; a lone surrogate in a model's output becomes a question mark."""
    return text.encode("utf-8", "replace")


def _write(path: Path, content: bytes) -> None:
    with _replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside a run's ``path`` that takes its place once it is whole."""
    with _as_store_error(path), _whole(path) as temporary:
        yield temporary


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path`` that takes its place once it is whole and on disk."""
    temporary = path.with_name(f".{path.name}.partial")
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
            f"{path} could not be written: {error.strerror or error}. The results are in the "
            f"run's store; make room, then run `llmaudit report {path.parent}`."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
