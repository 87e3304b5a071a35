"""Probe sets: YAML files of templates and lexicons, checked, then filled to prompts."""

from llmaudit.probesets.filling import fill_probe_set
from llmaudit.probesets.limiting import limit_prompts
from llmaudit.probesets.linting import find_kind, lint_file
from llmaudit.probesets.loading import (
    ProbeSet,
    find_probe_sets,
    list_probe_sets,
    load_lexicon,
    load_probe_set,
)
from llmaudit.probesets.schema import LexiconFile, ProbeSetFile

__all__ = [
    "LexiconFile",
    "ProbeSet",
    "ProbeSetFile",
    "fill_probe_set",
    "find_kind",
    "find_probe_sets",
    "limit_prompts",
    "lint_file",
    "list_probe_sets",
    "load_lexicon",
    "load_probe_set",
]
