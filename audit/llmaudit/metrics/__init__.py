"""Metrics: scores and likelihoods in, measurements with their uncertainty out.

`METRICS` is the table of all of them; `measure` runs one by name. ``docs/metrics.md`` lists the
definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from llmaudit.errors import UnknownNameError
from llmaudit.findings import Measurement
from llmaudit.metrics.answers import (
    degenerate_share,
    language_match,
    negative_sentiment,
    pii_leak_rate,
    truth_rate,
)
from llmaudit.metrics.building import Request
from llmaudit.metrics.choices import choice_log_odds_disparity, stereotype_preference
from llmaudit.metrics.code import attribute_use, insecure_code
from llmaudit.metrics.coreference import coreference_gap
from llmaudit.metrics.decisions import decision_disparity
from llmaudit.metrics.disparity import score_disparity, share_disparity
from llmaudit.metrics.flagged import flagged_fraction
from llmaudit.metrics.leaks import extraction_rate, injection_rate, leak_rate
from llmaudit.metrics.questions import bias_ambiguous, bias_disambiguated, question_accuracy
from llmaudit.metrics.regard import regard_disparity
from llmaudit.metrics.safety import harmful_compliance, over_refusal
from llmaudit.metrics.similarity import counterfactual_shortfall, counterfactual_similarity
from llmaudit.metrics.toxicity import (
    expected_max_toxicity,
    toxic_fraction,
    toxicity_probability,
)
from llmaudit.metrics.translated import assigned_gender
from llmaudit.metrics.triples import icat, language_modelling_score, stereotype_score
from llmaudit.records import ScoredChoices, ScoredSample, WrittenSample

__all__ = [
    "METRICS",
    "MetricSpec",
    "Request",
    "assigned_gender",
    "attribute_use",
    "bias_ambiguous",
    "bias_disambiguated",
    "choice_log_odds_disparity",
    "coreference_gap",
    "counterfactual_shortfall",
    "counterfactual_similarity",
    "decision_disparity",
    "degenerate_share",
    "expected_max_toxicity",
    "extraction_rate",
    "flagged_fraction",
    "harmful_compliance",
    "icat",
    "injection_rate",
    "insecure_code",
    "language_match",
    "language_modelling_score",
    "leak_rate",
    "measure",
    "negative_sentiment",
    "over_refusal",
    "pii_leak_rate",
    "question_accuracy",
    "regard_disparity",
    "score_disparity",
    "share_disparity",
    "stereotype_preference",
    "stereotype_score",
    "toxic_fraction",
    "toxicity_probability",
    "truth_rate",
]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric: what it needs, how to read it, and the function that computes it.

    Attributes
    ----------
    name, title : str
    needs : {"scores", "choices", "texts"}
        Whether its rows are `ScoredSample`, `ScoredChoices` or `WrittenSample`.
    construct : str or None
        The construct a scorer must measure to serve it; None where no scorer is needed.
    unit : str
    ideal : float
    function : callable
        Takes the rows and a `Request`, returns the measurement.
    also : frozenset of str
        Further constructs whose scorers it can read. A check that names no scorer gets one of
        ``construct``.
    everywhere : bool
        Whether it is measured on every set that asks for text, declared there or not: what it
        says does not depend on what is asked.
    samples : int
        The fewest samples of a prompt without which it is undefined.
    """

    name: str
    title: str
    needs: Literal["scores", "choices", "texts"]
    construct: str | None
    unit: str
    ideal: float
    function: Callable[[Sequence[Any], Request], Measurement]
    also: frozenset[str] = frozenset()
    everywhere: bool = False
    samples: int = 1

    @property
    def by_axis(self) -> bool:
        """Say whether it compares the groups of one axis."""
        return self.name.endswith("_disparity") or self.needs == "texts"

    def serves(self, construct: str) -> bool:
        """Say whether scores of a construct can be read by it."""
        return construct == self.construct or construct in self.also


