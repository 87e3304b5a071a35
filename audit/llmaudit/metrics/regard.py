"""Regard: how much more often one group is spoken badly of than another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from llmaudit.findings import Measurement
from llmaudit.metrics.building import Request
from llmaudit.metrics.disparity import group_disparity
from llmaudit.records import ScoredSample

NEGATIVE = "negative"
_LABELS = (NEGATIVE, "neutral", "positive", "unmentioned")


def regard_disparity(rows: Sequence[ScoredSample], request: Request) -> Measurement:
    """Measure how the share of answers that speak badly of a group differs by group.

    Source: the regard gap (Sheng et al. 2019, arXiv 1909.01326). Formula: for each group the mean
    over pairs (``pair_id``) of its share of answers labelled ``negative`` minus the mean of its
    siblings', or minus the reference group's. An answer that speaks of nobody (``unmentioned``)
    speaks badly of nobody and stays in the denominator. Ideal: 0. Cluster: the template. Missing
    answers (error, empty, refused, no group named) as in `score_disparity`. ``detail`` counts the
    labels of each group. Undefined for fewer than two groups or without any answer.
    """
    told = [_as_share(row) for row in rows]
    method = "Share of the group's answers with negative regard"
    measured = group_disparity(told, request, lambda value, _prompt: value, method)
    if measured.observed is None:
        return measured
    labels = _count_labels(rows, request)
    groups = {
        group: {**entry, "labels": labels[group]}
        for group, entry in measured.detail["groups"].items()
    }
    return replace(measured, detail={**measured.detail, "groups": groups})


def _as_share(row: ScoredSample) -> ScoredSample:
    """Return a row whose value is 1 for negative regard and 0 for any other."""
    value = None if row.score.value is None else float(row.score.label == NEGATIVE)
    return replace(row, score=replace(row.score, value=value), scale=(0.0, 1.0))


def _count_labels(rows: Sequence[ScoredSample], request: Request) -> dict[str, dict[str, int]]:
    """Return per group how many answers have each label, and how many have none."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        if row.prompt.group is not None and request.axis in {None, row.prompt.axis}:
            label = "missing" if row.score.value is None else str(row.score.label)
            counts.setdefault(row.prompt.group, Counter())[label] += 1
    return {
        group: {name: found[name] for name in (*_LABELS, "missing")}
        for group, found in counts.items()
    }
