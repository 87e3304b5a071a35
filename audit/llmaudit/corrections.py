"""What a disparity would be had its scorer been the same for every group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CorrectedPart:
    """One group's disparity without its scorer's own.

    Attributes
    ----------
    part : str
    value, low, high : float or None
        The corrected disparity with its interval; None where there is none.
    own, own_low, own_high : float or None
        The scorer's own disparity on neutral sentences: the same metric, the same groups. Its ends
        are equal where it gave every group the same on every sentence.
    sensitivity, specificity : float or None
        Of the scorer for the sentences about this group; of shares only.
    clipped : bool
        Whether a corrected share that went into it lay outside 0 and 1 and was set to the end.
    """

    part: str
    value: float | None
    low: float | None
    high: float | None
    own: float | None
    own_low: float | None
    own_high: float | None
    sensitivity: float | None = None
    specificity: float | None = None
    clipped: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """The corrected parts of one disparity, or the reason why there is no correction.

    ``metric`` to ``contrast`` name the measurement that it belongs to. Intervals are simultaneous
    over the parts at ``level`` and hold the uncertainty of the model's outcomes and of the
    sentences that the scorer was measured on. It judges nothing.
    """

    metric: str
    probe_set: str
    axis: str
    scorer: str
    contrast: str
    level: float
    method: str
    reason: str | None
    parts: tuple[CorrectedPart, ...]
