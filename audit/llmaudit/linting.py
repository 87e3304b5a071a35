"""Checks any file that a user may write: alone, and against everything that it names.

What one file says by itself is checked where its format is defined. What stands here needs
several parts of the program at once: a suite's probe sets and scorers, a policy's metrics, axes
and groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.config import Suite
from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.policyfaults import find_policy_faults
from llmaudit.probesets import (
    ProbeSet,
    find_kind,
    find_probe_sets,
    lint_file,
    load_probe_set,
)
from llmaudit.records import Task
from llmaudit.scorers import knows_scorer, list_scorers
from llmaudit.verdicts.waivers import today
from llmaudit.yamlfile import Document, read_yaml, read_yaml_partly, validate
from llmaudit.yamlproblems import KeyPath, name_nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

_SUFFIXES = frozenset({".yaml", ".yml"})
#: Files of these kinds are checked as far as they are sound, so that all faults are told at once.
_READ_PARTLY = frozenset({"probe set", "lexicon", "wrappers"})
_SCRIPT_KEYS = frozenset({"answers", "likelihoods"})
_RUBRIC_KEYS = frozenset({"question", "scale"})
_CARD_KEYS = frozenset({"kind", "construct"})


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and the YAML files within the folders named, each once.

    Raises
    ------
    InvalidFileError
        If a folder holds no YAML file: nothing in it would be checked.
    """
    found: dict[Path, None] = {}
    empty: list[FileProblem] = []
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        inside = sorted(file for file in path.rglob("*") if _is_visible_yaml(file, path))
        found.update(dict.fromkeys(inside))
        if not inside:
            remedy = "name a file, or a folder that holds .yaml files"
            empty.append(FileProblem(str(path), None, "", "holds no .yaml file", remedy))
    if empty:
        raise InvalidFileError(empty)
    return list(found)


def _is_visible_yaml(file: Path, folder: Path) -> bool:
    """Say whether a file is YAML and in no hidden folder, such as a virtual environment."""
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix in _SUFFIXES and not hidden and file.is_file()


def lint_files(files: Sequence[Path]) -> list[FileProblem]:
    """Return every fault of probe sets, lexicons, suites, policies and the files that stand alone.

    A policy may name the probe sets that ship, those linted with it, and those of a suite that
    is linted with it.

    Parameters
    ----------
    files : sequence of Path
    """
    documents: list[tuple[Document, str | None]] = []
    problems: list[FileProblem] = []
    for file in files:
        try:
            document, found = read_yaml_partly(file)
            kind = _kind(document.data)
            if found and kind not in _READ_PARTLY:
                problems += found
            else:
                documents.append((document, kind))
        except InvalidFileError as error:
            problems += error.problems
    known = _Known()
    # Policies come last: by then everything that they may name is known.
    for document, kind in sorted(documents, key=lambda pair: pair[1] == "policy"):
        problems += _lint_one(document, kind, known)
    places = {str(file): place for place, file in enumerate(files)}
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda one: (places.get(one.file, len(places)), one.line or 0))


def refuse_faulty_files(suite: str, policy: str) -> None:
    """Refuse a suite file or a policy file that names what does not exist, before a run.

    A waiver that is no longer in force is refused too. Names of shipped files are left to their
    loaders, which know the nearest one.

    Raises
    ------
    InvalidFileError
        With every problem found.
    """
    known = _Known()
    problems: list[FileProblem] = []
    for name, kind in ((suite, "suite"), (policy, "policy")):
        if Path(name).suffix in _SUFFIXES:
            try:
                problems += _lint_one(read_yaml(Path(name)), kind, known)
            except InvalidFileError as error:
                problems += error.problems
    if problems:
        raise InvalidFileError(problems)


def refuse_faulty_policy(policy: str) -> None:
    """Refuse a policy file that a stored run cannot be held against.

    The run may hold probe sets that are not here any more, so only their names are not checked.

    Raises
    ------
    InvalidFileError
        With every problem found.
    """
    if Path(policy).suffix in _SUFFIXES:
        problems = find_policy_faults(read_yaml(Path(policy)), None, today())
        if problems:
            raise InvalidFileError(problems)


