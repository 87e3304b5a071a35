"""From rows to numbers: the outcomes of each prompt, and what is missing and why."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llmaudit.errors import ScorerError
from llmaudit.records import Prompt, Score, ScoredSample

ABSENT = "absent"
"""The reason of an outcome that was expected and has no record at all."""

NOT_FINITE = "not finite"
"""The reason of an outcome whose record holds NaN or an infinity."""


@dataclass(slots=True)
class PromptOutcomes:
    """The outcomes of one prompt: the values there are, and how many there are not."""

    prompt: Prompt
    values: list[float] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    missing: int = 0

    def filled(self, substitute: float) -> list[float]:
        """Return the values with every missing one set to ``substitute``."""
        return self.values + [substitute] * self.missing


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All prompts of a measurement in order of first appearance, with the reasons of gaps.

    ``k`` is the number of samples per prompt: the largest seen. A prompt with fewer records than
    that lacks the difference, under the reason ``absent``. ``scale`` is where every value lies.
    """

    prompts: tuple[PromptOutcomes, ...]
    reasons: dict[str, int]
    k: int
    scale: tuple[float, float] = (0.0, 1.0)

    @property
    def n(self) -> int:
        """Return the number of outcomes that have a value."""
        return sum(len(outcomes.values) for outcomes in self.prompts)

    @property
    def n_missing(self) -> int:
        """Return the number of outcomes that have none."""
        return sum(outcomes.missing for outcomes in self.prompts)


def why_unusable(score: Score, scale: tuple[float, float] = (0.0, 1.0)) -> str | None:
    """Return why a score has no usable value, or None where it has one.

    Raises
    ------
    ScorerError
        If the value lies outside its scale: every bound computed from it would be wrong.
    """
    if score.value is None:
        return score.reason or "no reason given"
    if not math.isfinite(score.value):
        return NOT_FINITE
    low, high = scale
    if not low - 1e-6 <= score.value <= high + 1e-6:
        raise ScorerError(
            f"scorer {score.scorer!r} gave {score.value!r} for request {score.request_id}; "
            f"score metrics need values in [{low:g}, {high:g}]; correct the scorer"
        )
    return None


def collect_scores(
    rows: Iterable[ScoredSample], *, axis: str | None, scorer: str | None
) -> Outcomes:
    """Gather the scores of each prompt.

    Rows of other axes are left out where ``axis`` is given, and those of other scorers where
    ``scorer`` is.

    Raises
    ------
    ValueError
        If ``scorer`` is None and the rows hold scores of several scorers.
    ScorerError
        If a score lies outside its scale.
    """
    kept = [
        row
        for row in rows
        if (axis is None or row.prompt.axis == axis)
        and (scorer is None or row.score.scorer == scorer)
    ]
    names = sorted({row.score.scorer for row in kept})
    if len(names) > 1:
        raise ValueError(f"scores of several scorers in one measurement: {', '.join(names)}")
    by_prompt: dict[str, PromptOutcomes] = {}
    reasons: Counter[str] = Counter()
    for row in kept:
        outcomes = by_prompt.setdefault(row.prompt.id, PromptOutcomes(row.prompt))
        reason = why_unusable(row.score, row.scale)
        if row.score.value is None or reason is not None:
            outcomes.missing += 1
            reasons[str(reason)] += 1
        else:
            outcomes.values.append(min(row.scale[1], max(row.scale[0], row.score.value)))
            outcomes.labels.append(row.score.label)
    k = max((len(o.values) + o.missing for o in by_prompt.values()), default=0)
    for outcomes in by_prompt.values():
        absent = k - len(outcomes.values) - outcomes.missing
        if absent:
            outcomes.missing += absent
            reasons[ABSENT] += absent
    scale = kept[0].scale if kept else (0.0, 1.0)
    return Outcomes(tuple(by_prompt.values()), dict(sorted(reasons.items())), k, scale)


def group_names(prompts: Iterable[Prompt]) -> tuple[str, ...]:
    """Return the groups the prompts name, sorted."""
    return tuple(sorted({prompt.group for prompt in prompts if prompt.group is not None}))


def cluster_indices(prompts: Sequence[Prompt]) -> tuple[list[int], int]:
    """Return each prompt's cluster (``template_id``) as a number, and how many there are."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    return [numbers[prompt.template_id] for prompt in prompts], len(numbers)
