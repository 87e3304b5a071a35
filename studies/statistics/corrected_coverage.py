"""Coverage of disparities corrected for a scorer whose errors differ by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from designs import Array

from llmaudit.findings import Measurement
from llmaudit.metrics import Request, group_effects, score_disparity, share_disparity
from llmaudit.metrics.corrected_disparity import corrected_shares
from llmaudit.records import Prompt, Score, ScoredSample, Task
from llmaudit.stats import paired_contrasts
from llmaudit.verdicts.corrected import Range, add_uncertainty, subtract_own
from llmaudit.verdicts.uncertainty import estimates

# What is said beside a disparity is not looked at here, and takes most of the time.
group_effects.RESAMPLES = group_effects.PERMUTATIONS = 20

LEVEL = 0.95
GROUPS = ("a", "b", "c")
TOXIC, BENIGN, NEUTRAL = 40, 124, 44
"""How many carrier sentences of each kind the shipped calibration set has."""
TEMPLATES = (14, 40)
SAMPLES = 4
UNBOUNDED = (-np.inf, np.inf)


@dataclass(frozen=True)
class Design:
    """True rates of toxic texts by group, and the scorer's errors by group.

    How hard a sentence is lies on the normal scale, ``spread`` of it shared by all groups.
    """

    name: str
    rates: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    specificity: tuple[float, float, float]
    spread: float = 1.0


DESIGNS = (
    Design("same errors", (0.1, 0.1, 0.2), (0.8, 0.8, 0.8), (0.98, 0.98, 0.98)),
    Design("no difference", (0.1, 0.1, 0.1), (0.9, 0.75, 0.6), (0.99, 0.97, 0.93)),
    Design("a difference", (0.05, 0.1, 0.25), (0.9, 0.75, 0.6), (0.99, 0.97, 0.93)),
    Design("hardly any errors", (0.05, 0.05, 0.1), (0.9, 0.9, 0.85), (0.999, 0.999, 0.99)),
    Design("a poor scorer", (0.1, 0.1, 0.2), (0.5, 0.5, 0.4), (0.95, 0.95, 0.9)),
)


def _over(shares: tuple[float, ...], difficulty: Array, own: Array, spread: float) -> Array:
    """Return which sentences are over the threshold, by group, so often as the shares say."""
    from scipy.stats import norm

    cut = norm.ppf(shares) * np.sqrt(1 + spread**2)
    return np.asarray(own < cut + spread * difficulty[:, None])


def _carriers(
    shares: tuple[float, ...], number: int, spread: float, rng: np.random.Generator
) -> Array:
    own = rng.normal(size=(number, len(GROUPS)))
    return _over(shares, rng.normal(size=number), own, spread)


def _rows(values: Array, scale: tuple[float, float] = (0.0, 1.0)) -> list[ScoredSample]:
    """Return scores of shape (templates, groups, samples) as the product has them."""
    return [
        ScoredSample(
            Prompt(f"{t}/{g}", "s", "d", str(t), str(t), "axis", name, "en", Task.GENERATE, (), ""),
            k,
            Score(f"{t}/{g}/{k}", f"{t}/{g}/{k}", "scorer", "x", float(value)),
            scale,
        )
        for t, row in enumerate(values)
        for g, name in enumerate(GROUPS)
        for k, value in enumerate(row[g])
    ]


def _model(design: Design, templates: int, rng: np.random.Generator) -> Array:
    """Return what the scorer makes of a model's texts, whose templates differ in toxicity."""
    shape = (templates, len(GROUPS), SAMPLES)
    leaning = rng.normal(size=(templates, 1))
    from scipy.stats import norm

    cut = norm.ppf(design.rates) * np.sqrt(1.25) + 0.5 * leaning
    toxic = rng.normal(size=shape) < cut[:, :, None]
    hits = rng.random(shape) < np.array(design.sensitivity)[:, None]
    alarms = rng.random(shape) < 1 - np.array(design.specificity)[:, None]
    return np.where(toxic, hits, alarms).astype(np.float64)


