"""How far a scorer's values move with the group that a neutral sentence names.

The shipped calibration set (:mod:`llmaudit.calibration`) has every group of an axis in every
sentence, so that differences between groups are differences within sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmaudit import stats
from llmaudit.arranging import NEGATIVE, NEUTRAL, POSITIVE, TOXIC
from llmaudit.calibration import CalibrationRow
from llmaudit.labelled import LabelledText
from llmaudit.records import ScorerFacts

SOURCE = "calibration"
"""The name of the shipped set among those that a scorer was measured on."""

LEVEL = 0.95
RESAMPLES = 2_000

_ABUSE = (frozenset({TOXIC}), frozenset({NEUTRAL, POSITIVE, NEGATIVE}))
CLASSES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "toxicity": _ABUSE,
    "identity_attack": _ABUSE,
    "hate": _ABUSE,
    "sentiment": (frozenset({POSITIVE}), frozenset({NEGATIVE, TOXIC})),
    "regard": (frozenset({POSITIVE}), frozenset({NEGATIVE, TOXIC})),
}
"""By construct, which classes of carrier sentences are positive and which negative for it."""

Array = NDArray[np.float64]


def as_labelled(construct: str, row: CalibrationRow) -> LabelledText | None:
    """Return a calibration row as a labelled text; None where its class says nothing of it."""
    high, low = CLASSES.get(construct, (frozenset(), frozenset()))
    if row.kind not in high | low:
        return None
    return LabelledText(
        row.text,
        row.kind in high,
        SOURCE,
        row.group,
        row.axis,
        row.template,
        language=row.language,
        terms=row.terms,
    )


def identity_shift(
    facts: ScorerFacts, rows: Sequence[CalibrationRow], values: Array
) -> dict[str, Any]:
    """Return, by axis and language, each group's mean on neutral sentences and the differences.

    Parameters
    ----------
    facts : ScorerFacts
    rows : sequence of CalibrationRow
        Those that are not neutral are left out.
    values : ndarray of float64, shape (rows,)
        What the scorer gave; NaN where it gave none.

    Returns
    -------
    dict
        ``axes`` by name, each with ``largest_difference`` between two groups' means, the language
        it is in, and all means, shifts (a group minus the mean of its siblings) and intervals by
        language; None where no sentence has a value for two groups.
    """
    neutral = [place for place, row in enumerate(rows) if row.kind == NEUTRAL]
    places: dict[tuple[str, str], list[int]] = {}
    for place in neutral:
        places.setdefault((rows[place].axis, rows[place].language), []).append(place)
    axes: dict[str, dict[str, Any]] = {}
    for (axis, language), chosen in sorted(places.items()):
        found = _axis_shift(facts, [rows[place] for place in chosen], values[chosen])
        axes.setdefault(axis, {})[language] = found
    told = {axis: _worst(languages) for axis, languages in axes.items()}
    known = [one["largest_difference"] for one in told.values()]
    return {
        "texts": len(neutral),
        "unscored": int(np.isnan(values[neutral]).sum()),
        "largest_difference": max((one for one in known if one is not None), default=None),
        "axes": told,
    }


def _worst(languages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the language with the largest difference first, and all of them."""
    measured = {name: one for name, one in languages.items() if one["largest_difference"]}
    chosen = max(measured or languages, key=lambda name: languages[name]["largest_difference"] or 0)
    shown = {key: languages[chosen][key] for key in ("largest_difference", "between", "interval")}
    return {**shown, "language": chosen, "languages": dict(languages)}


def _axis_shift(
    facts: ScorerFacts, rows: Sequence[CalibrationRow], values: Array
) -> dict[str, Any]:
    """Return the means and differences of one axis in one language."""
    groups, sentences, table = _table(rows, values)
    with np.errstate(invalid="ignore"):
        means = table.sum(axis=0, where=~np.isnan(table)) / (~np.isnan(table)).sum(axis=0)
    contrasts = stats.cluster_table(
        stats.paired_contrasts(table), np.arange(len(table)), len(table)
    )
    shifts = stats.cluster_bootstrap(*contrasts, RESAMPLES, np.random.default_rng(0))
    reach = facts.range[1] - facts.range[0]
    bounds = (-reach, reach) if facts.bounded else None
    rules = stats.part_intervals(shifts, proportion=False, bounds=bounds)
    return {
        "sentences": len(sentences),
        **_largest(groups, table),
        "means": _by_group(groups, means),
        "shifts": _by_group(groups, shifts.value),
        "intervals": {
            group: [float(end) for end in rule.interval(1 - LEVEL)]
            for group, rule in zip(groups, rules, strict=True)
            if np.isfinite(rule.interval(1 - LEVEL)).all()
        },
    }


def _by_group(groups: Sequence[str], values: Array) -> dict[str, float | None]:
    return {
        group: float(value) if np.isfinite(value) else None
        for group, value in zip(groups, values, strict=True)
    }


def _table(rows: Sequence[CalibrationRow], values: Array) -> tuple[list[str], list[str], Array]:
    """Return the groups, the sentences, and the value of each group in each sentence."""
    groups = list(dict.fromkeys(row.group for row in rows))
    sentences = list(dict.fromkeys(row.template for row in rows))
    column = {group: place for place, group in enumerate(groups)}
    line = {sentence: place for place, sentence in enumerate(sentences)}
    table = np.full((len(sentences), len(groups)), np.nan)
    for row, value in zip(rows, values, strict=True):
        table[line[row.template], column[row.group]] = value
    return groups, sentences, table


def _largest(groups: Sequence[str], table: Array) -> dict[str, Any]:
    """Return the largest mean difference of two groups over the sentences that both have.

    Its interval is Student's over sentences, at a level that holds for all pairs (Bonferroni);
    none where every sentence has the same difference, which would claim certainty.
    """
    pairs = list(combinations(range(len(groups)), 2))
    gaps = {pair: _gap(table[:, pair[0]] - table[:, pair[1]], len(pairs)) for pair in pairs}
    known = {pair: gap for pair, gap in gaps.items() if gap is not None}
    if not known:
        return {"largest_difference": None, "between": [], "interval": None}
    (first, second), (value, half) = max(known.items(), key=lambda item: abs(item[1][0]))
    high, low = (first, second) if value >= 0 else (second, first)
    return {
        "largest_difference": abs(value),
        "between": [groups[high], groups[low]] if value else [],
        "interval": [abs(value) - half, abs(value) + half] if half else None,
    }


def _gap(differences: Array, pairs: int) -> tuple[float, float | None] | None:
    """Return the mean difference and half of its interval; None without a sentence of both."""
    found = differences[~np.isnan(differences)]
    if not len(found):
        return None
    if len(found) < stats.MIN_CLUSTERS:
        return float(found.mean()), None
    quantile = stats.two_sided_quantile((1 - LEVEL) / pairs, len(found) - 1)
    error = found.std(ddof=1) / np.sqrt(len(found))
    return float(found.mean()), float(quantile * error)
