"""A pytest plug-in: the one real model that a package index can give, for tests anywhere.

The program is imported inside the fixture: plug-ins load before coverage is measured.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores already
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("COLUMNS", None)  # theirs, which would be taken for a terminal's


def skip_or_fail(reason: str) -> None:
    """Skip a test whose outside part is missing; where CI runs, fail instead."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, fetched once into the user's cache."""
    from llmaudit.errors import UnavailableError
    from llmaudit.models.sources import find_source

    lock = FileLock(Path(tempfile.gettempdir()) / "llmaudit-smollm2-135m.lock")
    try:
        with lock:  # so that two test processes do not fetch it at once
            return find_source("smollm2-135m").folder
    except UnavailableError as error:
        skip_or_fail(f"smollm2-135m is not here and cannot be fetched: {error}")
        raise
