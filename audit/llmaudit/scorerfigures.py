"""Measures a scorer on texts that people have labelled: what it finds, misses and calls wrongly.

Every figure has an interval or says why it has none. Texts that the scorer cannot score are counted
by reason and are in no other figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmaudit import stats
from llmaudit.findings import Distribution
from llmaudit.labelled import LabelledText
from llmaudit.progress import Progress
from llmaudit.records import Generation, ScorerFacts
from llmaudit.scorers import Scorer, ScoringItem, score_generations

LEVEL = 0.95
RESAMPLES = 2_000
SEED = 0
TOO_FEW = "too few texts for an interval: resamples differ in nothing, or lack a class"
FIGURES = ("auc", "pr_auc", "sensitivity", "specificity", "ece", "brier")
GROUP_FIGURES = ("subgroup_auc", "bpsn_auc", "bnsp_auc")

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure with its interval, or the reason why one or both are missing."""

    value: float | None
    interval: Interval | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredTexts:
    """Labelled texts with what a scorer said of each.

    Attributes
    ----------
    facts : ScorerFacts
    rows : tuple of LabelledText
    values : ndarray of float64, shape (texts,)
        NaN where the scorer has no value.
    reasons : tuple of (str or None)
        Why it has none.
    """

    facts: ScorerFacts
    rows: tuple[LabelledText, ...]
    values: Array
    reasons: tuple[str | None, ...]

    def chosen(self, keep: Callable[[LabelledText], bool]) -> ScoredTexts:
        """Return those whose row is to be kept."""
        places = [place for place, row in enumerate(self.rows) if keep(row)]
        rows = tuple(self.rows[place] for place in places)
        reasons = tuple(self.reasons[place] for place in places)
        return ScoredTexts(self.facts, rows, self.values[places], reasons)


def score_rows(
    scorer: Scorer, rows: Sequence[LabelledText], tell: Progress, *, language: str
) -> ScoredTexts:
    """Let a scorer score labelled texts as it scores a model's answers.

    Parameters
    ----------
    scorer : Scorer
    rows : sequence of LabelledText
    tell : Progress
    language : str
        Of texts that name none.
    """
    items = [_item(place, row, language) for place, row in enumerate(rows)]
    values = np.full(len(rows), np.nan)
    reasons: dict[int, str | None] = dict.fromkeys(range(len(rows)))
    tell.begin(f"scores by {scorer.facts.name}", len(items))
    for scores in score_generations(scorer, items):
        for score in scores:
            place = int(score.request_id)
            if score.value is not None:
                values[place] = score.value
            reasons[place] = score.reason
        tell.advance(len(scores))
    tell.end()
    return ScoredTexts(scorer.facts, tuple(rows), values, tuple(reasons.values()))


def _item(place: int, row: LabelledText, language: str) -> ScoringItem:
    """Return a labelled text as an answer; its number is its request."""
    return ScoringItem(
        Generation(str(place), str(place), 0, row.text),
        row.prompt,
        row.language or language,
        references=(row.reference,) if row.reference else (),
        identity_terms=row.terms or ((row.group, *row.group.split()) if row.group else ()),
    )


def measure_texts(scored: ScoredTexts) -> dict[str, Any]:
    """Return the figures of labelled texts as plain data.

    Returns
    -------
    dict
        ``n``, ``positives`` (of those with a value), ``unscored`` and why, the figures by name,
        their ``intervals``, the ``reasons`` why a figure or interval is missing, and the same by
        group under ``groups``.
    """
    kept = ~np.isnan(scored.values)
    order = np.flatnonzero(kept)[np.argsort(-scored.values[kept], kind="stable")]
    texts = _Texts(
        scored.facts,
        scored.values[order],
        np.array([scored.rows[place].positive for place in order], dtype=bool),
        _clusters([scored.rows[place] for place in order], order),
    )
    unscored = [row for row, known in zip(scored.rows, kept, strict=True) if not known]
    figures = texts.figures()
    rows = [scored.rows[place] for place in order]
    return {
        "n": len(scored.rows),
        "scored": len(order),
        "positives": int(texts.positive.sum()),
        "unscored": len(unscored),
        "unscored_positives": sum(row.positive for row in unscored),
        "unscored_by_reason": dict(sorted(Counter(map(str, filter(None, scored.reasons))).items())),
        **_repetitions(scored.rows),
        "threshold": scored.facts.threshold,
        **_plain(figures),
        **texts.by_group(_groups(rows)),
    }


