"""Finds the lexicons that a probe set is crossed with, and reads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from llmaudit import resources
from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.probesets.lexiconchecks import check_intersection, check_lexicon
from llmaudit.probesets.lexicons import IntersectionFile, LexiconFile, intersect
from llmaudit.probesets.reading import read_partly
from llmaudit.probesets.schema import ProbeSetFile
from llmaudit.records import content_id
from llmaudit.yamlfile import Document, read_yaml, read_yaml_partly, validate
from llmaudit.yamlproblems import MAX_PROBLEMS, name_nearest

LEXICONS = "lexicons"


def load_lexicon(path: Path, *, search: Path | None = None) -> tuple[LexiconFile, str]:
    """Load a lexicon; return it with the digest of its file.

    The lexicon of an axis made of two others has the words that its file makes of theirs, and the
    digest of all three files.

    Parameters
    ----------
    path : Path
    search : Path, optional
        A folder laid out like ``probes/`` to look the two others up in, instead of the shipped
        one; those beside the file come first.

    Raises
    ------
    InvalidFileError
        If a file is not sound; carries every problem found.
    """
    document, _ = read_yaml_partly(path)
    if is_intersection(document):
        return _load_intersection(read_yaml(path), search)
    reading = read_partly(path, LexiconFile)
    lexicon = reading.content
    faults = islice(check_lexicon(lexicon, path.stem), MAX_PROBLEMS) if lexicon else ()
    problems = [*reading.problems, *reading.tell(faults)]
    if problems or lexicon is None:
        raise InvalidFileError(problems)
    return lexicon, document.digest


def is_intersection(document: Document) -> bool:
    """Say whether a lexicon's file is about an axis made of two others."""
    data = document.data
    return isinstance(data, dict) and "groups" not in data and "forms" in data


def _load_intersection(document: Document, search: Path | None) -> tuple[LexiconFile, str]:
    file = validate(document, IntersectionFile)
    _refuse(document, list(check_intersection(file, document.path.stem)))
    folders = lexicon_folders(document, search)
    lexicons: list[LexiconFile] = []
    digests = {"pairs": document.digest}
    problems: list[FileProblem] = []
    for axis in file.axes():
        found, problem = _find(axis, file.language, folders)
        if found is None:
            problems.append(document.problem(("axis",), *problem))
            continue
        try:
            lexicon, digests[axis] = load_lexicon(found, search=search)
            lexicons.append(lexicon)
        except InvalidFileError as error:
            problems += error.problems
    if problems:
        raise InvalidFileError(problems)
    composed, faults = intersect(file, *lexicons)
    _refuse(document, faults)
    assert composed is not None  # noqa: S101 - without faults there is a lexicon
    return composed, content_id(digests)


def _refuse(document: Document, faults: Sequence[tuple[tuple[str | int, ...], str, str]]) -> None:
    if faults:
        raise InvalidFileError([document.problem(*fault) for fault in faults])


def lexicon_folders(document: Document, search: Path | None) -> list[Path]:
    """Return where lexicons are looked for: beside the file first, the shipped ones last."""
    root = resources.probes_dir() if search is None else search
    beside = document.path.parent
    return [beside, beside / LEXICONS, root / LEXICONS]


def load_lexicons(
    definition: ProbeSetFile, document: Document, search: Path | None
) -> tuple[dict[str, LexiconFile], dict[str, str], list[FileProblem]]:
    """Return lexicons and digests by axis, and the problems of those that cannot be used."""
    folders = lexicon_folders(document, search)
    lexicons: dict[str, LexiconFile] = {}
    digests: dict[str, str] = {}
    problems: list[FileProblem] = []
    for place, axis in enumerate(definition.axes):
        found, problem = _find(axis, definition.language, folders)
        if found is None:
            problems.append(document.problem(("axes", place), *problem))
            continue
        try:
            lexicons[axis], digests[axis] = load_lexicon(found, search=search)
        except InvalidFileError as error:
            problems.extend(error.problems)
    return lexicons, digests, problems


def _find(axis: str, language: str, folders: Sequence[Path]) -> tuple[Path | None, tuple[str, str]]:
    """Return the file of an axis in a language; or None, and what to say of it."""
    name = f"{axis.replace('*', '+')}.{language}.yaml"
    found = next((each / name for each in folders if (each / name).exists()), None)
    ending = f".{language}.yaml"
    known = {
        each.name.removesuffix(ending).replace("+", "*")
        for folder in folders
        for each in folder.glob(f"*{ending}")
    }
    what = f"there is no lexicon {name} beside the file or among the shipped ones"
    return found, (what, name_nearest(axis, known))
