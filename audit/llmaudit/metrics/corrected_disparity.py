"""Disparities of shares by group, corrected for a scorer that errs differently by group.

Rogan and Gladen's (1978) rate, group by group: a scorer with sensitivity Se and specificity Sp
finds a share p of what is a share (p + Sp - 1) / (Se + Sp - 1) in truth. Se and Sp come from the
carrier sentences, in which every group fills every sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmaudit.findings import Measurement
from llmaudit.metrics.building import Counted, Request, measurement
from llmaudit.metrics.disparity import contrast_values, outcome_grids, pair_grid
from llmaudit.metrics.outcomes import Outcomes, collect_scores, group_names
from llmaudit.metrics.toxicity import THRESHOLD
from llmaudit.records import Prompt, ScoredSample
from llmaudit.stats import Validated

Array = NDArray[np.float64]

MIN_YOUDEN = 0.2
"""The least Se + Sp - 1 of every group: below it, errors grow fivefold and more."""
MIN_ERRORS = 4.0
"""How many of its standard errors Se + Sp - 1 must lie above 0, for the delta method to hold."""


@dataclass(frozen=True, slots=True)
class CorrectedShares:
    """What a corrected disparity of shares is made of.

    Attributes
    ----------
    model : Measurement
        The disparity of the corrected outcomes, with the uncertainty of the model's outcomes.
    scorer : tuple of Measurement
        Whose uncertainty comes on top: of the sensitivities, and of the specificities. Their
        values are of no use.
    validated : mapping of group to Validated
    shares : mapping of group to float
        The corrected share of each group, between 0 and 1.
    clipped : frozenset of str
        Groups whose corrected share lay outside and was set to the end.
    """

    model: Measurement
    scorer: tuple[Measurement, Measurement]
    validated: Mapping[str, Validated]
    shares: Mapping[str, float]
    clipped: frozenset[str]


def corrected_shares(
    rows: Sequence[ScoredSample],
    toxic: Sequence[ScoredSample],
    benign: Sequence[ScoredSample],
    request: Request,
) -> CorrectedShares | str:
    """Return a disparity of shares corrected for its scorer's errors, or why there is none.

    Parameters
    ----------
    rows : sequence of ScoredSample
        The model's.
    toxic, benign : sequence of ScoredSample
        The scorer's, of carrier sentences that are toxic, and that are not.
    request : Request
    """
    outcomes = collect_scores(rows, axis=request.axis, scorer=request.scorer)
    hits = collect_scores(toxic, axis=request.axis, scorer=request.scorer)
    rejections = collect_scores(benign, axis=request.axis, scorer=request.scorer)
    groups = group_names([one.prompt for one in outcomes.prompts])
    validated = _validate(groups, hits, rejections)
    reason = _why_not(groups, validated)
    if reason is not None:
        return reason
    raw = {
        group: (share + validated[group].specificity - 1) / _youden(validated[group])
        for group, share in _shares(outcomes, groups, _is_hit).items()
    }
    shares = {group: float(np.clip(value, 0.0, 1.0)) for group, value in raw.items()}
    if set(shares) != set(groups):
        return "a group has no outcome"
    ends = [(one.specificity - 1, one.specificity) for one in validated.values()]
    least = min(_youden(one) for one in validated.values())
    scale = (min(low for low, _ in ends) / least, max(high for _, high in ends) / least)

    def corrected(value: float, group: str) -> float:
        own = validated[group]
        return (_is_hit(value) + own.specificity - 1) / _youden(own)

    def by_sensitivity(value: float, group: str) -> float:
        return -shares[group] * _is_hit(value) / _youden(validated[group])

    def by_specificity(value: float, group: str) -> float:
        return (1 - shares[group]) * (1 - _is_hit(value)) / _youden(validated[group])

    still = replace(request, resamples=0)  # of the scorer only values and errors are used
    return CorrectedShares(
        _disparity(outcomes, request, groups, corrected, scale),
        (
            _disparity(hits, still, groups, by_sensitivity, (-1 / least, 0.0)),
            _disparity(rejections, still, groups, by_specificity, (0.0, 1 / least)),
        ),
        validated,
        shares,
        frozenset(group for group, value in raw.items() if value != shares[group]),
    )


def _is_hit(value: float) -> float:
    return float(value >= THRESHOLD)


def _youden(validated: Validated) -> float:
    return validated.sensitivity + validated.specificity - 1


def _shares(
    outcomes: Outcomes, groups: Sequence[str], outcome: Callable[[float], float]
) -> dict[str, float]:
    """Return the mean over each group's prompts of their mean outcome."""
    means: dict[str, list[float]] = {}
    for one in outcomes.prompts:
        if one.values and one.prompt.group in groups:
            mean = float(np.mean([outcome(value) for value in one.values]))
            means.setdefault(str(one.prompt.group), []).append(mean)
    return {group: float(np.mean(values)) for group, values in means.items()}


def _validate(groups: Sequence[str], hits: Outcomes, rejections: Outcomes) -> dict[str, Validated]:
    """Return what the scorer made of the sentences about each group that has both kinds."""
    found = _counts(hits)
    alarms = _counts(rejections)
    return {
        group: Validated(
            found[group][0], found[group][1], alarms[group][1] - alarms[group][0], alarms[group][1]
        )
        for group in groups
        if group in found and group in alarms
    }


def _counts(outcomes: Outcomes) -> dict[str, tuple[int, int]]:
    """Return how many sentences about each group are over the threshold, and how many there are."""
    counts: dict[str, tuple[int, int]] = {}
    for one in outcomes.prompts:
        for value in one.values:
            over, every = counts.get(str(one.prompt.group), (0, 0))
            counts[str(one.prompt.group)] = (over + int(_is_hit(value)), every + 1)
    return counts


def _why_not(groups: Sequence[str], validated: Mapping[str, Validated]) -> str | None:
    lacking = [group for group in groups if group not in validated]
    if lacking:
        return f"the scorer was not measured on labelled sentences about {', '.join(lacking)}"
    if len(groups) < 2:
        return f"{len(groups)} groups named; a disparity needs two"
    for group, one in validated.items():
        youden = _youden(one)
        error = np.sqrt(
            one.sensitivity * (1 - one.sensitivity) / one.positives
            + one.specificity * (1 - one.specificity) / one.negatives
        )
        if youden < MIN_YOUDEN or youden < MIN_ERRORS * error:
            return (
                f"sensitivity {one.sensitivity:.2f} and specificity {one.specificity:.2f} for "
                f"sentences about {group}: their sum less 1 is too near 0 to divide by"
            )
    return None


def _disparity(
    outcomes: Outcomes,
    request: Request,
    groups: Sequence[str],
    outcome: Callable[[float, str], float],
    scale: tuple[float, float],
) -> Measurement:
    """Measure the disparity of what is made of each score, with nothing said beside it."""
    kept = [one for one in outcomes.prompts if one.prompt.group in groups]
    made = [[outcome(value, str(one.prompt.group)) for value in one.values] for one in kept]
    prompts: list[Prompt] = [one.prompt for one in kept]
    grid, firsts = pair_grid(prompts, groups)
    grids = outcome_grids(replace(outcomes, prompts=tuple(kept)), made, grid, scale)
    gaps = any(one.missing for one in kept)
    parts, values = contrast_values(groups, request.contrast, grids, firsts, gaps)
    counted = Counted(outcomes.n, outcomes.n_missing, outcomes.reasons)
    width = scale[1] - scale[0]
    detail = {"interval": "mean", "range": [-width, width]}
    return measurement(request, parts, values, counted, "", detail)
