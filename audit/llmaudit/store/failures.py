"""Turns what SQLite and the disk say into a :class:`StoreError` that a person can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmaudit.errors import StoreError

DAMAGED_REMEDY = (
    "Nothing was changed. Restore the run directory from a copy, or start over with --fresh, "
    "which keeps the old file under another name."
)
_REMEDIES = (
    (
        ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE"),
        "The disk is full or a file size limit was reached. Everything stored before is kept; "
        "free some space and run the same command again.",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH"),
        "Check that the file and its directory exist and that you may write to them.",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        "Another process is using the file; wait until it has ended.",
    ),
    (
        ("SQLITE_TOOBIG",),
        "A value is larger than a store may hold; lower --max-new-tokens, or check the input.",
    ),
    (("SQLITE_IOERR",), "Reading or writing failed; check the disk and its mount."),
)


@contextmanager
def as_store_errors(path: Path, doing: str) -> Iterator[None]:
    """Raise whatever SQLite or the operating system raises inside as a :class:`StoreError`.

    Parameters
    ----------
    path : Path
        The file that is being worked on; the message names it.
    doing : str
        What was tried, after "cannot", for example ``"read the generations of"``.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"cannot {doing} {path}: {error}. {_remedy(error)}") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(
            f"cannot {doing} {path}: {why}. Check the path, the permissions and the free space."
        ) from error


def _remedy(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    for prefixes, remedy in _REMEDIES:
        if name.startswith(prefixes):
            return remedy
    return f"The file is damaged or not a run store. {DAMAGED_REMEDY}"
