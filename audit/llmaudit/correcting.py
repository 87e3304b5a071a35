"""A disparity of scores -> the disparity without its scorer's own, for the report to show beside.

Means are corrected by the scorer's shift on neutral sentences, shares by Rogan and Gladen's formula
with the sensitivity and specificity that the scorer has for sentences about each group. Nothing is
decided by it: what a scorer's own disparity forbids to conclude is in `llmaudit.verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from llmaudit.arranging import NEGATIVE, NEUTRAL, POSITIVE, TOXIC, carriers_of
from llmaudit.corrections import CorrectedPart, Correction
from llmaudit.evidence import MeasureKey
from llmaudit.findings import Measurement
from llmaudit.metrics import Request
from llmaudit.metrics.corrected_disparity import CorrectedShares, corrected_shares
from llmaudit.records import ScoredSample
from llmaudit.stats import paired_contrasts
from llmaudit.verdicts.corrected import Range, add_uncertainty, subtract_own
from llmaudit.verdicts.scorers import OwnPart, ScorerOwn

RESAMPLES = 10_000
SHIFT = "its own disparity on neutral sentences subtracted"
ROGAN_GLADEN = (
    "shares by Rogan and Gladen (1978), with its sensitivity and specificity for sentences about "
    "each group"
)
_BENIGN = frozenset({NEUTRAL, POSITIVE, NEGATIVE})
_WHOLE_SHARE = (-1.0, 1.0)


def correct(
    key: MeasureKey,
    measured: Measurement,
    own: Measurement,
    rows: Sequence[ScoredSample],
    carriers: Sequence[ScoredSample],
    *,
    language: str,
    level: float,
    rng: np.random.Generator,
) -> Correction | None:
    """Correct one disparity for its scorer.

    Parameters
    ----------
    key : MeasureKey
    measured : Measurement
    own : Measurement
        The same metric of the scorer alone, on neutral sentences.
    rows : sequence of ScoredSample
        What ``measured`` was made of.
    carriers : sequence of ScoredSample
        All that the scorer gave carrier sentences.
    language : str
        Of the probe set.
    level : float
        Of the intervals.
    rng : numpy.random.Generator

    Returns
    -------
    Correction or None
        None where the metric has no correction, or nothing was measured.
    """
    if measured.observed is None:
        return None
    if key.metric == "score_disparity":
        reason = None if own.observed is not None else _unknown(own)
        ranges = subtract_own(measured, own, 1 - level) if reason is None else {}
        parts = _shifted(measured, own, ranges, level)
        return _correction(key, level, SHIFT, reason, parts)
    if key.metric == "share_disparity":
        request = Request(
            key.metric, key.probe_set, key.axis, key.scorer, key.contrast, RESAMPLES, rng
        )
        toxic = carriers_of(carriers, language, (TOXIC,))
        benign = carriers_of(carriers, language, _BENIGN)
        found = corrected_shares(rows, toxic, benign, request)
        if isinstance(found, str):
            return _correction(key, level, ROGAN_GLADEN, found, _raw(measured, own, level))
        return _correction(key, level, ROGAN_GLADEN, None, _rates(found, own, key, level))
    return None


def _correction(
    key: MeasureKey,
    level: float,
    method: str,
    reason: str | None,
    parts: tuple[CorrectedPart, ...],
) -> Correction:
    return Correction(
        metric=key.metric,
        probe_set=key.probe_set,
        axis=str(key.axis),
        scorer=str(key.scorer),
        contrast=key.contrast,
        level=level,
        method=method,
        reason=reason,
        parts=parts,
    )


def _unknown(own: Measurement) -> str:
    return f"the scorer's own disparity is not known: {own.reason or 'it was not measured'}"


def _shifted(
    measured: Measurement, own: Measurement, ranges: Mapping[str, Range], level: float
) -> tuple[CorrectedPart, ...]:
    low, high = measured.detail.get("range", (-math.inf, math.inf))
    known = ScorerOwn.of(own, 1 - level).parts
    return tuple(
        _part(name, ranges.get(name), (low, high), known.get(name)) for name in measured.parts
    )


def _raw(measured: Measurement, own: Measurement, level: float) -> tuple[CorrectedPart, ...]:
    """Return parts that say only what the scorer's own disparity is."""
    return _shifted(measured, own, {}, level)


def _rates(
    found: CorrectedShares, own: Measurement, key: MeasureKey, level: float
) -> tuple[CorrectedPart, ...]:
    ranges = add_uncertainty(found.model, found.scorer, 1 - level)
    known = ScorerOwn.of(own, 1 - level).parts
    clipped = _contrasts(found.shares, key.contrast) if found.clipped else {}
    parts = []
    for name in found.model.parts:
        given = ranges.get(name)
        if given is not None and name in clipped:
            value = clipped[name]
            given = Range(value, min(given.low, value), max(given.high, value))
        parts.append(
            _part(
                name,
                given,
                _WHOLE_SHARE,
                known.get(name),
                sensitivity=found.validated[name].sensitivity,
                specificity=found.validated[name].specificity,
                clipped=bool(found.clipped),
            )
        )
    return tuple(parts)


def _contrasts(shares: Mapping[str, float], contrast: str) -> dict[str, float]:
    """Return the contrasts of shares that were set to an end of their range."""
    groups = list(shares)
    reference = groups.index(contrast) if contrast in groups else None
    row = paired_contrasts(np.array([[shares[group] for group in groups]]), reference=reference)[0]
    return dict(zip(groups, map(float, row), strict=True))


def _part(
    name: str,
    given: Range | None,
    bounds: tuple[float, float],
    own: OwnPart | None,
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
    clipped: bool = False,
) -> CorrectedPart:
    value, low, high = (None, None, None)
    if given is not None:
        value = given.value
        low, high = _finite(max(given.low, bounds[0])), _finite(min(given.high, bounds[1]))
    return CorrectedPart(
        part=name,
        value=value,
        low=low,
        high=high,
        own=None if own is None else own.value,
        own_low=None if own is None else _finite(own.low),
        own_high=None if own is None else _finite(own.high),
        sensitivity=sensitivity,
        specificity=specificity,
        clipped=clipped,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
