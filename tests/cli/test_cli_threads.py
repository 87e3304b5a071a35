"""OpenMP's idle threads sleep soon, unless the environment says otherwise."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from llmaudit.cli import SPINS, main


def spins_after(monkeypatch: pytest.MonkeyPatch, **given: str) -> str | None:
    """Return what a command leaves in the environment."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that the test's end restores it
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(main, ["list", "--help"]).exit_code == 0
    return os.environ.get("GOMP_SPINCOUNT")


def test_threads_sleep_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spins_after(monkeypatch) == SPINS


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spins_after(monkeypatch, GOMP_SPINCOUNT="7") == "7"
    assert spins_after(monkeypatch, OMP_WAIT_POLICY="active") is None
