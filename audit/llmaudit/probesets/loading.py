"""Finds probe sets and lexicons, reads them, and refuses what would not fill to sound prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from llmaudit import resources
from llmaudit.errors import FileProblem, InvalidFileError, UnknownNameError
from llmaudit.probesets.checking import check_probe_set
from llmaudit.probesets.datasheets import describe
from llmaudit.probesets.lexiconloading import LEXICONS, load_lexicons
from llmaudit.probesets.lexicons import Group, LexiconFile
from llmaudit.probesets.reading import read_partly
from llmaudit.probesets.schema import ProbeSetFile, Template
from llmaudit.probesets.sizing import count_prompts
from llmaudit.probesets.wrapping import WrapperFile, check_composition, check_wrappers
from llmaudit.records import ProbeSetFacts, content_id
from llmaudit.yamlfile import Document, read_yaml_partly
from llmaudit.yamlproblems import MAX_PROBLEMS, name_nearest

WRAPPERS = "wrappers"
OTHER_FOLDERS = frozenset({LEXICONS, WRAPPERS, "suites", "policies"})
"""The folders of ``probes/`` that hold no probe sets."""


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """A probe set that was read and checked, with the lexicons it is crossed with.

    Attributes
    ----------
    definition : ProbeSetFile
        What the file says.
    digest : str
        16 hex digits: the SHA-256 of the file's bytes; where the set names axes or is composed, of
        that and the digests of the lexicons, the set it wraps and the wrappers, since they change
        the prompts too.
    path : Path
        The file.
    lexicons : mapping of str to LexiconFile
        By axis.
    lexicon_digests : mapping of str to str
        By axis: the SHA-256 (16 hex digits) of each lexicon's bytes; of an axis made of two others
        the digest of the three.
    base : ProbeSet or None
        The set that a composed set wraps.
    wrappers : tuple of WrapperFile
        What it wraps it in.
    """

    definition: ProbeSetFile
    digest: str
    path: Path
    lexicons: Mapping[str, LexiconFile]
    lexicon_digests: Mapping[str, str]
    base: ProbeSet | None = None
    wrappers: tuple[WrapperFile, ...] = ()

    def groups(self, axis: str) -> tuple[Group, ...]:
        """Return the groups that the set compares on one of its axes, in its order."""
        every = self.lexicons[axis].groups
        chosen = self.definition.groups.get(axis)
        if chosen is None:
            return every
        by_id = {group.id: group for group in every}
        return tuple(by_id[name] for name in chosen)

    def templates(self) -> tuple[Template, ...]:
        """Return the set's templates, or those of the set that it wraps."""
        return self.definition.probes if self.base is None else self.base.templates()

    def count(self) -> int:
        """Return how many prompts the set fills to."""
        if self.base is None:
            return count_prompts(self.definition, self.lexicons)
        every = sum(len(file.wrappers) for file in self.wrappers)
        asked = self.definition.compose.per_request if self.definition.compose else None
        return self.base.count() * min(asked or every, every)

    def facts(self, prompts: int) -> ProbeSetFacts:
        """Return what the report prints of this set, of which ``prompts`` prompts were used."""
        file = self.definition
        return ProbeSetFacts(
            id=file.id,
            digest=self.digest,
            title=file.title,
            version=file.version,
            licence=file.licence,
            language=file.language,
            construct=file.construct_name,
            task=file.task,
            axes=file.axes,
            author=file.author,
            intended_use=file.datasheet.intended_use,
            known_limits=file.datasheet.known_limits,
            metrics=file.metrics,
            templates=len(self.templates()),
            prompts=prompts,
            datasheet=describe(self),
        )


def find_probe_sets(search: Path | None = None) -> dict[str, Path]:
    """Return the files of a folder of probe sets (the shipped one by default) by set id."""
    root = resources.probes_dir() if search is None else search
    return {
        path.stem: path
        for path in sorted(root.glob("**/*.yaml"))
        if not OTHER_FOLDERS & set(path.relative_to(root).parts[:-1])
    }


def find_wrappers(search: Path | None = None) -> dict[str, Path]:
    """Return the files of wrappers of a folder of probe sets (the shipped one by default) by id."""
    root = resources.probes_dir() if search is None else search
    return {path.stem: path for path in sorted((root / WRAPPERS).glob("*.yaml"))}


def list_probe_sets(search: Path | None = None) -> list[str]:
    """Return the ids of the shipped probe sets, or of those in another folder, sorted."""
    return sorted(find_probe_sets(search))