class _Known:
    """The probe sets that a policy may name: shipped ones, loaded when asked for, and others."""

    def __init__(self) -> None:
        self._files = find_probe_sets()
        self._shipped: dict[str, ProbeSet] = {}
        self._others: dict[str, ProbeSet] = {}

    def add(self, probe_set: ProbeSet) -> None:
        self._others[probe_set.definition.id] = probe_set

    def names(self) -> set[str]:
        return {*self._files, *self._others}

    def get(self, name: str) -> ProbeSet | None:
        return self._others.get(name) or self.get_shipped(name)

    def get_shipped(self, name: str) -> ProbeSet | None:
        if name in self._files and name not in self._shipped:
            self._shipped[name] = load_probe_set(name)
        return self._shipped.get(name)

    def shipped_names(self) -> set[str]:
        return set(self._files)


def _kind(data: Any) -> str | None:
    keys = set(data) if isinstance(data, dict) else set()
    # Rubrics and cards name a construct, as probe sets do.
    if keys & _RUBRIC_KEYS and "construct" in keys:
        return "rubric"
    if keys >= _CARD_KEYS:
        return "scorer card"
    kind = find_kind(data)
    return "scripted model" if kind is None and _SCRIPT_KEYS & keys else kind


def _script_format() -> type[BaseModel]:
    from llmaudit.models.scripted import Script

    return Script


def _rubric_format() -> type[BaseModel]:
    from llmaudit.scorers.rubrics import Rubric

    return Rubric


def _card_format() -> type[BaseModel]:
    from llmaudit.scorers.scorer_cards import ScorerCard

    return ScorerCard


#: Kinds of files that name nothing else: they are sound where they fit their format.
_ALONE: Mapping[str, Callable[[], type[BaseModel]]] = {
    "scripted model": _script_format,
    "rubric": _rubric_format,
    "scorer card": _card_format,
}


def _lint_one(document: Document, kind: str | None, known: _Known) -> list[FileProblem]:
    try:
        if kind == "suite":
            return list(_check_suite(document, validate(document, Suite), known))
        if kind == "policy":
            return find_policy_faults(document, known, today())
        if kind is not None and kind in _ALONE:
            validate(document, _ALONE[kind]())
            return []
        if kind == "probe set":
            known.add(load_probe_set(document.path))
    except InvalidFileError as error:
        return list(error.problems)
    if kind is None:
        what = (
            "is no probe set, lexicon, wrappers, suite, policy, scripted model, rubric or card of "
            "a scorer"
        )
        remedy = (
            "they have the keys templates, groups, wrappers, probe_sets, checks, answers, scale "
            "and kind"
        )
        return [document.problem((), what, remedy)]
    return lint_file(document.path)


def _check_suite(document: Document, suite: Suite, known: _Known) -> Iterator[FileProblem]:
    for place, entry in enumerate(suite.probe_sets):
        key: KeyPath = ("probe_sets", place, "id")
        if entry.id.endswith(".yaml"):
            try:
                probe_set = load_probe_set(document.path.parent / entry.id)
            except InvalidFileError as error:
                yield document.problem(key, f"probe set {entry.id} is not sound", "correct it")
                yield from error.problems
                continue
            known.add(probe_set)
        else:
            found = known.get_shipped(entry.id)
            if found is None:
                remedy = name_nearest(entry.id, known.shipped_names())
                yield document.problem(key, f"unknown probe set {entry.id!r}", remedy)
                continue
            probe_set = found
        if probe_set.definition.task is Task.CARRIER:
            problem = f"{entry.id!r} is for scorers: no model is asked anything by it"
            yield document.problem(key, problem, "take it out")
    for place, scorer in enumerate(suite.scorers):
        if not knows_scorer(scorer):
            remedy = name_nearest(scorer, list_scorers())
            yield document.problem(("scorers", place), f"unknown scorer {scorer!r}", remedy)