def _request(metric: str, resamples: int, rng: np.random.Generator) -> Request:
    return Request(metric, "s", "axis", "scorer", "others", resamples, rng)


def _truth(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(GROUPS, map(float, paired_contrasts(np.array([values]))[0]), strict=True))


def _holds(found: dict[str, Range], truth: dict[str, float]) -> bool:
    return set(found) == set(truth) and all(
        found[name].low <= value <= found[name].high for name, value in truth.items()
    )


def _raw(measured: Measurement, truth: dict[str, float]) -> bool:
    return all(
        one.low is not None and one.high is not None and one.low <= truth[one.part] <= one.high
        for one in estimates(measured, LEVEL)
    )


def correct_shares(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: coverage of all three groups at once, corrected and raw."""
    yield ["design", "templates", "corrected covers", "raw covers", "not corrected", "half width"]
    for index, design in enumerate(DESIGNS):
        for templates in TEMPLATES:
            rng = np.random.default_rng([seed, index, templates])
            truth = _truth(design.rates)
            held = raw = none = 0
            widths = []
            for _ in range(audits):
                rows = _rows(_model(design, templates, rng))
                toxic = _carriers(design.sensitivity, TOXIC, design.spread, rng)
                benign = ~_carriers(design.specificity, BENIGN, design.spread, rng)
                request = _request("share_disparity", resamples, rng)
                raw += _raw(share_disparity(rows, request), truth)
                made = corrected_shares(
                    rows,
                    _rows(toxic[:, :, None].astype(np.float64)),
                    _rows(benign[:, :, None].astype(np.float64)),
                    request,
                )
                if isinstance(made, str):
                    none += 1
                    continue
                found = add_uncertainty(made.model, made.scorer, 1 - LEVEL)
                held += _holds(found, truth)
                widths += [(one.high - one.low) / 2 for one in found.values()]
            made_audits = max(1, audits - none)
            shares = [held / made_audits, raw / audits, none / audits]
            half = float(np.median(widths)) if widths else float("nan")
            names = [design.name, str(templates), *(f"{one:.3f}" for one in shares)]
            yield [*names, f"{half:.3f}"]


def correct_means(audits: int, resamples: int, seed: int) -> Iterator[list[str]]:
    """Yield one row per design: coverage of shifted means, corrected and raw."""
    yield ["shift of one group", "templates", "corrected covers", "raw covers"]
    for shift in (0.0, 0.02, 0.1):
        for templates in TEMPLATES:
            rng = np.random.default_rng([seed, round(1000 * shift), templates])
            truth = _truth((0.3, 0.3, 0.35))
            held = raw = 0
            for _ in range(audits):
                request = _request("score_disparity", resamples, rng)
                model = _scores((0.3, 0.3, 0.35 + shift), templates, 0.15, rng)
                own = _scores((0.1, 0.1, 0.1 + shift), NEUTRAL, 0.03, rng)
                measured = score_disparity(_rows(model, UNBOUNDED), request)
                raw += _raw(measured, truth)
                neutral = score_disparity(_rows(own[:, :, :1], UNBOUNDED), request)
                held += _holds(subtract_own(measured, neutral, 1 - LEVEL), truth)
            names = [f"{shift:g}", str(templates)]
            yield [*names, f"{held / audits:.3f}", f"{raw / audits:.3f}"]


def _scores(
    means: tuple[float, ...], templates: int, spread: float, rng: np.random.Generator
) -> Array:
    """Return skewed scores with these means; each template shifts its groups by amounts its own."""
    shape = (templates, len(GROUPS), SAMPLES)
    shared = rng.exponential(spread, size=(templates, len(GROUPS), 1)) - spread
    noise = rng.normal(0, spread / 2, size=shape)
    return np.asarray(np.array(means)[:, None] + shared + noise)
