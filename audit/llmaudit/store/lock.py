"""One writer per run directory: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from llmaudit.errors import StoreError
from llmaudit.store.failures import as_store_errors

LOCK_NAME = "run.lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        # The locked byte lies far behind the text, so that others can still read who holds it.
        file.seek(2**30)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class DirectoryLock:
    """The right to write in one run directory, held until :meth:`release` or the process's end.

    Parameters
    ----------
    directory : Path
        An existing run directory.

    Raises
    ------
    StoreError
        If another process holds the lock, or the lock file cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_NAME
        with as_store_errors(path, "open the lock file"):
            self._file = path.open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read(32).decode("ascii", "replace").strip() or "unknown"
            self._file.close()
            raise StoreError(
                f"{directory} is in use by another process (process id {holder}). Wait until it "
                f"has ended, or choose another --out."
            ) from error
        with as_store_errors(path, "write the lock file"):
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n".encode())
            self._file.flush()

    def release(self) -> None:
        """Let others write; the lock file stays, since removing it would race with them."""
        self._file.close()
