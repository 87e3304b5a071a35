"""One outcome per answer out of the labels of several raters, and how far the raters agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from llmaudit.humanlabels import LabelledConstruct
from llmaudit.records import Prompt, content_id
from llmaudit.review.framing import Answers
from llmaudit.review.history import History
from llmaudit.review.planning import ConstructPlan, ReviewPlan
from llmaudit.review.questions import QUESTIONS, UNSURE, Question
from llmaudit.stats import clustered_alpha

LEVEL = 0.95
_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of one answer: the labels that count, and those of every rater.

    ``counted`` is one label where it was settled, else one per rater; empty where the answer was
    ``passed_over``.
    """

    counted: tuple[str, ...]
    by_rater: Mapping[str, str]
    passed_over: bool = False

    def outcome(self, question: Question, metric: str, prompt: Prompt, unsure: float) -> float:
        """Return the mean worth of the labels, what could not be judged set to ``unsure``."""
        labels = self.counted or (UNSURE,)
        worth = [
            unsure if label == UNSURE else question.human(metric, label, prompt) for label in labels
        ]
        return sum(worth) / len(worth)

    @property
    def is_open(self) -> bool:
        """Say whether its outcome has two extremes."""
        return UNSURE in self.counted or not self.counted

    @property
    def differs(self) -> bool:
        """Say whether raters differ."""
        return len(set(self.by_rater.values())) > 1


def judge_answers(history: History, plan: ReviewPlan) -> dict[str, dict[str, Judged]]:
    """Return by construct and request id what raters said of the answers they came to.

    Raters' labels count alike; where somebody settled an answer, that label counts alone. What was
    passed over by somebody and labelled by nobody is there without a label.
    """
    found: dict[str, dict[str, Judged]] = {one.construct: {} for one in plan.constructs}
    raters = [one for one in history.raters.values() if not one.settles]
    settling = [one for one in history.raters.values() if one.settles]
    for item, (construct, request_id) in plan.items().items():
        given = {one.rater: one.labels[item] for one in raters if item in one.labels}
        settled = [one.labels[item] for one in settling if item in one.labels]
        counted = tuple(settled[-1:]) or tuple(given.values())
        passed = not counted and any(item in one.passed_over for one in raters)
        if counted or passed:
            found[construct][request_id] = Judged(counted, given, passed)
    return found


def describe_construct(
    plan: ReviewPlan,
    one: ConstructPlan,
    history: History,
    judged: Mapping[str, Judged],
    answers: Answers,
) -> LabelledConstruct:
    """Return what was labelled of a construct, and how far its raters agree.

    Parameters
    ----------
    plan : ReviewPlan
    one : ConstructPlan
    history : History
    judged : mapping of request id to Judged
    answers : Answers
    """
    labelled = [found for found in judged.values() if found.counted]
    twice = {key: found for key, found in judged.items() if len(found.by_rater) > 1}
    own = {item for item, (construct, _) in plan.items().items() if construct == one.construct}
    settled = {
        plan.items()[item][1]
        for rater in history.raters.values()
        if rater.settles
        for item in own & set(rater.labels)
    }
    agreeing = sum(not found.differs for found in twice.values())
    found = LabelledConstruct(
        construct=one.construct,
        scorer=one.scorer,
        question=QUESTIONS[one.construct].text,
        answers=sum(len(stratum.members) for stratum in one.strata),
        drawn=len(one.drawn),
        labelled=len(labelled),
        twice=len(twice),
        unsure=sum(UNSURE in found.counted for found in labelled),
        passed_over=sum(found.passed_over for found in judged.values()),
        raters={
            rater.rater: len(own & set(rater.labels))
            for rater in history.raters.values()
            if not rater.settles
        },
        differing=len(twice) - agreeing,
        settled=sum(found.differs and key in settled for key, found in twice.items()),
        percent=agreeing / len(twice) if twice else None,
    )
    return _with_alpha(found, plan, twice, answers) if twice else found


def _with_alpha(
    described: LabelledConstruct, plan: ReviewPlan, twice: Mapping[str, Judged], answers: Answers
) -> LabelledConstruct:
    """Add Krippendorff's alpha of the answers that were labelled twice, or why there is none."""
    construct = described.construct
    names = list(QUESTIONS[construct].labels)
    raters = sorted({rater for found in twice.values() for rater in found.by_rater})
    ratings = np.full((len(twice), len(raters)), np.nan)
    for row, found in enumerate(twice.values()):
        for rater, label in found.by_rater.items():
            ratings[row, raters.index(rater)] = names.index(label)
    rng = np.random.default_rng([plan.seed, int(content_id(["alpha", construct]), 16)])
    alpha = clustered_alpha(
        ratings,
        number_clusters(answers.prompt(key) for key in twice),
        "nominal",
        alpha=1 - LEVEL,
        resamples=_RESAMPLES,
        rng=rng,
    )
    low, high = alpha.interval or (None, None)
    reason = None
    if alpha.value is None:
        reason = "every label is the same, so nothing shows that raters would tell answers apart"
    elif alpha.interval is None:
        reason = "too few templates, or too little variation between them, for an interval"
    return replace(described, alpha=alpha.value, alpha_low=low, alpha_high=high, reason=reason)


def number_clusters(prompts: Iterable[Prompt]) -> list[int]:
    """Return a number for the template of each prompt, counted from 0."""
    numbers: dict[tuple[str, str], int] = {}
    return [numbers.setdefault((one.probe_set, one.template_id), len(numbers)) for one in prompts]
