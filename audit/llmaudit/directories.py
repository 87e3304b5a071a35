"""Which directory a run lives in: a new one, or the one it was left in."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmaudit.config import AuditConfig
from llmaudit.store import RunStore

RUNS = Path("runs")


def find_directory(
    config: AuditConfig, model: str, suite: str, identity: Mapping[str, Any]
) -> Path:
    """Return ``--out``, or the directory under ``runs/`` where this run is, or shall be.

    A run with the same identity is gone on with whatever day it was begun. A directory of
    another run is never reused: the next one gets a number.

    Parameters
    ----------
    config : AuditConfig
    model, suite : str
        For the directory's name.
    identity : mapping
        What defines the run's requests.
    """
    if config.out is not None:
        return config.out
    stem = re.sub(r"[^a-z0-9._-]+", "-", f"{model}-{suite}".lower()).strip("-.")
    for found in sorted(RUNS.glob(f"{stem}-*"), reverse=True):
        if RunStore.exists(found) and _identity(found) == identity:
            return found
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return next(path for path in _names(f"{stem}-{today}") if not path.exists())


def _identity(directory: Path) -> Mapping[str, Any] | None:
    """Return what a run is; None for a store that cannot be read, which is left alone."""
    from llmaudit.errors import StoreError

    try:
        with RunStore.open(directory, read_only=True) as store:
            return store.identity
    except StoreError:
        return None


def _names(stem: str) -> Iterator[Path]:
    yield RUNS / stem
    number = 2
    while True:
        yield RUNS / f"{stem}-{number}"
        number += 1
