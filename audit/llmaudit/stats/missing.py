"""The worst that missing outcomes could have been (Horowitz and Manski 2000)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmaudit.stats.contrasts import paired_contrasts

Array = NDArray[np.float64]


def worst_case_values(values: Array, low: float, high: float) -> tuple[Array, Array]:
    """Return the values with every missing one at ``low``, and with every one at ``high``.

    Their means bound the mean that would have been seen had nothing been missing.

    Parameters
    ----------
    values : ndarray of float64
        NaN where an outcome is missing.
    low, high : float
        Between what an outcome can lie: 0 and 1 for a rate.

    Examples
    --------
    >>> lowest, highest = worst_case_values(np.array([1.0, 0.0, np.nan, 0.0]), 0.0, 1.0)
    >>> float(lowest.mean()), float(highest.mean())
    (0.25, 0.5)
    """
    return np.nan_to_num(values, nan=low), np.nan_to_num(values, nan=high)


def worst_case_contrasts(
    lowest: Array, highest: Array, reference: int | None = None
) -> tuple[Array, Array]:
    """Return each group's smallest and largest difference from its siblings, pair by pair.

    The smallest takes the group's own lowest values and its siblings' highest, the largest the
    reverse: no difference that any missing outcomes could have made lies outside.

    Parameters
    ----------
    lowest, highest : ndarray of float64, shape (pairs, groups)
        From `worst_case_values`, or means of several outcomes filled in like manner.
    reference : int, optional
        As in `paired_contrasts`.
    """
    return (
        paired_contrasts(lowest, highest, reference),
        paired_contrasts(highest, lowest, reference),
    )
