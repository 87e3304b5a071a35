"""Measures how often the interval of the expected calibration error holds the true one.

    python studies/statistics/calibration_interval.py [--runs 400]

Probabilities are drawn, labels by a truth that is the probability itself or differs from it by a
slope or a shift on the logit scale; the true error comes from two million texts. The percentile
interval of the same resamples stands beside it.
"""

from __future__ import annotations

import argparse

import numpy as np

from llmaudit import stats

TRUTHS = {
    "perfect, a tenth positive": (-2.5, 1.5, 1.0, 0.0),
    "perfect, balanced": (0.0, 2.0, 1.0, 0.0),
    "too flat": (-2.5, 1.5, 1.3, 0.4),
    "too low": (-2.5, 1.5, 1.0, 1.0),
}
"""Name to mean and spread of the logits, and slope and shift of the truth."""

SIZES = (200, 1_000, 4_000)
ALPHA = 0.05


def draw(
    truth: tuple[float, float, float, float], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that are said, and the true ones."""
    mean, spread, slope, shift = truth
    logits = rng.normal(mean, spread, size)
    return 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-(slope * logits + shift)))


def true_error(truth: tuple[float, float, float, float], rng: np.random.Generator) -> float:
    """Return the calibration error that labels have nothing to do with."""
    said, real = draw(truth, 2_000_000, rng)
    place = np.minimum((said * stats.BINS).astype(int), stats.BINS - 1)
    return float(np.abs(np.bincount(place, real - said, stats.BINS)).sum() / len(said))


def covered(
    truth: tuple[float, float, float, float], size: int, real: float, rng: np.random.Generator
) -> tuple[bool, bool]:
    """Say whether our interval and the percentile one of one sample hold the true error."""
    values, chances = draw(truth, size, rng)
    residuals = stats.bin_residuals(values, rng.random(size) < chances)
    errors, distances = stats.bootstrap_texts(
        [
            lambda weights: stats.weighted_error(residuals, weights),
            lambda weights: stats.error_distance(residuals, weights),
        ],
        np.arange(size),
        200,
        rng,
    )
    value = float(stats.weighted_error(residuals, np.ones((1, size)))[0])
    low, high = stats.error_interval(value, errors, distances, ALPHA)
    least, most = np.quantile(errors, [ALPHA / 2, 1 - ALPHA / 2])
    return low <= real <= high, bool(least <= real <= most)


def main() -> None:
    """Print a table of shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    for number, (name, truth) in enumerate(TRUTHS.items()):
        rng = np.random.default_rng(number)
        real = true_error(truth, rng)
        shares = [
            np.mean([covered(truth, size, real, rng) for _ in range(runs)], axis=0)
            for size in SIZES
        ]
        ours = " | ".join(f"{share[0]:.3f}" for share in shares)
        print(f"| {name}, error {real:.4f} | {ours} | {shares[1][1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
