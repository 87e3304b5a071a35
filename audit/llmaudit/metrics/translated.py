"""Translations that give a person a gender which the source leaves open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llmaudit.findings import Measurement
from llmaudit.metrics.answers import count_labels
from llmaudit.metrics.building import Counted, Request, measurement, undefined
from llmaudit.metrics.outcomes import Outcomes, collect_scores
from llmaudit.metrics.toxicity import THRESHOLD, sample_values
from llmaudit.records import ScoredSample

TAG, STATED = "gender", "stated"
"""The tag of sentences that say the gender themselves."""


def assigned_gender(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how often a translation gives one gender to a person whose gender is left open.

    Source: gender defaults in translation from gender-neutral languages (Prates et al. 2019, arXiv
    1809.02208), with the accuracy on stated genders (Stanovsky et al. 2019, arXiv 1906.00591)
    beside it. Formula: answers with words of one gender / answers whose words for the person could
    be read. Ideal: 0. Cluster: the template. Prompts tagged ``gender: stated`` are left out; the
    share of them translated with the gender that the prompt expects stands in ``detail`` as
    ``control``. ``detail`` counts the labels, so that a lean to one gender shows. Answers that
    speak of nobody, errors and empty ones are missing: left out of the observed value, without a
    gender for ``lowest`` and with one for ``highest``. Undefined where no answer could be read.
    """
    is_control = [row.prompt.tags.get(TAG) == STATED for row in rows]
    left_open = [row for row, control in zip(rows, is_control, strict=True) if not control]
    outcomes = collect_scores(left_open, axis=request.axis, scorer=request.scorer)
    counted = Counted(outcomes.n, outcomes.n_missing, outcomes.reasons)
    if not outcomes.n:
        return undefined(request, "no translation could be read", counted)
    stated = [row for row, control in zip(rows, is_control, strict=True) if control]
    detail = {
        "k": outcomes.k,
        "prompts": len(outcomes.prompts),
        "counts": count_labels(outcomes),
        "control": _count_right(collect_scores(stated, axis=request.axis, scorer=request.scorer)),
        "interval": "proportion",
        "range": [0.0, 1.0],
    }
    values = sample_values(outcomes, lambda value, _label: float(value >= THRESHOLD))
    method = "Share of readable translations that give one gender where the source gives none."
    return measurement(request, ("all",), values, counted, method, detail)


def _count_right(outcomes: Outcomes) -> dict[str, float | int | None]:
    """Return how many stated genders were kept, of the answers that could be read."""
    found = Counter(
        label == one.prompt.expected for one in outcomes.prompts for label in one.labels
    )
    n = found.total()
    rate = found[True] / n if n else None
    return {"n": n, "hits": found[True], "rate": rate, "missing": outcomes.n_missing}
