"""Krippendorff's alpha against the library of that name, and its interval over clusters."""

from __future__ import annotations

from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmaudit.stats import Level, clustered_alpha, krippendorff_alpha

NAN = float("nan")

#: Four raters, twelve units (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("interval", 0.849)])
def test_the_published_example(level: Level, published: float) -> None:
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(published, abs=5e-4)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(2, 4)), elements=st.integers(0, 3)),
    st.data(),
    st.sampled_from(["nominal", "interval"]),
)
def test_any_table_gets_what_the_library_gives(ratings: Any, data: Any, level: Level) -> None:
    hidden = data.draw(arrays(np.bool_, ratings.shape, elements=st.booleans()))
    table = np.where(hidden & (np.arange(len(ratings)) > 0)[:, None], NAN, ratings)
    ours = krippendorff_alpha(table, level)
    paired = table[(~np.isnan(table)).sum(axis=1) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        assert ours is None
    else:
        theirs = krippendorff.alpha(table.T, level_of_measurement=level)
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_what_cannot_vary_has_no_value() -> None:
    rng = np.random.default_rng(0)
    same = clustered_alpha(np.ones((6, 2)), range(6), "interval", alpha=0.05, resamples=50, rng=rng)
    assert (same.value, same.interval, same.units, same.clusters) == (None, None, 6, 6)
    nothing = np.full((3, 2), NAN)
    assert krippendorff_alpha(nothing, "interval") is None
    assert krippendorff_alpha(nothing, "nominal") is None


def test_few_clusters_have_no_interval_and_lone_ratings_no_part() -> None:
    ratings = np.array([[0.0, 0.1], [0.5, 0.5], [1.0, 0.7], [0.2, NAN]])
    rng = np.random.default_rng(0)
    found = clustered_alpha(ratings, [1, 2, 2, 9], "interval", alpha=0.05, resamples=50, rng=rng)
    assert found.value == pytest.approx(krippendorff_alpha(ratings[:3], "interval"))
    assert (found.interval, found.units, found.clusters) == (None, 3, 2)


@pytest.mark.parametrize(("others", "has"), [(9, False), (10, True)])
def test_names_that_hardly_vary_have_no_interval(others: int, has: bool) -> None:
    ratings = np.zeros((60, 2))
    ratings[:others] = 1.0
    ratings[0, 1], ratings[-1, 1] = 0.0, 1.0
    rng = np.random.default_rng(0)
    found = clustered_alpha(
        ratings, [i % 20 for i in range(60)], "nominal", alpha=0.05, resamples=200, rng=rng
    )
    assert (found.interval is not None) is has
    assert found.value == pytest.approx(krippendorff_alpha(ratings, "nominal"))


def test_the_interval_covers_the_value_that_was_planted() -> None:
    """Two raters see the same signal with noise of its size: alpha is 0.5; clusters share noise."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(40), 3)
        signal = np.sqrt(0.5) * (rng.normal(size=40)[clusters] + rng.normal(size=120))
        ratings = signal[:, None] + rng.normal(size=(120, 2))
        found = clustered_alpha(
            ratings, clusters.tolist(), "interval", alpha=0.05, resamples=400, rng=rng
        )
        assert found.interval is not None
        low, high = found.interval
        assert low < high
        covered += low <= 0.5 <= high
    assert 51 <= covered <= 60
