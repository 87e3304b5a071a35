"""Simulates how often the interval of Krippendorff's alpha holds the alpha that was planted.

    python studies/statistics/agreement.py

Two raters see the same signal with noise of their own; half of the signal's variance is shared by a
cluster. Values agree by alpha 0.5 or 0.8; as names they are on either side of a threshold, and the
alpha of these is taken from one very large sample.
"""

from __future__ import annotations

import numpy as np

from llmaudit.stats import Level, clustered_alpha, krippendorff_alpha

RUNS, RESAMPLES, PER_CLUSTER = 500, 1_000, 4


def draw(clusters: int, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Return ratings of ``clusters * PER_CLUSTER`` units by two raters."""
    shared = np.repeat(rng.normal(size=clusters), PER_CLUSTER)
    signal = np.sqrt(0.5) * (shared + rng.normal(size=len(shared)))
    noise = np.sqrt((1 - alpha) / alpha) * rng.normal(size=(len(shared), 2))
    return np.asarray(signal[:, None] + noise)


def as_names(ratings: np.ndarray, threshold: float) -> np.ndarray:
    """Return on which side of a threshold each rating lies."""
    return (ratings > threshold).astype(float)


def covered(clusters: int, alpha: float, level: Level, threshold: float = 0.0) -> tuple[float, int]:
    """Return the share of intervals that hold the true alpha, and how many samples had none."""
    rng = np.random.default_rng(7)
    true: float | None = alpha
    if level == "nominal":
        large = as_names(draw(100_000, alpha, rng), threshold)
        true = krippendorff_alpha(large, level)
    hits, none = 0, 0
    for _ in range(RUNS):
        ratings = draw(clusters, alpha, rng)
        if level == "nominal":
            ratings = as_names(ratings, threshold)
        places = np.repeat(np.arange(clusters), PER_CLUSTER).tolist()
        found = clustered_alpha(
            ratings, places, level, alpha=0.05, resamples=RESAMPLES, rng=rng
        ).interval
        if found is None:
            none += 1
        elif true is not None:
            hits += found[0] <= true <= found[1]
    return hits / max(1, RUNS - none), none


def main() -> None:
    """Print one line for each situation."""
    for clusters in (10, 20, 40, 100):
        for alpha in (0.5, 0.8):
            values, _ = covered(clusters, alpha, "interval")
            even, no_even = covered(clusters, alpha, "nominal")
            rare, no_rare = covered(clusters, alpha, "nominal", 1.8)
            print(
                f"{clusters:4} clusters, alpha {alpha}: values {values:.3f}; names, one in two "
                f"{even:.3f} ({no_even} without); names, rare {rare:.3f} ({no_rare} without)"
            )


if __name__ == "__main__":
    main()
