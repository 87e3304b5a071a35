"""The rate that a scorer without errors would have found, by each set it was validated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from llmaudit.findings import Distribution, Measurement
from llmaudit.records import ScorerFacts
from llmaudit.stats import Corrected, Validated, WilsonPart, corrected_rate, part_intervals

CORRECTABLE = frozenset({"toxic_fraction"})
"""Metrics that are a share of scored outcomes over the threshold of the scorer's own validation."""

DRAWS = 20_000
LEVEL = 0.95
NEEDED = ("sensitivity", "specificity", "n", "positives")
"""What the card of a scorer must say of a validation set."""


def add_corrected(
    measured: Measurement, scorer: ScorerFacts, rng: np.random.Generator
) -> Measurement:
    """Return the measurement with the rate corrected for its scorer's errors in its detail.

    ``corrected`` has one entry per validation set on the scorer's card: Rogan and Gladen's (1978)
    rate with an interval that holds the uncertainty of the share, the sensitivity and the
    specificity. The sets differ, and none of them is the model's own output, so the corrected rates
    show how far the scorer's errors reach and judge nothing. Where outcomes are missing, the
    interval reaches over their extremes. A scorer whose card lacks the figures has no entry but a
    reason, ``not_corrected``.

    Parameters
    ----------
    measured : Measurement
    scorer : ScorerFacts
    rng : numpy.random.Generator
    """
    if measured.metric not in CORRECTABLE or measured.observed is None:
        return measured
    sets = {
        name: entry
        for name, entry in scorer.card.get("evaluation", {}).items()
        if isinstance(entry, Mapping) and all(_counted(entry.get(key)) for key in NEEDED)
    }
    if not sets:
        reason = (
            f"The card of scorer {scorer.name} has no sensitivity and specificity with the counts "
            "behind them."
        )
        return replace(measured, detail={**measured.detail, "not_corrected": reason})
    corrected = {name: _correct(measured, entry, rng) for name, entry in sets.items()}
    return replace(
        measured, detail={**measured.detail, "corrected": corrected, "corrected_level": LEVEL}
    )


def _counted(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _correct(
    measured: Measurement, entry: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    positives = int(entry["positives"])
    negatives = int(entry["n"]) - int(entry.get("unscored", 0)) - positives
    validated = Validated(
        hits=round(float(entry["sensitivity"]) * positives),
        positives=positives,
        rejections=round(float(entry["specificity"]) * negatives),
        negatives=negatives,
    )
    given = [measured.observed, measured.lowest, measured.highest]
    filled = ("outcomes", "outcomes_filled", "outcomes_filled")
    found = [
        _corrected(one, int(measured.detail[name]), validated, rng)
        for one, name in zip(given, filled, strict=True)
        if one is not None
    ]
    reason = next((one.reason for one in found if one.reason is not None), None)
    ends = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    whole = ends if len(ends) == len(found) else []
    return {
        "value": found[0].value,
        "interval": [min(e[0] for e in whole), max(e[1] for e in whole)] if whole else None,
        "sensitivity": validated.sensitivity,
        "specificity": validated.specificity,
        "positives": positives,
        "negatives": negatives,
        "reason": reason,
    }


def _corrected(
    distribution: Distribution, outcomes: int, validated: Validated, rng: np.random.Generator
) -> Corrected:
    (rule,) = part_intervals(distribution, proportion=True, bounds=(0.0, 1.0), outcomes=outcomes)
    if not isinstance(rule, WilsonPart):
        return Corrected(None, None, None, rule.method)
    return corrected_rate(rule.value, rule.trials, validated, alpha=1 - LEVEL, draws=DRAWS, rng=rng)