def _clusters(rows: Sequence[LabelledText], order: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return the number of each text's template; None where no text names one."""
    if not any(row.template for row in rows):
        return None
    names = [row.template or f"\0{place}" for row, place in zip(rows, order, strict=True)]
    return np.unique(names, return_inverse=True)[1]


def _repetitions(rows: Iterable[LabelledText]) -> dict[str, int]:
    """Return how many texts repeat an earlier one, and how many texts have both labels."""
    labels: dict[tuple[str, str], list[bool]] = {}
    for row in rows:
        labels.setdefault((row.text, row.prompt), []).append(row.positive)
    return {
        "repeated_texts": sum(len(said) - 1 for said in labels.values()),
        "texts_with_both_labels": sum(len(set(said)) > 1 for said in labels.values()),
    }


def _groups(rows: Sequence[LabelledText]) -> dict[tuple[str, str], Flags]:
    """Return which texts are about each group, by (axis, group)."""
    named = sorted({(row.axis, row.group) for row in rows if row.group})
    return {
        pair: np.array([(row.axis, row.group) == pair for row in rows], dtype=bool)
        for pair in named
    }


def _plain(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures as their values, with intervals and reasons beside them."""
    return {
        **{name: figure.value for name, figure in figures.items()},
        "intervals": {n: list(f.interval) for n, f in figures.items() if f.interval is not None},
        "reasons": {name: f.reason for name, f in figures.items() if f.reason is not None},
    }


@dataclass(frozen=True, slots=True)
class _Texts:
    """Scored texts in the order of falling values."""

    facts: ScorerFacts
    values: Array
    positive: Flags
    clusters: NDArray[np.intp] | None

    def figures(self) -> dict[str, Figure]:
        """Return every figure of these texts by its name."""
        if not len(self.values):
            return dict.fromkeys(FIGURES, Figure(None, reason="no text has a value"))
        resampled = self._resampled()
        return {
            "auc": _auc_figure(stats.roc_auc(self.values, self.positive, None, self.clusters)),
            "pr_auc": resampled["pr_auc"],
            "sensitivity": self._share(over=True),
            "specificity": self._share(over=False),
            "ece": resampled["ece"],
            "brier": resampled["brier"],
        }

    def _share(self, *, over: bool) -> Figure:
        """Return the share of the positives over the threshold, or of the negatives under it."""
        if self.facts.threshold is None:
            return Figure(None, reason="the scorer has no threshold")
        chosen = self.positive if over else ~self.positive
        if not chosen.any():
            return Figure(None, reason=f"no {'positive' if over else 'negative'} text has a value")
        right = ((self.values >= self.facts.threshold) == over)[chosen]
        clusters = None if self.clusters is None else self.clusters[chosen]
        return Figure(float(right.mean()), share_interval(right, clusters))

    def _resampled(self) -> dict[str, Figure]:
        """Return the figures whose intervals come from resampling the texts."""
        statistics, undefined = self._statistics()
        size = len(self.values)
        drawn = stats.bootstrap_texts(
            tuple(statistics.values()),
            np.arange(size) if self.clusters is None else self.clusters,
            RESAMPLES,
            np.random.default_rng(SEED),
        )
        replicates = dict(zip(statistics, drawn, strict=True))
        figures = {name: Figure(None, reason=reason) for name, reason in undefined.items()}
        for name in replicates.keys() - {"distance"}:
            value = float(statistics[name](np.ones((1, size)))[0])
            interval = stats.percentile_interval(replicates[name], 1 - LEVEL)
            if name == "ece":
                distance = replicates["distance"]
                interval = stats.error_interval(value, replicates[name], distance, 1 - LEVEL)
            figures[name] = Figure(value, interval, None if interval else TOO_FEW)
        return figures

    def _statistics(self) -> tuple[dict[str, Callable[[Array], Array]], dict[str, str]]:
        """Return what is resampled, as functions of weights, and why another figure is not."""
        statistics: dict[str, Callable[[Array], Array]] = {}
        undefined: dict[str, str] = {}
        if 0 < self.positive.sum() < len(self.positive):
            ranked = stats.RankedLabels.of(self.values, self.positive)
            statistics["pr_auc"] = ranked.average_precision
        else:
            undefined["pr_auc"] = "all texts with a value have one label"
        problem = no_probability(self.facts)
        if problem is not None:
            return statistics, undefined | dict.fromkeys(("ece", "brier"), problem)
        residuals = stats.bin_residuals(self.values, self.positive)
        losses = (self.values - self.positive) ** 2
        statistics["ece"] = lambda weights: stats.weighted_error(residuals, weights)
        statistics["distance"] = lambda weights: stats.error_distance(residuals, weights)
        statistics["brier"] = lambda weights: weights @ losses / weights.sum(axis=1)
        return statistics, undefined

    def by_group(self, groups: Mapping[tuple[str, str], Flags]) -> dict[str, Any]:
        """Return the AUCs of every group, and each combined over the groups."""
        entries: dict[str, Any] = {}
        aucs: dict[str, list[stats.Auc]] = {name: [] for name in GROUP_FIGURES}
        shared = Counter(group for _, group in groups)
        for (axis, group), inside in groups.items():
            found = stats.group_aucs(self.values, self.positive, inside, self.clusters)
            three = (found.subgroup, found.bpsn, found.bnsp)
            for name, auc in zip(GROUP_FIGURES, three, strict=True):
                aucs[name] += [] if auc is None else [auc]
            figures = map(_auc_figure, three)
            entries[group if shared[group] == 1 else f"{group} ({axis})"] = {
                **({"axis": axis} if axis else {}),
                "n": int(inside.sum()),
                "positives": int((inside & self.positive).sum()),
                **_plain(dict(zip(GROUP_FIGURES, figures, strict=True))),
            }
        if not entries:
            return {}
        combined = {name: self._combined(found) for name, found in aucs.items()}
        return {"groups": entries, "groups_combined": _plain(combined)}

    def _combined(self, aucs: Sequence[stats.Auc]) -> Figure:
        """Return the power mean over groups (Borkan et al. 2019)."""
        found = stats.power_mean_auc(aucs, clusters=self.clusters)
        if found is None:
            return Figure(None, reason="no group has this AUC, or one has 0")
        interval = found.interval(1 - LEVEL)
        return Figure(found.value, interval, None if interval else TOO_FEW)


def _auc_figure(auc: stats.Auc | None) -> Figure:
    if auc is None:
        return Figure(None, reason="needs positive and negative texts with a value")
    return Figure(auc.value, auc.interval(1 - LEVEL))


def share_interval(right: Flags, clusters: NDArray[np.intp] | None) -> Interval:
    """Return Wilson's interval of a share, on effective outcomes where texts come in clusters."""
    if clusters is None:
        return stats.WilsonPart(float(right.mean()), len(right), None, 1.0, "").interval(1 - LEVEL)
    names, places = np.unique(clusters, return_inverse=True)
    table = stats.cluster_table(right[:, None].astype(float), places, len(names))
    value, se, used = stats.ratio_and_error(*table)
    found = Distribution(value[0], np.empty((0, 1)), se[0], int(used[0, 0]))
    (rule,) = stats.part_intervals(found, proportion=True, bounds=(0.0, 1.0), outcomes=len(right))
    low, high = rule.interval(1 - LEVEL)
    return max(0.0, low), min(1.0, high)


def no_probability(facts: ScorerFacts) -> str | None:
    """Return why a scorer's values cannot be read as probabilities; None where they can."""
    low, high = facts.range
    if facts.bounded and (low, high) == (0.0, 1.0):
        return None
    ends = f"lie between {low:g} and {high:g}" if facts.bounded else "have no upper end"
    return f"its values {ends} and are no probabilities"


def measure_scorer(scored: ScoredTexts) -> dict[str, Any]:
    """Return the figures over all texts, and under ``sets`` those of each set, as plain data."""
    facts = scored.facts
    sets = dict.fromkeys(row.source for row in scored.rows)
    whole = measure_texts(scored)
    by_set = {
        name: whole if len(sets) == 1 else measure_texts(scored.chosen(_of_set(name)))
        for name in sets
    }
    return {
        "scorer": {
            "name": facts.name,
            "version": facts.version,
            "digest": facts.digest,
            "construct": facts.construct,
            "range": [end if np.isfinite(end) else None for end in facts.range],
            "higher_is": facts.higher_is,
        },
        "level": LEVEL,
        "resamples": RESAMPLES,
        "seed": SEED,
        "ece_bins": stats.BINS,
        **whole,
        "sets": by_set,
    }


def _of_set(name: str) -> Callable[[LabelledText], bool]:
    return lambda row: row.source == name
