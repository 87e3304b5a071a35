"""Probe sets: YAML files of templates and lexicons, checked, then filled to prompts."""

from llmaudit.probesets.crossing import cross_with
from llmaudit.probesets.filling import fill_probe_set
from llmaudit.probesets.lexiconloading import load_lexicon
from llmaudit.probesets.lexicons import LexiconFile
from llmaudit.probesets.limiting import limit_prompts, order_templates
from llmaudit.probesets.linting import find_kind, lint_file
from llmaudit.probesets.loading import (
    ProbeSet,
    find_probe_sets,
    list_probe_sets,
    load_probe_set,
)
from llmaudit.probesets.schema import ProbeSetFile

__all__ = [
    "LexiconFile",
    "ProbeSet",
    "ProbeSetFile",
    "cross_with",
    "fill_probe_set",
    "find_kind",
    "find_probe_sets",
    "limit_prompts",
    "lint_file",
    "list_probe_sets",
    "load_lexicon",
    "load_probe_set",
    "order_templates",
]
