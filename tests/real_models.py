"""A pytest plug-in: the one real model that a package index can give, for tests anywhere.

The program is imported inside the fixture: plug-ins load before coverage is measured.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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

    try:
        return find_source("smollm2-135m").folder
    except UnavailableError as error:
        skip_or_fail(f"smollm2-135m is not here and cannot be fetched: {error}")
        raise
