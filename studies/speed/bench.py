"""Runs workers in processes of their own, in turns, and makes ratios of what they took."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
Answer = Mapping[str, Any]


class NotMeasuredError(Exception):
    """A program that was to be measured failed; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Bench:
    """What holds for every process that is measured.

    Attributes
    ----------
    model : str
    folder : Path
        The model's transformers folder, which every tool loads.
    threads, rounds : int
    dtypes : sequence of str
    scratch : Path
        A folder that is deleted in the end.
    harness_python, garak_python : str or None
        Interpreters that have the other tools; None where they are not to be measured.
    garak_class : str
    pairs_file : Path
        CrowS-Pairs as published.
    sample : int or None
        So many pairs and prompts only, to try the scripts out.
    batch_sizes : mapping of str to (int or None)
        Of ``harness`` and ``transformers``, where the best size is known; else sizes are tried.
    """

    model: str
    folder: Path
    threads: int
    rounds: int
    dtypes: Sequence[str]
    scratch: Path
    harness_python: str | None
    garak_python: str | None
    garak_class: str
    pairs_file: Path
    sample: int | None = None
    batch_sizes: Mapping[str, int | None] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of a measured process: nothing fetched, nothing left behind."""
        kept = {key: value for key, value in os.environ.items() if key not in _NOT_PASSED_ON}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
        caches = {"HF_DATASETS_CACHE": "datasets", "HF_MODULES_CACHE": "modules"}
        moved = {key: str(self.scratch / name) for key, name in caches.items()}
        return {**kept, **threads, **offline, **moved}

    def work(self, script: str, python: str = sys.executable, **task: Any) -> Answer:
        """Have a worker do a task and return its answer.

        Raises
        ------
        NotMeasuredError
            If it fails.
        """
        environment = self.environment()
        if python == self.garak_python:
            places = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
            environment.update(dict.fromkeys(places, str(self.scratch / "garak")))
        told = {"folder": str(self.folder), "threads": self.threads, **task}
        path = self.scratch / "task.json"
        path.write_text(json.dumps({**told, "started": time.perf_counter()}), encoding="utf-8")
        done = run_command([python, str(HERE / script), str(path)], environment, self.scratch)
        found: Answer = json.loads(done.output.strip().splitlines()[-1])
        print(f"    {script} {_in_short(told)}: {_spent(found)}", file=sys.stderr, flush=True)
        return found


@dataclass(frozen=True)
class Finished:
    """A process that ended well: what it printed, how long it took."""

    output: str
    seconds: float
    cpu_seconds: float


def run_command(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Finished:
    """Run a program from its start to its end.

    Raises
    ------
    NotMeasuredError
        If it fails.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        told = f"{done.stdout}\n{done.stderr}"[-3000:]
        said = f"{' '.join(command)} failed with exit code {done.returncode}"
        raise NotMeasuredError(f"{said}:\n{told}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Finished(done.stdout, seconds, cpu)


def _in_short(task: Mapping[str, Any]) -> str:
    """Return what tells this task from others."""
    keys = ("dtype", "batch_sizes", "samples")
    return " ".join(f"{key}={task[key]}" for key in keys if key in task)


def _spent(answer: Answer) -> str:
    return ", ".join(f"{run['seconds']:.1f} s" for run in answer["runs"]) or "done"


def alternate(rounds: int, *contestants: Callable[[], Answer]) -> list[list[Answer]]:
    """Run all contestants in turn, again and again: A B A B.

    Returns
    -------
    list of lists
        For each contestant its answers, one per round.
    """
    found: list[list[Answer]] = [[] for _ in contestants]
    for _ in range(rounds):
        for answers, contestant in zip(found, contestants, strict=True):
            answers.append(contestant())
    return found


@dataclass(frozen=True)
class Ratio:
    """A ratio over all rounds, its least and largest value in a round, and that of CPU times."""

    value: float
    low: float
    high: float
    by_cpu: float | None = None


def ratio_of(above: Sequence[Answer], below: Sequence[Answer], per: str | None = None) -> Ratio:
    """Return how much longer one contestant took than another.

    Parameters
    ----------
    above, below : sequence of answers
        Of the rounds, in order; the first run of each answer counts.
    per : str, optional
        Divide each time by this figure of its run, for example ``tokens``.
    """
    over, under = _costs(above, "seconds", per), _costs(below, "seconds", per)
    each = [a / b for a, b in zip(over, under, strict=True)]
    cpu_over, cpu_under = _costs(above, "cpu_seconds", per), _costs(below, "cpu_seconds", per)
    return Ratio(sum(over) / sum(under), min(each), max(each), sum(cpu_over) / sum(cpu_under))


def _costs(answers: Sequence[Answer], what: str, per: str | None) -> list[float]:
    runs = [answer["runs"][0] for answer in answers]
    return [run[what] / (run[per] if per else 1) for run in runs]


def mean_of(answers: Sequence[Answer], what: str = "seconds") -> float:
    """Return the mean of a figure of the first runs."""
    return float(sum(answer["runs"][0][what] for answer in answers) / len(answers))


def mean_preparation(answers: Sequence[Answer]) -> float:
    """Return the mean time from the start of a process to its first measured run."""
    return float(sum(answer["preparation_seconds"] for answer in answers) / len(answers))


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio and what was wanted of it.

    ``at_least`` or ``at_most`` is what was wanted; None where nothing was.
    """

    part: str
    setting: str
    ours: str
    other: str
    ratio: Ratio
    at_least: float | None = None
    at_most: float | None = None

    @property
    def wanted(self) -> str:
        """What was wanted, in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    @property
    def met(self) -> bool | None:
        """Whether that was reached."""
        if self.at_least is not None:
            return self.ratio.value >= self.at_least
        return None if self.at_most is None else self.ratio.value <= self.at_most


@dataclass
class Outcome:
    """What a part of the study found.

    ``faults`` are results of two tools that disagree, ``skipped`` what was not to be measured and
    why, ``failed`` what could not be, ``records`` all that was measured, as JSON values.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, **record: Any) -> None:
        """Keep a record, without the long lists of single results."""
        self.records.append(_without_lists(record))


def _without_lists(value: Any) -> Any:
    """Return a value without the single results of a run."""
    if isinstance(value, Mapping):
        long = ("logprobs", "lengths")
        return {key: _without_lists(inner) for key, inner in value.items() if key not in long}
    return [_without_lists(inner) for inner in value] if isinstance(value, list) else value
