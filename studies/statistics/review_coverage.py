"""How often the estimates of `llmaudit review` hold the truth, however wrong the classifier is.

    python studies/statistics/review_coverage.py --audits 1000 --out review.md

Answers come in templates whose rates of what people would object to differ; a classifier scores
them, well or badly, or worse for one group; a stratified sample is drawn and labelled by the
product's own code. Every interval is to hold the rate (or the difference of rates) of the model in
0.95 of the audits. The Monte-Carlo error of a share of 0.95 is 0.007 with 1,000 audits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simulate import format_table

from llmaudit.review.drawing import allocate, draw, rarity
from llmaudit.stats import (
    LabelledSample,
    ppi_difference,
    ppi_mean,
    stratified_difference,
    stratified_share,
    two_sided_quantile,
    widen,
)

Array = NDArray[np.float64]

ALPHA = 0.05
TEMPLATES = 76
SAMPLES = 4
FEW_TEMPLATES, FEW_SAMPLES = 12, 24
CORRELATION = 0.1
EDGES = (0.25, 0.5, 0.75)
GROUPS = 3
RATES = (0.01, 0.05, 0.2, 0.5)
LABELS = (50, 100, 200, 400)


@dataclass(frozen=True)
class Classifier:
    """How a classifier errs: its scores are a logistic of kind + noise + shift.

    ``separation`` is how far apart the two kinds of answer lie, in standard deviations of the
    noise; ``offset`` moves all scores, ``group_offset`` those of the first group.
    """

    separation: float
    offset: float
    group_offset: float = 0.0


CLASSIFIERS = {
    "good": Classifier(4.0, 0.0),
    "misses half": Classifier(3.0, -1.5),
    "many false alarms": Classifier(3.0, 1.0),
    "useless": Classifier(0.0, -1.0),
    "worse for one group": Classifier(3.0, -0.5, -1.5),
}


@dataclass(frozen=True)
class Design:
    """What is simulated: the rate of the first group, that of the others as a part of it."""

    classifier: Classifier
    rate: float
    labels: int
    groups: int = 1
    samples: int = SAMPLES
    others: float = 1.0
    templates: int = TEMPLATES


def simulate(design: Design, rng: np.random.Generator) -> LabelledSample:
    """Return an audit in which people labelled a stratified sample of the answers."""
    rate, groups, samples = design.rate, design.groups, design.samples
    classifier = design.classifier
    templates = design.templates
    rows = templates * samples * groups
    cluster = np.repeat(np.arange(templates), samples * groups)
    group = np.tile(np.repeat(np.arange(groups), samples), templates)
    scale = (1 - CORRELATION) / CORRELATION
    level = rng.beta(rate * scale, (1 - rate) * scale, size=templates)
    chance = level[cluster] * np.where(group == 0, 1.0, design.others)
    human = (rng.random(rows) < chance).astype(float)
    shift = classifier.offset + classifier.group_offset * (group == 0)
    latent = classifier.separation * (human - 0.5) + shift + rng.normal(size=rows)
    score = 1 / (1 + np.exp(-latent))
    bins = np.digitize(score, EDGES)
    weight, known = draw_labels(bins * groups + group, design.labels, rng)
    predicted = (score >= 0.5).astype(float)
    seen = np.where(known, human, np.nan)
    return LabelledSample(predicted, seen, weight, cluster, group, predicted.astype(np.intp))


def draw_labels(
    stratum: NDArray[np.intp], labels: int, rng: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Return one over each answer's chance of being drawn, and which were drawn."""
    members = [np.flatnonzero(stratum == one) for one in np.unique(stratum)]
    sizes = [len(one) for one in members]
    urgency = [rarity(size, len(stratum)) for size in sizes]
    drawn = allocate(sizes, urgency, max(labels, len(sizes)))
    known, weight = np.zeros(len(stratum), dtype=bool), np.ones(len(stratum))
    for one, number, chosen in zip(members, drawn, draw(sizes, drawn, rng), strict=True):
        known[one[chosen]] = True
        weight[one] = len(one) / number
    return weight, known


