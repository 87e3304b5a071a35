"""Analyses Python code with bandit, in a process of its own with limits on time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from llmaudit.errors import ScorerError

START_SECONDS, SECONDS_PER_PIECE = 20.0, 1.0
MOST_PIECES = 64
"""Pieces of code that one process is given."""
_WORKER = Path(__file__).with_name("code_worker.py")
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "HOME")

Issues = list[tuple[str, str, int]]
"""The issues of one piece of code: bandit's test, severity, CWE number."""


def analyse_python(pieces: Sequence[str]) -> list[Issues | None]:
    """Return the issues of each piece of code, None where it could not be analysed.

    A process that breaks or takes too long is tried again with half of its pieces, so that one
    hostile piece costs its own result only.

    Raises
    ------
    ScorerError
        If bandit cannot be started at all.
    """
    results: list[Issues | None] = []
    for start in range(0, len(pieces), MOST_PIECES):
        results += _analyse(pieces[start : start + MOST_PIECES])
    return results


def _analyse(pieces: Sequence[str]) -> list[Issues | None]:
    found = _run_worker(pieces)
    if found is not None:
        return found
    if len(pieces) == 1:
        return [None]
    half = len(pieces) // 2
    return [*_analyse(pieces[:half]), *_analyse(pieces[half:])]


def _run_worker(pieces: Sequence[str]) -> list[Issues | None] | None:
    """Return what the worker says; None where it broke or took too long."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own file, by this interpreter, without a shell
            [sys.executable, "-P", str(_WORKER)],
            input=json.dumps(list(pieces)).encode(),
            capture_output=True,
            timeout=START_SECONDS + SECONDS_PER_PIECE * len(pieces),
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise ScorerError(f"bandit could not be started: {error}") from error
    if done.returncode != 0:
        if b"ModuleNotFoundError" in done.stderr:
            raise ScorerError("bandit is not installed: pip install bandit")
        return None
    answer = json.loads(done.stdout)
    return [None if one is None else [(t, s, c) for t, s, c in one] for one in answer]