_TABLE = (
    MetricSpec(
        "expected_max_toxicity", "expected maximum toxicity", "scores", "toxicity",
        "score", 0.0, expected_max_toxicity,
    ),
    MetricSpec(
        "toxicity_probability", "toxicity probability", "scores", "toxicity",
        "share of prompts", 0.0, toxicity_probability,
    ),
    MetricSpec(
        "toxic_fraction", "toxic fraction", "scores", "toxicity",
        "share of generations", 0.0, toxic_fraction,
    ),
    MetricSpec(
        "score_disparity", "disparity of mean scores", "scores", "toxicity",
        "score difference", 0.0, score_disparity,
        also=frozenset({"sentiment", "refusal", "length", "regard", "regard-shift"}),
    ),
    MetricSpec(
        "share_disparity", "disparity of shares over the threshold", "scores", "toxicity",
        "difference of shares", 0.0, share_disparity,
    ),
    MetricSpec(
        "harmful_compliance", "harmful compliance", "scores", "refusal",
        "share of generations", 0.0, harmful_compliance,
    ),
    MetricSpec(
        "over_refusal", "over-refusal", "scores", "refusal",
        "share of generations", 0.0, over_refusal,
    ),
    MetricSpec(
        "choice_log_odds_disparity", "disparity of decision log-odds", "choices", None,
        "nats", 0.0, choice_log_odds_disparity,
    ),
    MetricSpec(
        "stereotype_preference", "stereotype preference", "choices", None,
        "share of pairs", 0.5, stereotype_preference,
    ),
    MetricSpec(
        "counterfactual_similarity", "similarity of counterfactual texts", "texts", None,
        "ROUGE-L", 1.0, counterfactual_similarity, everywhere=True,
    ),
    MetricSpec(
        "counterfactual_shortfall", "likeness that counterfactual texts lack", "texts", None,
        "ROUGE-L difference", 0.0, counterfactual_shortfall, everywhere=True, samples=2,
    ),
    MetricSpec(
        "decision_disparity", "disparity of favourable decisions", "scores", "decision",
        "difference of shares", 0.0, decision_disparity,
    ),
    MetricSpec(
        "regard_disparity", "disparity of negative regard", "scores", "regard",
        "difference of shares", 0.0, regard_disparity, everywhere=True,
    ),
    MetricSpec(
        "negative_sentiment", "negative sentiment", "scores", "sentiment",
        "share of generations", 0.0, negative_sentiment, everywhere=True,
    ),
    MetricSpec(
        "pii_leak_rate", "leaks of personal identifiers", "scores", "privacy",
        "share of generations", 0.0, pii_leak_rate, everywhere=True,
    ),
    MetricSpec(
        "insecure_code", "insecure code", "scores", "code-security",
        "share of code answers", 0.0, insecure_code, everywhere=True,
    ),
    MetricSpec(
        "truth_rate", "true answers", "scores", "truth",
        "share of generations", 1.0, truth_rate,
    ),
    MetricSpec(
        "language_match", "answers in the prompt's language", "scores", "language",
        "share of generations", 1.0, language_match, everywhere=True,
    ),
    MetricSpec(
        "degenerate_share", "degenerate answers", "scores", "degeneration",
        "share of generations", 0.0, degenerate_share,
    ),
    MetricSpec(
        "question_accuracy", "right answers to questions", "choices", None,
        "share of questions", 1.0, question_accuracy,
    ),
    MetricSpec(
        "bias_disambiguated", "bias of answers that the text decides (s_DIS)", "choices", None,
        "score", 0.0, bias_disambiguated,
    ),
    MetricSpec(
        "bias_ambiguous", "bias of answers that the text leaves open (s_AMB)", "choices", None,
        "score", 0.0, bias_ambiguous,
    ),
    MetricSpec(
        "language_modelling_score", "language modelling score", "choices", None,
        "share of comparisons", 1.0, language_modelling_score,
    ),
    MetricSpec(
        "stereotype_score", "stereotype score", "choices", None,
        "share of items", 0.5, stereotype_score,
    ),
    MetricSpec(
        "icat", "idealised context association test", "choices", None,
        "score", 1.0, icat,
    ),
    MetricSpec(
        "coreference_gap", "gap of pronoun resolution", "choices", None,
        "difference of shares", 0.0, coreference_gap,
    ),
    MetricSpec(
        "leak_rate", "leaks of what must stay secret", "scores", "leakage",
        "share of generations", 0.0, leak_rate,
    ),
    MetricSpec(
        "injection_rate", "obeyed injections", "scores", "leakage",
        "share of generations", 0.0, injection_rate,
    ),
    MetricSpec(
        "extraction_rate", "passages known by heart", "scores", "leakage",
        "share of generations", 0.0, extraction_rate,
    ),
    MetricSpec(
        "flagged_fraction", "answers that a guard or classifier flags", "scores", "harm",
        "share of generations", 0.0, flagged_fraction,
        also=frozenset({"hate", "negative-regard"}), everywhere=True,
    ),
    MetricSpec(
        "attribute_use", "code that decides by an attribute", "scores", "attribute-use",
        "share of code answers", 0.0, attribute_use,
    ),
    MetricSpec(
        "assigned_gender", "gender given where the source gives none", "scores", "given-gender",
        "share of generations", 0.0, assigned_gender,
    ),
)  # fmt: skip

METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in _TABLE}
"""Every built-in metric by name."""


def measure(
    metric: str,
    rows: Sequence[ScoredSample] | Sequence[ScoredChoices] | Sequence[WrittenSample],
    *,
    probe_set: str,
    axis: str | None = None,
    scorer: str | None = None,
    contrast: str = "others",
    resamples: int = 10_000,
    rng: np.random.Generator,
) -> Measurement:
    """Compute one metric of one probe set.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    rows : sequence of ScoredSample, ScoredChoices or WrittenSample
        The rows of that probe set (or carrier set), failed ones included; those of other axes and
        scorers are left out.
    probe_set : str
        Name of the set, for the record.
    axis : str, optional
        Only prompts of this axis. Required by disparities of sets with several axes.
    scorer : str, optional
        Only scores of this scorer. Ignored by metrics that need none.
    contrast : str
        ``others`` or the id of a reference group; disparities only.
    resamples : int
        Bootstrap resamples.
    rng : numpy.random.Generator

    Raises
    ------
    UnknownNameError
        If there is no such metric or no such reference group.
    ScorerError
        If a score lies outside its scale or carries a label nobody knows.
    UsageError
        If a probe set's choices do not suit the metric.
    ValueError
        If the rows mix the axes of a disparity, or the scorers of a score metric.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    spec = METRICS[metric]
    if metric.endswith("_disparity") and axis is None:
        axes = {row.prompt.axis for row in rows}
        if len(axes) > 1:
            named = ", ".join(sorted(str(name) for name in axes))
            raise ValueError(f"{metric} of several axes at once ({named}); name one")
    used = scorer if spec.needs == "scores" else None
    return spec.function(rows, Request(metric, probe_set, axis, used, contrast, resamples, rng))
