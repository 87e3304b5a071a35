"""Finds probe sets and lexicons, reads them, and refuses what would not fill to sound prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from llmaudit import resources
from llmaudit.errors import FileProblem, InvalidFileError, UnknownNameError
from llmaudit.probesets.checking import check_lexicon, check_probe_set
from llmaudit.probesets.schema import LexiconFile, ProbeSetFile
from llmaudit.records import ProbeSetFacts, content_id
from llmaudit.yamlfile import Document, read_yaml, validate
from llmaudit.yamlproblems import MAX_PROBLEMS, name_nearest

LEXICONS = "lexicons"
OTHER_FOLDERS = frozenset({LEXICONS, "suites", "policies"})
"""The folders of ``probes/`` that hold no probe sets."""


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """A probe set that was read and checked, with the lexicons it is crossed with.

    Attributes
    ----------
    definition : ProbeSetFile
        What the file says.
    digest : str
        16 hex digits: the SHA-256 of the file's bytes, and where the set names axes, of that and
        the digests of their lexicons, since they change the prompts too.
    path : Path
        The file.
    lexicons : mapping of str to LexiconFile
        By axis.
    lexicon_digests : mapping of str to str
        By axis: the SHA-256 (16 hex digits) of each lexicon's bytes.
    """

    definition: ProbeSetFile
    digest: str
    path: Path
    lexicons: Mapping[str, LexiconFile]
    lexicon_digests: Mapping[str, str]

    def facts(self, prompts: int) -> ProbeSetFacts:
        """Return what the report prints of this set, of which ``prompts`` prompts were used."""
        file = self.definition
        datasheet = file.datasheet.model_dump(mode="json")
        datasheet["sources"] = [source.model_dump(mode="json") for source in file.sources]
        datasheet["slurs"] = list(file.slurs)
        datasheet["lexicons"] = {
            axis: {
                "id": lexicon.id,
                "version": lexicon.version,
                "licence": lexicon.licence,
                "digest": self.lexicon_digests[axis],
                "reference": lexicon.reference,
                "groups": {group.id: group.label for group in lexicon.groups},
                "known_limits": list(lexicon.known_limits),
                "sources": [source.model_dump(mode="json") for source in lexicon.sources],
            }
            for axis, lexicon in self.lexicons.items()
        }
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
            templates=len(file.templates),
            prompts=prompts,
            datasheet=datasheet,
        )


def find_probe_sets(search: Path | None = None) -> dict[str, Path]:
    """Return the files of a folder of probe sets (the shipped one by default) by set id."""
    root = resources.probes_dir() if search is None else search
    return {
        path.stem: path
        for path in sorted(root.glob("**/*.yaml"))
        if not OTHER_FOLDERS & set(path.relative_to(root).parts[:-1])
    }


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
    document = read_yaml(path)
    definition = validate(document, ProbeSetFile)
    lexicons, digests, problems = _load_lexicons(definition, document, search)
    faults = check_probe_set(definition, path.stem, lexicons)
    problems += [document.problem(*fault) for fault in islice(faults, MAX_PROBLEMS)]
    if problems:
        raise InvalidFileError(problems)
    digest = document.digest
    if digests:
        digest = content_id({"probe_set": document.digest, "lexicons": digests})
    return ProbeSet(definition, digest, path, lexicons, digests)


def load_lexicon(path: Path) -> tuple[LexiconFile, str]:
    """Load a lexicon; return it with the digest of its file.

    Raises
    ------
    InvalidFileError
        If the file is not sound; carries every problem found.
    """
    document = read_yaml(path)
    lexicon = validate(document, LexiconFile)
    faults = islice(check_lexicon(lexicon, path.stem), MAX_PROBLEMS)
    problems = [document.problem(*fault) for fault in faults]
    if problems:
        raise InvalidFileError(problems)
    return lexicon, document.digest


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


def _load_lexicons(
    definition: ProbeSetFile, document: Document, search: Path | None
) -> tuple[dict[str, LexiconFile], dict[str, str], list[FileProblem]]:
    """Return lexicons and digests by axis, and the problems of those that cannot be used."""
    root = resources.probes_dir() if search is None else search
    beside = document.path.parent
    folders = [beside, beside / LEXICONS, root / LEXICONS]
    lexicons: dict[str, LexiconFile] = {}
    digests: dict[str, str] = {}
    problems: list[FileProblem] = []
    for place, axis in enumerate(definition.axes):
        name = f"{axis}.{definition.language}.yaml"
        found = next((each / name for each in folders if (each / name).exists()), None)
        if found is None:
            ending = f".{definition.language}.yaml"
            known = {
                each.name.removesuffix(ending)
                for folder in folders
                for each in folder.glob(f"*{ending}")
            }
            what = f"there is no lexicon {name} beside the file or among the shipped ones"
            problems.append(document.problem(("axes", place), what, name_nearest(axis, known)))
            continue
        try:
            lexicons[axis], digests[axis] = load_lexicon(found)
        except InvalidFileError as error:
            problems.extend(error.problems)
    return lexicons, digests, problems
