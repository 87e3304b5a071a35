"""Counterfactual disparity: the same probe, another group, what changes (Huang et al. 2020).

The same functions measure a model (on its generations) and a scorer (on neutral carrier
sentences that differ in the group only), so that the two can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llmaudit.errors import UnknownNameError
from llmaudit.findings import Measurement
from llmaudit.metrics.building import OTHERS, Counted, Request, Values, measurement, undefined
from llmaudit.metrics.group_effects import describe_groups
from llmaudit.metrics.outcomes import (
    Outcomes,
    cluster_indices,
    collect_scores,
    group_names,
)
from llmaudit.metrics.toxicity import THRESHOLD
from llmaudit.records import Prompt, ScoredSample
from llmaudit.stats import paired_contrasts, worst_case_contrasts

Array = NDArray[np.float64]


def pair_grid(prompts: Sequence[Prompt], groups: Sequence[str]) -> tuple[Array, list[Prompt]]:
    """Place prompts in a grid of pairs and groups.

    Groups are compared by their whole name, never by a part of it.

    Returns
    -------
    grid : ndarray of float64, shape (pairs, groups)
        The prompt's position in ``prompts``; NaN where a pair has no such group.
    firsts : list of Prompt
        One prompt of each pair, for its template.

    Raises
    ------
    ValueError
        If a pair has two prompts of one group: one of them would be dropped in silence.
    """
    column = {group: index for index, group in enumerate(groups)}
    rows: dict[str, int] = {}
    firsts: list[Prompt] = []
    for prompt in prompts:
        if prompt.pair_id not in rows:
            rows[prompt.pair_id] = len(rows)
            firsts.append(prompt)
    grid = np.full((len(rows), len(groups)), np.nan)
    for position, prompt in enumerate(prompts):
        if prompt.group is None:
            continue
        cell = rows[prompt.pair_id], column[prompt.group]
        if not np.isnan(grid[cell]):
            raise ValueError(f"pair {prompt.pair_id} has two prompts of group {prompt.group!r}")
        grid[cell] = position
    return grid, firsts


def look_up(grid: Array, values: Sequence[float]) -> Array:
    """Return the grid with each position replaced by its value; NaN stays NaN."""
    table = np.append(np.asarray(values, dtype=np.float64), np.nan)
    return np.asarray(table[np.nan_to_num(grid, nan=len(values)).astype(np.intp)])


def contrast_values(
    groups: Sequence[str],
    contrast: str,
    grids: tuple[Array, Array, Array],
    firsts: Sequence[Prompt],
    gaps: bool,
) -> tuple[tuple[str, ...], Values]:
    """Contrast each group with its siblings, observed and at both extremes.

    Parameters
    ----------
    groups : sequence of str
    contrast : str
        ``others`` or a group, which is then not a part itself.
    grids : three ndarrays of float64, shape (pairs, groups)
        Values as observed, and with missing outcomes at the lowest and the highest value. A
        group's lowest contrast takes its own lowest and its siblings' highest.
    firsts : sequence of Prompt
        One prompt of each pair.
    gaps : bool
        Whether anything is missing.

    Raises
    ------
    UnknownNameError
        If ``contrast`` names no group there is.
    """
    if contrast != OTHERS and contrast not in groups:
        raise UnknownNameError("reference group", contrast, [*groups, OTHERS])
    reference = None if contrast == OTHERS else list(groups).index(contrast)
    kept = [index for index in range(len(groups)) if index != reference]
    observed, lowest, highest = grids
    clusters, number = cluster_indices(firsts)

    least, most = worst_case_contrasts(lowest, highest, reference) if gaps else (None, None)
    values = Values(
        observed=paired_contrasts(observed, reference=reference)[:, kept],
        lowest=None if least is None else least[:, kept],
        highest=None if most is None else most[:, kept],
        units=[prompt.pair_id for prompt in firsts],
        clusters=clusters,
        cluster_count=number,
    )
    return tuple(groups[index] for index in kept), values


def group_disparity(
    rows: Sequence[ScoredSample],
    request: Request,
    outcome: Callable[[float, Prompt], float],
    method: str,
    scale: tuple[float, float] = (0.0, 1.0),
) -> Measurement:
    """Measure the disparity of what a function makes of each score.

    Parameters
    ----------
    rows : sequence of ScoredSample
    request : Request
    outcome : callable
        Takes a score's value and its prompt.
    method : str
        What is averaged, in words.
    scale : (float, float)
        Between which ends an outcome lies. Where they are infinite, the smallest and the largest
        outcome observed in the measurement stand in.
    """
    outcomes = collect_scores(rows, axis=request.axis, scorer=request.scorer)
    counted = Counted(outcomes.n, outcomes.n_missing, outcomes.reasons)
    prompts = [prompt.prompt for prompt in outcomes.prompts]
    groups = group_names(prompts)
    if not outcomes.n:
        return undefined(request, "no generation has a score", counted)
    if len(groups) < 2:
        return undefined(request, f"{len(groups)} groups named; a disparity needs two", counted)
    made = [[outcome(value, one.prompt) for value in one.values] for one in outcomes.prompts]
    bounded = all(map(math.isfinite, scale))
    ends = scale if bounded else _observed_ends(made)
    grid, firsts = pair_grid(prompts, groups)
    grids = outcome_grids(outcomes, made, grid, ends)
    parts, values = contrast_values(groups, request.contrast, grids, firsts, outcomes.n_missing > 0)
    against = "the mean of its siblings" if request.contrast == OTHERS else request.contrast
    width = ends[1] - ends[0]
    detail = {
        "k": outcomes.k,
        "prompts": len(prompts),
        "pairs": len(firsts),
        "contrast": request.contrast,
        "groups": describe_groups(groups, parts, request, grids[0], values),
        "interval": "mean",
        "range" if bounded else "observed_range": [-width, width],
    }
    bounds = "" if bounded else " Missing ones are bounded by the smallest and largest observed."
    method = f"{method}, minus that of {against}, averaged over pairs.{bounds}"
    return measurement(request, parts, values, counted, method, detail)


def _observed_ends(made: Sequence[Sequence[float]]) -> tuple[float, float]:
    known = [value for values in made for value in values]
    return min(known), max(known)


def outcome_grids(
    outcomes: Outcomes, made: Sequence[list[float]], grid: Array, ends: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """Return the grids of prompt means: observed, missing at the lowest and at the highest end."""

    def means(end: float | None) -> Array:
        filled = [
            values if end is None else values + [end] * one.missing
            for values, one in zip(made, outcomes.prompts, strict=True)
        ]
        return look_up(grid, [float(np.mean(v)) if v else float("nan") for v in filled])

    return means(None), means(ends[0]), means(ends[1])


def score_disparity(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how the mean score differs by group.

    Source: counterfactual evaluation (Huang et al. 2020, arXiv 1911.03064). Formula: for each group
    the mean over pairs (``pair_id``) of the group's mean score minus the mean of its siblings' mean
    scores, or minus the reference group's. Ideal: 0. Cluster: the template; a pair stays
    together. Missing scores are left out of the observed value (a pair counts where the group and
    a sibling have a score); ``lowest`` sets the group's to the lowest value of the scorer's scale
    and its siblings' to the highest, ``highest`` the reverse. A scale without ends (length) takes
    the smallest and largest score observed in the measurement. Undefined for fewer than two groups
    or without any score. A group without any score keeps its part, with NaN as value. ``detail``
    has the stricter comparisons: Wasserstein-1 between the groups' prompt means, Hedges' g and
    Cliff's delta.
    """
    scale = next((row.scale for row in rows), (0.0, 1.0))
    method = "Mean score of the group"
    return group_disparity(rows, request, lambda value, _prompt: value, method, scale)


def share_disparity(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how the share of scores of 0.5 or more differs by group.

    Source: the weak form of counterfactual disparity (Bouchard 2024, arXiv 2407.10853).
    Formula, ideal, cluster, missing scores and undefined cases as in `score_disparity`, with
    1 for a score of 0.5 or more and 0 otherwise in place of the score.
    """
    method = f"Share of the group's scores >= {THRESHOLD:g}"
    return group_disparity(rows, request, lambda value, _prompt: float(value >= THRESHOLD), method)
