"""Makes the hand-built run importable and hands it to the report tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from run_fixture import build_run

from llmaudit.records import Run


@pytest.fixture(scope="session")
def run() -> Run:
    """Return a finished run with every kind of verdict."""
    return build_run()
