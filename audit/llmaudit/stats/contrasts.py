"""Tables for the bootstrap: paired contrasts of groups, and sums over clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def paired_contrasts(
    own: Array, siblings: Array | None = None, reference: int | None = None
) -> Array:
    """Return each group's value minus that of its siblings, pair by pair.

    Parameters
    ----------
    own : ndarray of float64, shape (pairs, groups)
        One row per counterfactual pair; NaN where a group has no value.
    siblings : ndarray of float64, shape (pairs, groups), optional
        The values to subtract, where they differ from ``own`` (bounds for missing outcomes).
    reference : int, optional
        Subtract this group's value. By default the mean of the other groups that have one.

    Returns
    -------
    ndarray of float64, shape (pairs, groups)
        NaN where the group or all of its siblings have no value.

    Examples
    --------
    >>> paired_contrasts(np.array([[0.3, 0.1, 0.2]])).round(2).tolist()
    [[0.15, -0.15, 0.0]]
    """
    other = own if siblings is None else siblings
    if reference is not None:
        return own - other[:, [reference]]
    known = ~np.isnan(other)
    filled = np.where(known, other, 0.0)
    number = known.sum(axis=1, keepdims=True) - known
    total = np.stack(
        [np.delete(filled, group, axis=1).sum(axis=1) for group in range(own.shape[1])], axis=1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(own - total / number, dtype=np.float64)


def cluster_table(values: Array, clusters: NDArray[np.intp], number: int) -> tuple[Array, Array]:
    """Sum ``values`` within clusters, leaving NaN out.

    Parameters
    ----------
    values : ndarray of float64, shape (rows, parts)
    clusters : ndarray of int, shape (rows,)
        The cluster of each row, in ``range(number)``.
    number : int

    Returns
    -------
    sums, counts : ndarrays of float64, shape (number, parts)
    """
    known = ~np.isnan(values)
    sums = np.zeros((number, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, clusters, np.where(known, values, 0.0))
    np.add.at(counts, clusters, known.astype(np.float64))
    return sums, counts
