"""The probe set and lexicon formats as typed, frozen models.

``docs/probe-format.md`` explains them. What concerns one key stands here; what concerns several
keys or files is in ``checking``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmaudit.records import Task

MAX_TEXT = 20_000

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
VersionText = Annotated[str, Field(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")]
Text = Annotated[str, Field(pattern=r"\S", max_length=MAX_TEXT)]
Labels = Annotated[Mapping[Name, Text], Field(max_length=50)]
Axes = Annotated[tuple[Identifier, ...], Field(max_length=20)]

Construct = Literal[
    "toxicity",
    "disparity",
    "decisions",
    "stereotypes",
    "harmful-compliance",
    "over-refusal",
    "calibration",
]

METRICS: Mapping[Task, frozenset[str]] = {
    Task.GENERATE: frozenset(
        {
            "expected_max_toxicity",
            "toxicity_probability",
            "toxic_fraction",
            "score_disparity",
            "share_disparity",
            "harmful_compliance",
            "over_refusal",
        }
    ),
    Task.CHOICES: frozenset({"choice_log_odds_disparity", "stereotype_preference"}),
    Task.CARRIER: frozenset({"score_disparity", "share_disparity"}),
}
"""The metrics that can read a probe set, by its task; on carriers they measure the scorer."""

REQUIRED_FORMS = frozenset({"noun", "noun_a", "plural"})
"""The forms that every group of every lexicon has, so that templates can rely on them."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """One fact or figure that a file uses, and where it comes from."""

    claim: Text
    source: Text


class Datasheet(_Part):
    """A probe set's short datasheet, after Gebru et al. 2018 (arXiv 1803.09010)."""

    intended_use: Text
    not_for: Text
    composition: Text
    collection: Text
    known_limits: Annotated[tuple[Text, ...], Field(min_length=1)]


class Template(_Part):
    """One probe: texts with slots. The statistical cluster of the prompts it fills to."""

    id: Identifier
    prompt: Text | None = None
    plain: Text | None = None
    system: Text | None = None
    slots: Mapping[Name, Annotated[tuple[Text, ...], Field(min_length=1)]] = {}
    axes: Axes | None = None
    choices: Labels | None = None
    tags: Mapping[Name, Text] = {}


class ProbeSetFile(_Part):
    """One probe set as its file says it."""

    format: Literal[1]
    id: Identifier
    title: Text
    version: VersionText
    licence: Text
    language: Language
    construct_name: Annotated[Construct, Field(alias="construct")]
    task: Task
    axes: Axes
    metrics: Annotated[tuple[Name, ...], Field(max_length=50)]
    author: Text
    datasheet: Datasheet
    sources: tuple[Source, ...]
    slurs: tuple[Text, ...]
    choices: Labels | None = None
    favourable: Name | None = None
    templates: Annotated[tuple[Template, ...], Field(min_length=1)]

    def axes_of(self, template: Template) -> tuple[str, ...]:
        """Return the axes that a template is filled with: its own where it names any."""
        return self.axes if template.axes is None else template.axes

    def choices_of(self, template: Template) -> Mapping[str, str]:
        """Return a template's choices: its own, else those of the set."""
        own = self.choices if template.choices is None else template.choices
        return own or {}


class Group(_Part):
    """One group of an axis: its name in reports and the words that name it in prompts."""

    id: Identifier
    label: Text
    forms: Mapping[Name, Text]


class LexiconFile(_Part):
    """The groups of one axis in one language as their file says it."""

    format: Literal[1]
    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[A-Za-z0-9-]+$", max_length=100)]
    axis: Identifier
    language: Language
    version: VersionText
    licence: Text
    author: Text
    known_limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    sources: tuple[Source, ...]
    reference: Identifier | None = None
    groups: Annotated[tuple[Group, ...], Field(min_length=2)]