def classifier_only(sample: LabelledSample) -> tuple[float, float]:
    """Return the interval that a report without labels has: normal, over templates."""
    means = np.bincount(sample.cluster, sample.predicted) / np.bincount(sample.cluster)
    half = two_sided_quantile(ALPHA, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)


def cover_rates(audits: int, seed: int, *, few: bool = False) -> Iterator[list[str]]:
    """Yield one row per design: coverage of each interval of a rate, and mean widths.

    ``few`` puts about as many answers into a few templates.
    """
    yield [
        "classifier", "rate", "labels", "classifier alone", "plain PPI++", "strata alone",
        "as reported", "width of plain PPI++", "width as reported", "mean lambda",
    ]  # fmt: skip
    for name, rate, labels in product(CLASSIFIERS, RATES, LABELS):
        rng = np.random.default_rng([seed, len(name), int(1000 * rate), labels])
        classifier = CLASSIFIERS[name]
        shape = (GROUPS, 2) if classifier.group_offset else (1, SAMPLES)
        design = Design(classifier, rate, labels, *shape)
        if few:
            design = Design(classifier, rate, labels, 1, FEW_SAMPLES, templates=FEW_TEMPLATES)
        kept, widths, tuning = np.zeros(4), np.zeros(2), 0.0
        for _ in range(audits):
            sample = simulate(design, rng)
            powered, exact = ppi_mean(sample), stratified_share(sample, ALPHA)
            ends = [
                classifier_only(sample),
                powered.interval(ALPHA),
                (exact.low, exact.high),
                widen(powered, exact, ALPHA, (0.0, 1.0)),
            ]
            kept += [low <= rate <= high for low, high in ends]
            widths += [high - low for low, high in (ends[1], ends[3])]
            tuning += powered.tuning
        yield [
            name, f"{rate:g}", str(labels), *(f"{one:.3f}" for one in kept / audits),
            *(f"{one:.3f}" for one in widths / audits), f"{tuning / audits:.2f}",
        ]  # fmt: skip


def cover_differences(audits: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: coverage of the first group's rate minus the mean of the others'.

    The first group has the rate, the others half of it.
    """
    yield [
        "classifier", "rate of the first group", "labels", "labels of a group", "plain PPI++",
        "strata alone", "as reported", "width of plain PPI++", "width as reported",
    ]  # fmt: skip
    contrast = np.array([1.0, *[-1 / (GROUPS - 1)] * (GROUPS - 1)])
    for name, rate, labels in product(("good", "worse for one group", "useless"), RATES, LABELS):
        rng = np.random.default_rng([seed, 1, len(name), int(1000 * rate), labels])
        design = Design(CLASSIFIERS[name], rate, labels, GROUPS, 2, others=0.5)
        kept, widths = np.zeros(3), np.zeros(2)
        for _ in range(audits):
            sample = simulate(design, rng)
            powered = ppi_difference(sample, contrast)
            exact = stratified_difference(sample, contrast, ALPHA)
            ends = [
                powered.interval(ALPHA),
                (exact.low, exact.high),
                widen(powered, exact, ALPHA, (-1.0, 1.0)),
            ]
            kept += [low <= rate / 2 <= high for low, high in ends]
            widths += [high - low for low, high in (ends[0], ends[2])]
        yield [
            name, f"{rate:g}", str(labels), f"{labels / GROUPS:.0f}",
            *(f"{one:.3f}" for one in (*kept / audits, *widths / audits)),
        ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Write all tables, each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audits", type=int, default=1000, help="simulated audits per design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a Markdown file; by default the terminal")
    options = parser.parse_args(arguments)
    out = options.out.open("w", encoding="utf-8") if options.out else sys.stdout
    for title, rows in (
        ("Rates", cover_rates(options.audits, options.seed)),
        ("Rates over few templates", cover_rates(options.audits, options.seed, few=True)),
        ("Differences of rates", cover_differences(options.audits, options.seed)),
    ):
        print(f"## {title}\n", file=out)
        for line in format_table(rows):
            print(line, file=out, flush=True)
        print(f"\n{options.audits:,} audits, seed {options.seed}.\n", file=out, flush=True)
    if options.out:
        out.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
