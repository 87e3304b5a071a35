"""The paired permutation test: signs of whole clusters flipped, exact where there are few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXACT_CLUSTERS = 13
"""Up to so many clusters every one of the 2^n sign patterns is tried."""

_TIE = 1e-9


def sign_flip_p(sums: Array, permutations: int, rng: np.random.Generator) -> Array:
    """Return the two-sided p of "no difference" for each part.

    A pair's difference changes its sign when its two members change places. Without a difference
    both signs are equally likely, so the sum of all differences is held against its distribution
    over the flips. All differences of a cluster flip together, which allows any correlation
    within it. Exact where each part's cluster sums are symmetric around 0 (always so for two groups
    that are exchangeable); approximate for a group against the mean of several siblings.

    Parameters
    ----------
    sums : ndarray of float64, shape (clusters, parts)
        Each cluster's sum of paired differences; 0 where it has none.
    permutations : int
        Random sign patterns where there are more than 13 clusters: p is then
        (1 + those at least as extreme) / (1 + permutations), never 0 (Phipson and Smyth 2010).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (parts,)
        1 where no difference is other than 0.

    Examples
    --------
    >>> import numpy as np
    >>> sign_flip_p(np.array([[1.0], [2.0], [3.0]]), 999, np.random.default_rng(0)).tolist()
    [0.25]
    """
    clusters = len(sums)
    observed = np.abs(sums.sum(axis=0)) * (1 - _TIE)
    if clusters <= EXACT_CLUSTERS:
        bits = np.arange(2**clusters)[:, None] >> np.arange(clusters)
        reached = np.abs(_signs(bits & 1) @ sums) >= observed
        return np.asarray(reached.mean(axis=0), dtype=np.float64)
    reached = np.abs(_signs(rng.integers(0, 2, size=(permutations, clusters))) @ sums) >= observed
    return np.asarray((1 + reached.sum(axis=0)) / (1 + permutations), dtype=np.float64)


def _signs(bits: NDArray[np.int64]) -> Array:
    return np.asarray(2 * bits - 1, dtype=np.float64)
