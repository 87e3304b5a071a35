"""What a rate would be had the scorer made no mistakes (Rogan and Gladen 1978)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_UNDEFINED = 0.01
"""A larger share of draws in which the scorer is no better than chance gives no interval."""


MISFIT = (
    "the share found cannot come from a scorer with this sensitivity and specificity: the labelled "
    "texts are unlike what was scored"
)
"""Why there is no corrected rate where all of its interval lies below 0 or above 1."""


@dataclass(frozen=True, slots=True)
class Validated:
    """A scorer's answers on labelled texts.

    Attributes
    ----------
    hits, positives : int
        Positive texts it found, of all positive ones.
    rejections, negatives : int
        Negative texts it left alone, of all negative ones.
    """

    hits: int
    positives: int
    rejections: int
    negatives: int

    @property
    def sensitivity(self) -> float:
        """Return the share of the positive texts that it finds."""
        return self.hits / self.positives

    @property
    def specificity(self) -> float:
        """Return the share of the negative texts that it leaves alone."""
        return self.rejections / self.negatives


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected rate with its interval, or why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


def rogan_gladen(share: float, sensitivity: float, specificity: float) -> float | None:
    """Return (share + Sp - 1) / (Se + Sp - 1), cut at 0 and 1.

    Returns
    -------
    float or None
        None where Se + Sp <= 1: a scorer no better than chance carries nothing to correct.

    Examples
    --------
    >>> round(rogan_gladen(0.14, 0.8, 0.9), 4)
    0.0571
    """
    youden = sensitivity + specificity - 1
    if youden <= 1e-12:
        return None
    return float(np.clip((share + specificity - 1) / youden, 0.0, 1.0))


def corrected_rate(
    share: float,
    trials: float,
    validated: Validated,
    *,
    alpha: float,
    draws: int,
    rng: np.random.Generator,
) -> Corrected:
    """Return the corrected rate with the uncertainty of all three shares in its interval.

    The share, sensitivity and specificity are drawn from their Beta posteriors under Jeffreys'
    prior, and the interval holds the middle 1 - ``alpha`` of the corrected draws. Where all of it
    lies below 0 (fewer were found than false alarms alone would make) or above 1, there is no
    value: 0 would look like a finding.

    Parameters
    ----------
    share : float
        What the scorer found.
    trials : float
        How many independent outcomes that is worth (effective, where outcomes are clustered).
    validated : Validated
    alpha : float
        One minus the confidence level.
    draws : int
    rng : numpy.random.Generator
    """
    value = rogan_gladen(share, validated.sensitivity, validated.specificity)
    if value is None:
        return Corrected(None, None, None, "sensitivity + specificity is not above 1")
    p = rng.beta(share * trials + 0.5, (1 - share) * trials + 0.5, size=draws)
    missed = validated.positives - validated.hits
    alarms = validated.negatives - validated.rejections
    se = rng.beta(validated.hits + 0.5, missed + 0.5, size=draws)
    sp = rng.beta(validated.rejections + 0.5, alarms + 0.5, size=draws)
    youden = se + sp - 1
    useful = youden > 0
    if useful.mean() < 1 - MAX_UNDEFINED:
        return Corrected(value, None, None, "too few labelled texts to tell it from chance")
    corrected = (p + sp - 1)[useful] / youden[useful]
    low, high = np.quantile(corrected, [alpha / 2, 1 - alpha / 2])
    if high <= 0 or low >= 1:
        return Corrected(None, None, None, MISFIT)
    ends = np.clip([low, high], 0.0, 1.0)
    return Corrected(value, min(float(ends[0]), value), max(float(ends[1]), value))
