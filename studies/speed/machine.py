"""What the measurements were made on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import HERE

_CPU = Path("/proc/cpuinfo")
_MEMORY = Path("/proc/meminfo")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
_ASK = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); import task; "
    "print(json.dumps(task.versions()))"
)


def describe_machine(threads: int, interpreters: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the machine's facts, and the versions of all tools by interpreter."""
    cpu = _read(_CPU)
    flags = cpu.get("flags", "").split()
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "cpu_family_model": f"{cpu.get('cpu family', '?')}/{cpu.get('model', '?')}",
        "vector_units": [flag for flag in _FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "threads": threads,
        "memory": _read(_MEMORY).get("MemTotal", "unknown"),
        "system": platform.platform(),
        "load_before": os.getloadavg(),
        "versions": {name: _versions(path) for name, path in interpreters.items() if path},
    }


def _read(path: Path) -> dict[str, str]:
    """Return the first value of every key of a file of the form ``key : value``."""
    found: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    return found


def _versions(python: str) -> dict[str, str]:
    """Return the versions that one interpreter has.

    Raises
    ------
    SystemExit
        If the interpreter cannot be run.
    """
    try:
        done = subprocess.run(
            [python, "-c", _ASK, str(HERE)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{python} cannot be run: {error}") from error
    found: dict[str, str] = json.loads(done.stdout)
    return found
