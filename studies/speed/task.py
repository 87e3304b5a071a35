"""What a worker is told and what it answers. Only the standard library: any interpreter runs it.

A worker is a program that is given the path of a JSON file and prints one JSON line, the last of
its output.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
PACKAGES = ("openllmaudit", "torch", "transformers", "tokenizers", "numpy", "lm_eval", "garak")


def read_task() -> dict[str, Any]:
    """Return what this worker shall do, with torch's threads already set.

    ``started`` is the driver's ``time.perf_counter()`` just before this process began.
    """
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    limit_threads(task)
    return task


def limit_threads(task: dict[str, Any]) -> None:
    """Let torch compute with as many threads as every worker does; again after loading."""
    import torch

    torch.set_num_threads(task["threads"])


class Stopwatch:
    """Measures what happens within its ``with``: by the clock, and in this process's CPU time."""

    def __enter__(self) -> Stopwatch:
        """Begin."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.began = self._wall
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = time.process_time() - self._cpu

    def read(self) -> dict[str, float]:
        """Return what was measured, in seconds."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "began": self.began}


def answer(task: dict[str, Any], runs: Sequence[dict[str, Any]], **facts: Any) -> None:
    """Print what was measured; ``preparation_seconds`` is all before the first measured run.

    Parameters
    ----------
    task : dict
    runs : sequence of dict
        Each what :meth:`Stopwatch.read` gives, with what was done in that time.
    **facts
        What else is to be known.
    """
    found = {
        "preparation_seconds": runs[0]["began"] - task["started"] if runs else None,
        "runs": list(runs),
        "peak_bytes": peak_bytes(),
        "versions": versions(),
        **facts,
    }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


def versions() -> dict[str, str]:
    """Return what is installed here of all that is compared."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_bytes() -> int:
    """Return the most memory that was ever resident in this process.

    Linux hands the ``ru_maxrss`` of the process that started this one on to it, so the high-water
    mark of this program's own memory is read where there is one.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
