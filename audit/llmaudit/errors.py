"""Every exception the program raises on purpose.

::

    AuditError                      root: something a person can act on
    ├── UsageError                  exit 2: the command line or a file is wrong
    │   ├── UnknownNameError        a model, probe set, suite, scorer, policy or key nobody knows
    │   └── InvalidFileError        a YAML file breaks its format (carries every problem found)
    ├── UnavailableError            exit 4: weights or files are not here and cannot be fetched
    ├── CapacityError               exit 4: the model does not fit this machine
    ├── StoreError                  exit 4: the run store is damaged, foreign, locked or unwritable
    ├── ModelError                  exit 4: the model under audit could not be loaded
    ├── ScorerError                 exit 4: a scorer could not be loaded
    └── Interrupted                 exit 4: stopped by the user; the run can be resumed

A failure that concerns one request only is never an exception: it is a ``RequestError`` value
inside a :class:`llmaudit.records.Generation` or :class:`llmaudit.records.Likelihood`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_INCOMPLETE = 4

#: The most names that a message lists in full.
_MOST_NAMES = 40


class AuditError(Exception):
    """Root of the tree; ``exit_code`` is what the command line returns for it."""

    exit_code = EXIT_INCOMPLETE


class UsageError(AuditError):
    """The command line or a configuration file asks for something that makes no sense."""

    exit_code = EXIT_USAGE


class UnknownNameError(UsageError):
    """A name that nobody knows; the message lists the nearest and the known ones, if not too many.

    Parameters
    ----------
    kind : str
        What was named, for example ``"probe set"``.
    name : str
        The unknown name.
    known : iterable of str
        Every name that would have been accepted.
    hint : str
        One more sentence, for example another kind of value that is accepted.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        message = f"unknown {kind} {name!r}"
        if near:
            message += f"; did you mean {near[0]!r}?"
        message += f" Known: {_list_names(name, names)}."
        if hint:
            message += f" {hint}"
        super().__init__(message)
        self.kind, self.name, self.nearest = kind, name, near[0] if near else None


def _list_names(name: str, names: list[str]) -> str:
    """Return all known names, or the nearest to ``name`` where they would fill the terminal."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names) or "none"
    nearest = sorted(difflib.get_close_matches(name, names, n=_MOST_NAMES // 4, cutoff=0.0))
    return f"{', '.join(nearest)} and {len(names) - len(nearest)} more"


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One fault in one file: where it is, what it is, and what to do about it."""

    file: str
    line: int | None
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f" {self.key}:" if self.key else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}:{key} {self.problem}{remedy}"


class InvalidFileError(UsageError):
    """A file breaks its format. ``problems`` holds every fault found, not only the first."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnavailableError(AuditError):
    """Weights or data are not on this machine and could not be fetched."""


class CapacityError(AuditError):
    """The model needs more memory than this machine has free."""


class StoreError(AuditError):
    """The run directory is damaged, belongs to another run, is in use, or cannot be written."""


class ModelError(AuditError):
    """The model under audit could not be loaded, or cannot be loaded safely."""


class ScorerError(AuditError):
    """A scorer could not be loaded; the message says what to do."""


class Interrupted(AuditError):  # noqa: N818 - the user's wish, not an error
    """The user stopped the run; everything finished so far is stored."""
