"""Facts about the machine and the software of a run; nothing that names a person or a place."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("openllmaudit", "torch", "transformers", "tokenizers", "safetensors", "gguf")
_PACKAGES_SCORING = ("detoxify", "numpy", "scipy", "scikit-learn", "statsmodels", "matplotlib")
#: What only some runs use; where they are not installed there is nothing to tell.
_PACKAGES_OPTIONAL = ("vllm", "peft", "httpx", "accelerate", "bitsandbytes")
_GIB = 2**30
_ABSENT = "not installed"


def package_version(name: str) -> str:
    """Return an installed distribution's version, or ``not installed``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return _ABSENT


def processor_name(cpuinfo: Iterable[str]) -> str:
    """Return the processor's model from the lines of ``/proc/cpuinfo``, else the architecture."""
    for line in cpuinfo:
        key, _, value = line.partition(":")
        if key.strip().lower() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _read_cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def _memory() -> str:
    import psutil

    return f"{psutil.virtual_memory().total / _GIB:.1f} GiB"


def _usable_cores() -> str:
    allowed = getattr(os, "sched_getaffinity", None)
    return str(len(allowed(0)) if allowed else os.cpu_count())


def _threads() -> str:
    import torch

    return str(torch.get_num_threads())


def _accelerators() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none"
    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def environment_facts() -> Mapping[str, str]:
    """Return software versions and hardware, as label to text.

    Host name, user name, folders and environment variables are left out on purpose: a report
    travels further than the machine that made it.
    """
    facts = {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "operating system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine() or "unknown",
        "processor": processor_name(_read_cpuinfo()),
        "usable cores": _usable_cores(),
        "threads": _threads(),
        "memory": _memory(),
        "accelerators": _accelerators(),
    }
    facts.update({name: package_version(name) for name in (*_PACKAGES, *_PACKAGES_SCORING)})
    optional = {name: package_version(name) for name in _PACKAGES_OPTIONAL}
    return facts | {name: found for name, found in optional.items() if found != _ABSENT}
