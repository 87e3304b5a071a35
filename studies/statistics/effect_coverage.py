"""Coverage of effect sizes and of corrected rates, and how often tests reject what is true."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from designs import Array, binary_rates, bootstrap, paired_scores, toxicity_scores

from llmaudit.stats import (
    Validated,
    WilsonPart,
    cliffs_delta,
    corrected_rate,
    effect_sizes,
    equivalence_p,
    hedges_g_paired,
    part_intervals,
    sign_flip_p,
    wasserstein_1,
)

ALPHA = 0.05
GROUPS = 3
CLUSTERS = (10, 20, 60)
SHIFTS = (0.0, 0.05)
LARGE = 20_000


def _shifted(clusters: int, shift: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return skewed scores of which the first group's are higher by ``shift``."""
    scores, index = toxicity_scores(clusters, GROUPS, rng)
    scores[:, 0] += shift
    return scores, index


def _true_effects(shift: float, seed: int) -> dict[str, float]:
    scores, _ = _shifted(LARGE, shift, np.random.default_rng([seed, 99]))
    own, siblings = scores[:, 0], scores[:, 1:]
    return {
        "hedges_g": hedges_g_paired(own, siblings.mean(axis=1)) or 0.0,
        "cliffs_delta": (cliffs_delta(own, siblings.ravel()) or 0.0) if shift else 0.0,
        "wasserstein_1": (wasserstein_1(own, siblings.ravel()) or 0.0) if shift else 0.0,
    }


def cover_effects(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: the coverage of each effect size's interval."""
    yield ["clusters", "shift", "Hedges' g (BCa)", "Cliff's delta (BCa)", "Wasserstein-1"]
    for shift in SHIFTS:
        truth = _true_effects(shift, seed)
        for clusters in CLUSTERS:
            rng = np.random.default_rng([seed, clusters, round(100 * shift)])
            held = dict.fromkeys(truth, 0)
            for _ in range(audits):
                scores, index = _shifted(clusters, shift, rng)
                found = effect_sizes(
                    scores[:, 0], scores[:, 1:], index, clusters,
                    alpha=ALPHA, resamples=resamples, rng=rng,
                )  # fmt: skip
                for name, value in truth.items():
                    interval = getattr(found, name).interval
                    held[name] += interval is not None and interval[0] <= value <= interval[1]
            yield [str(clusters), f"{shift:g}", *(f"{n / audits:.3f}" for n in held.values())]


def size_of_tests(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per number of clusters: how often each test rejects what is true at 0.05."""
    yield ["clusters", "sign flip, 2 groups", "sign flip, 3 groups", "equivalence at its bound"]
    for clusters in (6, 10, 20, 60):
        rng = np.random.default_rng([seed, clusters])
        flips = dict.fromkeys((2, 3), 0)
        equivalent = 0
        for _ in range(audits):
            for groups in flips:
                table = paired_scores(clusters, groups, rng)
                flips[groups] += bool(sign_flip_p(table.sums, resamples, rng)[0] <= ALPHA)
            values = rng.normal(0.1, 0.15, size=clusters)
            error = float(values.std(ddof=1)) / np.sqrt(clusters)
            p = equivalence_p(float(values.mean()), error, clusters - 1, -0.1, 0.1)
            equivalent += p <= ALPHA
        shares = [*(n / audits for n in flips.values()), equivalent / audits]
        yield [str(clusters), *(f"{share:.3f}" for share in shares)]


def correct_prevalence(audits: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: coverage of a corrected rate, and of the raw one for the truth."""
    yield ["true rate", "Se", "Sp", "labelled", "clusters", "corrected covers", "raw covers"]
    for rate, se, sp, labelled in (
        (0.05, 0.7, 0.95, 400), (0.05, 0.65, 0.86, 2000), (0.3, 0.7, 0.95, 400),
        (0.01, 0.9, 0.99, 1000),
    ):  # fmt: skip
        rng = np.random.default_rng([seed, round(1000 * rate), labelled])
        held = raw = 0
        for _ in range(audits):
            validated = Validated(
                int(rng.binomial(labelled // 4, se)), labelled // 4,
                int(rng.binomial(labelled - labelled // 4, sp)), labelled - labelled // 4,
            )  # fmt: skip
            shown = rate * se + (1 - rate) * (1 - sp)
            table = binary_rates(76, shown, 0.1, rng, equal=4)
            (rule,) = part_intervals(
                bootstrap(table, 1, rng), proportion=True, bounds=(0, 1), outcomes=table.outcomes
            )
            low, high = rule.interval(ALPHA)
            raw += low <= rate <= high
            trials = rule.trials if isinstance(rule, WilsonPart) else 76
            made = corrected_rate(rule.value, trials, validated, alpha=ALPHA, draws=5000, rng=rng)
            held += made.low is not None and made.high is not None and made.low <= rate <= made.high
        names = [f"{rate:g}", f"{se:g}", f"{sp:g}", str(labelled), "76 × 4"]
        yield [*names, f"{held / audits:.3f}", f"{raw / audits:.3f}"]
