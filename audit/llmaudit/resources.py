"""Finds the data that ships with the program, and the folders it may write to."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str) -> Path:
    """Return a shipped folder: inside an installed package, else the checkout's."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parents[1] / folder


def probes_dir() -> Path:
    """Return the folder of shipped probe sets, lexicons, suites, policies and calibration sets."""
    return _shipped("probes")


def templates_dir() -> Path:
    """Return the folder of shipped Jinja templates and style sheets."""
    return _shipped("templates")


def cache_dir() -> Path:
    """Return the folder for fetched files: ``LLMAUDIT_CACHE``, else the user's cache directory."""
    override = os.environ.get("LLMAUDIT_CACHE")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("llmaudit")