def load_probe_set(name_or_path: str | Path, *, search: Path | None = None) -> ProbeSet:
    """Load a shipped probe set by name, or any by its file's path.

    Parameters
    ----------
    name_or_path : str or Path
        A name; or a path: a ``Path``, or text with a folder or ending in ``.yaml``.
    search : Path, optional
        A folder laid out like ``probes/`` to look names and lexicons up in, instead of the
        shipped one. Lexicons beside the probe file, or in a folder ``lexicons`` there, come first.

    Raises
    ------
    UnknownNameError
        If no probe set has that name.
    InvalidFileError
        If the file or one of its lexicons is not sound; carries every problem found.
    """
    path = _resolve(name_or_path, search)
    reading = read_partly(path, ProbeSetFile)
    document, definition = reading.document, reading.content
    if definition is None:
        raise InvalidFileError(reading.problems)
    lexicons, digests, lacking = load_lexicons(definition, document, search)
    faults = islice(check_probe_set(definition, path.stem, lexicons), MAX_PROBLEMS)
    problems = [*reading.problems, *lacking, *reading.tell(faults)]
    parts: dict[str, object] = {"lexicons": digests} if digests else {}
    composed: _Composed | None = None
    if definition.compose is not None and not problems:
        composed = _compose(definition, document, search)
        problems += composed.problems
        parts |= composed.digests
    if problems:
        raise InvalidFileError(problems)
    digest = content_id({"probe_set": document.digest, **parts}) if parts else document.digest
    base, wrappers = (composed.base, composed.wrappers) if composed else (None, ())
    return ProbeSet(definition, digest, path, lexicons, digests, base, wrappers)


def load_wrappers(path: Path) -> tuple[WrapperFile, str]:
    """Load a file of wrappers; return it with the digest of the file.

    Raises
    ------
    InvalidFileError
        If the file is not sound; carries every problem found.
    """
    reading = read_partly(path, WrapperFile)
    wrappers = reading.content
    faults = islice(check_wrappers(wrappers, path.stem), MAX_PROBLEMS) if wrappers else ()
    problems = [*reading.problems, *reading.tell(faults)]
    if problems or wrappers is None:
        raise InvalidFileError(problems)
    return wrappers, reading.document.digest


@dataclass(frozen=True, slots=True)
class _Composed:
    """What a composed set is made of, and what is wrong with it."""

    base: ProbeSet | None
    wrappers: tuple[WrapperFile, ...]
    digests: Mapping[str, object]
    problems: tuple[FileProblem, ...]


def _compose(definition: ProbeSetFile, document: Document, search: Path | None) -> _Composed:
    """Load the set that a composed set wraps, and its wrappers."""
    asked = definition.compose
    if asked is None:
        return _Composed(None, (), {}, ())
    problems: list[FileProblem] = []
    base: ProbeSet | None = None
    known_sets = find_probe_sets(search)
    path = _beside(document, asked.probe_set) or known_sets.get(asked.probe_set)
    if path is None:
        remedy = name_nearest(asked.probe_set, known_sets)
        found = f"there is no probe set {asked.probe_set!r}"
        problems.append(document.problem(("compose", "probe_set"), found, remedy))
    elif _is_composed(path):
        found = f"{asked.probe_set} is composed itself"
        remedy = "name a set with templates"
        problems.append(document.problem(("compose", "probe_set"), found, remedy))
    else:
        try:
            base = load_probe_set(path, search=search)
        except InvalidFileError as error:
            problems += error.problems
    files: list[WrapperFile] = []
    digests: dict[str, str] = {}
    for place, name in enumerate(asked.wrappers):
        known = find_wrappers(search)
        file = _beside(document, name, WRAPPERS) or known.get(name)
        if file is None:
            found = f"there is no file of wrappers {name!r}"
            key = ("compose", "wrappers", place)
            problems.append(document.problem(key, found, name_nearest(name, known)))
            continue
        try:
            wrappers, digests[name] = load_wrappers(file)
            files.append(wrappers)
        except InvalidFileError as error:
            problems += error.problems
    if base is not None:
        faults = check_composition(definition, base.definition, files)
        problems += [document.problem(*fault) for fault in faults]
    parts = {"wraps": base.digest if base else "", "wrappers": digests}
    return _Composed(base, tuple(files), parts, tuple(problems))


def _is_composed(path: Path) -> bool:
    """Say whether a file is a composed set; loading it could go round in circles."""
    try:
        data = read_yaml_partly(path)[0].data
    except InvalidFileError:
        return False  # its own problems are told when it is loaded
    return isinstance(data, dict) and "compose" in data


def _beside(document: Document, name: str, folder: str = "") -> Path | None:
    """Return the file of a name beside a document, or in a folder there."""
    beside = document.path.parent
    places = [beside / f"{name}.yaml", *([beside / folder / f"{name}.yaml"] if folder else [])]
    return next((place for place in places if place.exists()), None)


def _resolve(name_or_path: str | Path, search: Path | None) -> Path:
    """Return the file that a name or path means."""
    if isinstance(name_or_path, Path):
        return name_or_path
    separators = {"/", os.sep} | ({os.altsep} if os.altsep else set())
    if name_or_path.endswith((".yaml", ".yml")) or separators & set(name_or_path):
        return Path(name_or_path)
    known = find_probe_sets(search)
    if name_or_path not in known:
        hint = "A path to a probe set's .yaml file is accepted too."
        raise UnknownNameError("probe set", name_or_path, known, hint)
    return known[name_or_path]
