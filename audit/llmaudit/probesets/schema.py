"""The probe set format as typed, frozen models.

``docs/probe-format.md`` explains it. What concerns one key stands here; what concerns several keys
or files is in ``checking``. Lexicons and wrappers have models of their own in ``lexicons`` and
``wrapping``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from llmaudit.probesets.parts import (
    AxisName,
    Identifier,
    Language,
    Name,
    Part,
    Source,
    Text,
    VersionText,
)
from llmaudit.records import Task

Labels = Annotated[Mapping[Name, Text], Field(max_length=50)]
Texts = Annotated[tuple[Text, ...], Field(max_length=100)]
Axes = Annotated[tuple[AxisName, ...], Field(max_length=40)]
InflectedText = Text | Annotated[Mapping[Name, Text], Field(min_length=1, max_length=10)]

Construct = Literal[
    "toxicity",
    "disparity",
    "decisions",
    "stereotypes",
    "questions",
    "coreference",
    "harmful-compliance",
    "over-refusal",
    "refusal-parity",
    "jailbreaks",
    "prompt-injection",
    "leakage",
    "privacy",
    "memorisation",
    "truth",
    "code",
    "summarisation",
    "translation",
    "sentiment",
    "calibration",
]

Harm = Literal[
    "weapons",
    "explosives",
    "poisons-and-agents",
    "illegal-drugs",
    "cybercrime",
    "fraud",
    "financial-crime",
    "forgery",
    "hate",
    "harassment",
    "violence",
    "self-harm",
    "stalking",
    "privacy",
    "disinformation",
    "election-interference",
    "theft",
    "exploitation",
    "extremism",
    "child-harm",
    "animal-cruelty",
    "medical-misinformation",
    "impersonation",
    "discrimination",
    "copyright",
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
            "counterfactual_shortfall",
            "counterfactual_similarity",
            "decision_disparity",
            "regard_disparity",
            "negative_sentiment",
            "pii_leak_rate",
            "insecure_code",
            "truth_rate",
            "language_match",
            "degenerate_share",
            "leak_rate",
            "injection_rate",
            "extraction_rate",
            "attribute_use",
            "assigned_gender",
            "flagged_fraction",
        }
    ),
    Task.CHOICES: frozenset(
        {
            "choice_log_odds_disparity",
            "stereotype_preference",
            "question_accuracy",
            "bias_disambiguated",
            "bias_ambiguous",
            "language_modelling_score",
            "stereotype_score",
            "icat",
            "coreference_gap",
        }
    ),
    Task.CARRIER: frozenset({"score_disparity", "share_disparity"}),
}
"""The metrics that can read a probe set, by its task; on carriers they measure the scorer."""


class Datasheet(Part):
    """A probe set's short datasheet, after Gebru et al. 2018 (arXiv 1803.09010)."""

    motivation: Text | None = None
    intended_use: Text
    not_for: Text
    composition: Text
    collection: Text
    known_limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    maintenance: Text | None = None


class UserTurn(Part):
    """What the user says in a conversation."""

    user: Text


class AssistantTurn(Part):
    """What the assistant is made to have said in a conversation."""

    assistant: Text


class Answers(Part):
    """What an answer is held against; a template and each of its cases may say it."""

    expected: Name | None = None
    references: Texts = ()
    false_references: Texts = ()
    tags: Mapping[Name, Text] = {}


class Case(Answers):
    """Values of several slots that belong together, and what is true of them."""

    id: Identifier
    slots: Annotated[Mapping[Name, InflectedText], Field(min_length=1)]
    choices: Labels | None = None


class Template(Answers):
    """One probe: texts with slots. The statistical cluster of the prompts it fills to."""

    id: Identifier
    prompt: Text | None = None
    turns: Annotated[tuple[UserTurn | AssistantTurn, ...], Field(min_length=1)] | None = None
    plain: Text | None = None
    system: Text | None = None
    slots: Mapping[Name, Annotated[tuple[InflectedText, ...], Field(min_length=1)]] = {}
    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=200)] | None = None
    only: Annotated[tuple[Mapping[Name, Text | Texts], ...], Field(min_length=1)] | None = None
    never: Annotated[tuple[Mapping[Name, Text | Texts], ...], Field(min_length=1)] | None = None
    axes: Axes | None = None
    choices: Labels | None = None
    harm: Harm | None = None

    @property
    def asks(self) -> bool:
        """Return whether a chat model is asked something."""
        return self.prompt is not None or self.turns is not None

    def conversation(self) -> tuple[tuple[str, str], ...]:
        """Return the turns after the system's as (role, text)."""
        if self.turns is None:
            return () if self.prompt is None else (("user", self.prompt),)
        return tuple(
            ("user", turn.user) if isinstance(turn, UserTurn) else ("assistant", turn.assistant)
            for turn in self.turns
        )

    def slot_names(self) -> tuple[str, ...]:
        """Return the names of the template's own slots, then those of its cases."""
        return (*self.slots, *(self.cases[0].slots if self.cases else ()))


class Composition(Part):
    """A probe set made of another one, each request put into wrappers."""

    probe_set: Identifier
    wrappers: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=20)]
    per_request: Annotated[int, Field(ge=1, le=1000)] | None = None


class ProbeSetFile(Part):
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
    written: Literal["by hand", "machine-drafted"] | None = None
    checked: Texts = ()
    translation_of: Identifier | None = None
    other_languages: Annotated[tuple[Language, ...], Field(max_length=50)] = ()
    groups: Mapping[AxisName, Annotated[tuple[Text, ...], Field(min_length=2)]] = {}
    names: Annotated[int, Field(ge=1, le=1000)] | None = None
    choices: Labels | None = None
    favourable: Name | None = None
    compose: Composition | None = None
    templates: Annotated[tuple[Template, ...], Field(min_length=1)] | None = None

    @property
    def probes(self) -> tuple[Template, ...]:
        """Return the templates; a composed set has none of its own."""
        return self.templates or ()

    def axes_of(self, template: Template) -> tuple[str, ...]:
        """Return the axes that a template is filled with: its own where it names any."""
        return self.axes if template.axes is None else template.axes

    def choices_of(self, template: Template, case: Case | None = None) -> Mapping[str, str]:
        """Return the choices of a case, else those of its template, else the set's."""
        for holder in (case, template, self):
            if holder is not None and holder.choices is not None:
                return holder.choices
        return {}
