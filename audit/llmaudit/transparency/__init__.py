"""Facts about model, data, scorers and environment become the report's transparency notes."""

from llmaudit.transparency.environment import environment_facts
from llmaudit.transparency.folders import hide_folders, hide_folders_in
from llmaudit.transparency.limits import METHOD_LIMITS
from llmaudit.transparency.notes import Note, timing_notes, transparency_notes

__all__ = [
    "METHOD_LIMITS",
    "Note",
    "environment_facts",
    "hide_folders",
    "hide_folders_in",
    "timing_notes",
    "transparency_notes",
]
