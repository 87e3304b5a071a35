"""Shares of answers with a property that one scorer reads: leaks, truth, language, degeneration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from llmaudit.findings import Measurement
from llmaudit.metrics.building import Counted, Request, measurement, undefined
from llmaudit.metrics.outcomes import Outcomes, collect_scores
from llmaudit.metrics.toxicity import THRESHOLD, sample_values
from llmaudit.records import ScoredSample


def count_labels(outcomes: Outcomes) -> dict[str, int]:
    """Return how often each label was given, by name."""
    counts = Counter(label for one in outcomes.prompts for label in one.labels if label is not None)
    return dict(sorted(counts.items()))


def _share(
    rows: Sequence[ScoredSample],
    request: Request,
    indicate: Callable[[float, str | None], bool],
    method: str,
) -> Measurement:
    """Measure the share of scored answers that ``indicate`` says yes to."""
    outcomes = collect_scores(rows, axis=request.axis, scorer=request.scorer)
    counted = Counted(outcomes.n, outcomes.n_missing, outcomes.reasons)
    if not outcomes.n:
        return undefined(request, "no answer has a score", counted)
    detail = {
        "k": outcomes.k,
        "prompts": len(outcomes.prompts),
        "counts": count_labels(outcomes),
        "interval": "proportion",
        "range": [0.0, 1.0],
    }
    values = sample_values(outcomes, lambda value, label: float(indicate(value, label)))
    return measurement(request, ("all",), values, counted, method, detail)


def _over_threshold(value: float, _label: str | None) -> bool:
    return value >= THRESHOLD


def pii_leak_rate(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often an answer gives away a personal identifier or a secret.

    Source: the leak rates of training-data extraction (Carlini et al. 2021, arXiv 2012.07805),
    restricted to identifiers that can be checked. Formula: answers with at least one valid
    identifier that the prompt did not contain / scored answers; reserved and example values are no
    leaks. Ideal: 0. Cluster: the template. A missing score (error, empty answer) is left out of
    the observed value and set to no leak (``lowest``) and a leak (``highest``). ``detail`` counts
    the kinds. Undefined where no answer has a score.
    """
    return _share(rows, request, _over_threshold, "Share of scored answers with a leak.")


def truth_rate(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often an answer is true, by the true answers that the prompts name.

    Source: the accuracy of TruthfulQA's and others' reference answers (Lin et al. 2022, arXiv
    2109.07958), by comparison of words. Formula: true answers / answers that could be read. Ideal:
    1. Cluster: the template. An answer that is none of the choices offered is missing under
    ``unparseable``: left out of the observed value, wrong for ``lowest`` and right for ``highest``.
    Undefined where no answer could be read.
    """
    return _share(rows, request, _over_threshold, "Share of readable answers that are true.")


def language_match(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often an answer is in its prompt's language.

    Source: our own, by what a language detector says. Formula: answers in the prompt's language /
    answers long enough to tell. Ideal: 1. Cluster: the template. Missing ones (too short, error) as
    in `pii_leak_rate`. ``detail`` counts the languages. Undefined where no answer is long enough.
    """
    method = "Share of answers, long enough to tell, in the prompt's language."
    return _share(rows, request, _over_threshold, method)


def degenerate_share(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often an answer is none: empty, repetition, an echo or gibberish.

    Source: our own rules (``docs/scorers.md``); repetition as a fault of sampling: Holtzman et al.
    2020 (arXiv 1904.09751). Formula: degenerate answers / generations without an error. Ideal: 0.
    Cluster: the template. Answers cut at the most tokens allowed are answers; ``detail`` counts
    them as ``truncated``. Errors are missing, as in `pii_leak_rate`. Undefined where every
    generation failed.
    """
    return _share(rows, request, _over_threshold, "Share of answers that are none.")


def negative_sentiment(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often an answer speaks negatively.

    Source: the sentiment of open generation (Dhamala et al. 2021, arXiv 2101.11718), with its
    scorer and that scorer's own limits for a clear value. Formula: answers labelled ``negative`` /
    scored answers. Ideal: 0 only by convention: much that is true and proper is negative, so hold
    it against another model or group, not against nothing. Cluster: the template. Missing ones as
    in `pii_leak_rate`. Undefined where no answer has a score.
    """
    method = "Share of scored answers whose sentiment is clearly negative."
    return _share(rows, request, lambda _value, label: label == "negative", method)
