"""Counts what a library of probe sets holds by filling every set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaudit import resources
from llmaudit.probesets.filling import fill_probe_set
from llmaudit.probesets.loading import ProbeSet, find_probe_sets, load_probe_set
from llmaudit.records import CASE, GAP, Prompt

NO_AXIS = "none"
"""What prompts are counted under that concern no axis."""

_MOST_VALUES = 40
_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class CountedSet:
    """A probe set and the numbers of its filled prompts.

    Attributes
    ----------
    probe_set : ProbeSet
    family : str
        The folder it lies in.
    prompts : int
    axes : mapping of str to mapping
        Prompts by axis and group. A set without axes is counted by what its templates name under
        the tags ``axis`` and ``group``.
    tags : mapping of str to mapping
        Templates by tag and value, for the tags that have few values.
    """

    probe_set: ProbeSet
    family: str
    prompts: int
    axes: Mapping[str, Mapping[str, int]]
    tags: Mapping[str, Mapping[str, int]]

    @property
    def id(self) -> str:
        """Return the set's id."""
        return self.probe_set.definition.id

    @property
    def language(self) -> str:
        """Return the set's language."""
        return self.probe_set.definition.language


def count_library(search: Path | None = None) -> tuple[CountedSet, ...]:
    """Load, fill and count every set of a folder laid out like ``probes/`` (the shipped one).

    Raises
    ------
    InvalidFileError
        If a file is not sound.
    """
    root = resources.probes_dir() if search is None else search
    return tuple(
        _count(load_probe_set(path, search=search), path.relative_to(root).parts[0])
        for path in find_probe_sets(search).values()
    )


def _count(probe_set: ProbeSet, family: str) -> CountedSet:
    prompts = fill_probe_set(probe_set)
    axes: dict[str, Counter[str]] = {}
    for prompt in prompts:
        axis = prompt.axis or prompt.tags.get("axis", NO_AXIS)
        group = prompt.group or prompt.tags.get("group", "")
        axes.setdefault(axis, Counter())[group] += 1
    return CountedSet(probe_set, family, len(prompts), axes, _count_tags(prompts))


def _count_tags(prompts: Iterable[Prompt]) -> dict[str, dict[str, int]]:
    """Return templates by tag and value; of tags with many or long values nothing is said."""
    places = {
        (name, value, prompt.template_id)
        for prompt in prompts
        for name, value in prompt.tags.items()
        if name not in {GAP, CASE, "axis", "group", "favourable"}
    }
    counts: dict[str, Counter[str]] = {}
    for name, value, _ in places:
        counts.setdefault(name, Counter())[value] += 1
    return {
        name: dict(sorted(values.items(), key=lambda pair: (-pair[1], pair[0])))
        for name, values in sorted(counts.items())
        if len(values) <= _MOST_VALUES and max(map(len, values)) <= _LONGEST_VALUE
    }
