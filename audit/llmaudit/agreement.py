"""How far two scorers of the same construct agree, and the texts on which they differ most."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np

from llmaudit.examples import Shown, show_example
from llmaudit.findings import Agreement, AgreementFigure, Example
from llmaudit.records import Score, ScorerFacts, content_id
from llmaudit.stats import Level, clustered_alpha

MOST_DISPUTED = 5
"""Texts that the report shows of each two scorers."""
LEVEL = 0.95
_RESAMPLES = 2_000
_OPPOSED = frozenset({"worse", "better"})
_TURNED = {"over": "under", "under": "over", "": ""}

Pair = tuple[ScorerFacts, ScorerFacts]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One answer that two scorers of one construct see differently.

    ``gap`` is the distance of their values as a share of the scale, so from 0 to 1; ``apart`` says
    whether they also put the answer under different labels.
    """

    request_id: str
    scorers: tuple[str, str]
    gap: float
    apart: bool


@dataclass(frozen=True, slots=True)
class _Both:
    """One answer that both scorers gave a value: where on the scale, and under which label."""

    request_id: str
    places: tuple[float, float]
    labels: tuple[str, str] | None


def comparable_scorers(scorers: Mapping[str, ScorerFacts]) -> list[Pair]:
    """Return every two scorers of the same construct whose values have a scale with ends."""
    bounded = [facts for facts in scorers.values() if facts.bounded]
    return [pair for pair in combinations(bounded, 2) if pair[0].construct == pair[1].construct]


def disagreements(
    scores: Iterable[Score], scorers: Mapping[str, ScorerFacts], requests: Container[str]
) -> list[Disagreement]:
    """Return what any two scorers of one construct see differently, the widest gap first.

    Parameters
    ----------
    scores : iterable of Score
        By the current version of each scorer.
    scorers : mapping of name to ScorerFacts
    requests : container of str
        The ids of generations; scores of anything else are left out.

    Returns
    -------
    list of Disagreement
        One per answer and two scorers; an answer that several pairs dispute stands there several
        times.
    """
    held = _by_scorer(scores, requests)
    found = [
        one for pair in comparable_scorers(scorers) for one in _disputes(pair, _both(pair, held))
    ]
    return sorted(found, key=_widest_first)


def measure_agreements(
    shown: Shown, scores: Sequence[Score], scorers: Mapping[str, ScorerFacts], seed: int
) -> tuple[Agreement, ...]:
    """Measure how far every two scorers of one construct agree on a run's generations.

    Parameters
    ----------
    shown : Shown
        The run's prompts and generations.
    scores : sequence of Score
    scorers : mapping of name to ScorerFacts
    seed : int
        The run's seed.
    """
    held = _by_scorer(scores, shown.generations)
    return tuple(_measure(shown, pair, held, seed) for pair in comparable_scorers(scorers))


def _by_scorer(scores: Iterable[Score], requests: Container[str]) -> dict[str, dict[str, Score]]:
    """Return the scores that have a value by scorer and request."""
    held: dict[str, dict[str, Score]] = {}
    for score in scores:
        if score.request_id in requests and score.value is not None:
            held.setdefault(score.scorer, {})[score.request_id] = score
    return held


def _both(pair: Pair, held: Mapping[str, Mapping[str, Score]]) -> list[_Both]:
    """Return the answers that both scorers gave a value, in order of their ids."""
    first, second = (held.get(facts.name, {}) for facts in pair)
    scored = [(key, first[key], second[key]) for key in sorted(first.keys() & second.keys())]
    turned = {facts.higher_is for facts in pair} == _OPPOSED
    named = _share_labels(scored)
    found = []
    for key, one, other in scored:
        place, across = _place(one, pair[0]), _place(other, pair[1])
        sides = _side(one, pair[0]), _side(other, pair[1])
        if turned:
            across, sides = 1 - across, (sides[0], _TURNED[sides[1]])
        labels = (str(one.label), str(other.label)) if named else sides
        found.append(_Both(key, (place, across), None if "" in labels else labels))
    return found


def _share_labels(scored: Sequence[tuple[str, Score, Score]]) -> bool:
    """Say whether both scorers label every answer, and by words that they share."""
    first, second = {one.label for _, one, _ in scored}, {other.label for _, _, other in scored}
    return None not in first | second and bool(first & second)


def _place(score: Score, facts: ScorerFacts) -> float:
    """Return where a value lies between the ends of its scale, from 0 to 1."""
    low, high = facts.range
    return (float(score.value or 0.0) - low) / (high - low)


def _side(score: Score, facts: ScorerFacts) -> str:
    """Return on which side of the shipped threshold a value lies; nothing where there is none."""
    if facts.threshold is None:
        return ""
    return "over" if float(score.value or 0.0) >= facts.threshold else "under"


def _disputes(pair: Pair, both: Iterable[_Both]) -> list[Disagreement]:
    """Return the answers whose two values differ, the widest gap first."""
    names = pair[0].name, pair[1].name
    found = [
        Disagreement(
            one.request_id,
            names,
            round(abs(one.places[0] - one.places[1]), 9),
            one.labels is not None and one.labels[0] != one.labels[1],
        )
        for one in both
        if one.places[0] != one.places[1]
    ]
    return sorted(found, key=_widest_first)


def _widest_first(one: Disagreement) -> tuple[float, bool, str, tuple[str, str]]:
    return -one.gap, not one.apart, one.request_id, one.scorers


def _measure(
    shown: Shown, pair: Pair, held: Mapping[str, Mapping[str, Score]], seed: int
) -> Agreement:
    both = _both(pair, held)
    first, second = (held.get(facts.name, {}) for facts in pair)
    templates = [_template(shown, one.request_id) for one in both]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(templates))}
    clusters = [numbers[name] for name in templates]
    rng = np.random.default_rng(
        int(content_id([seed, "agreement", pair[0].name, pair[1].name]), 16)
    )
    labels = [one.labels for one in both if one.labels is not None]
    return Agreement(
        construct=pair[0].construct,
        scorers=(pair[0].name, pair[1].name),
        n=len(both),
        n_missing=len(first.keys() ^ second.keys()),
        clusters=len(numbers),
        level=LEVEL,
        values=_figure([one.places for one in both], clusters, "interval", rng),
        labels=_label_figure(labels, clusters, rng) if len(labels) == len(both) else None,
        differing=sum(one[0] != one[1] for one in labels),
        disputed=tuple(_disputed(shown, pair, held, _disputes(pair, both))),
    )


def _template(shown: Shown, request_id: str) -> tuple[str, str]:
    """Return the cluster of a generation: its template, of its probe set."""
    prompt = shown.prompts[shown.generations[request_id].prompt_id]
    return prompt.probe_set, prompt.template_id


def _label_figure(
    labels: Sequence[tuple[str, str]], clusters: Sequence[int], rng: np.random.Generator
) -> AgreementFigure:
    numbers = {name: float(number) for number, name in enumerate(sorted({*chain(*labels)}))}
    rows = [(numbers[one], numbers[other]) for one, other in labels]
    return _figure(rows, clusters, "nominal", rng)


def _figure(
    rows: Sequence[tuple[float, float]],
    clusters: Sequence[int],
    level: Level,
    rng: np.random.Generator,
) -> AgreementFigure:
    """Return alpha of two columns of ratings, or why there is none."""
    found = clustered_alpha(
        np.array(rows).reshape(-1, 2),
        clusters,
        level,
        alpha=1 - LEVEL,
        resamples=_RESAMPLES,
        rng=rng,
    )
    low, high = found.interval or (None, None)
    reason = None
    if not rows:
        reason = "no answer has a value from both"
    elif found.value is None:
        reason = "every value is the same, so nothing shows that they would tell answers apart"
    elif found.interval is None:
        reason = "too few templates, or too few answers unlike most, for an interval"
    return AgreementFigure(found.value, low, high, reason)


def _disputed(
    shown: Shown,
    pair: Pair,
    held: Mapping[str, Mapping[str, Score]],
    disputes: Iterable[Disagreement],
) -> Iterator[Example]:
    """Yield the answers with the widest gap, each text once."""
    seen: set[str] = set()
    for one in disputes:
        text = str(shown.generations[one.request_id].text)
        if text in seen:
            continue
        seen.add(text)
        scores = {
            name: given[one.request_id] for name, given in held.items() if one.request_id in given
        }
        told = ", ".join(_tell(scores[name]) for name in one.scorers)
        yield show_example(shown, one.request_id, scores, told)
        if len(seen) == MOST_DISPUTED:
            return


def _tell(score: Score) -> str:
    label = f" ({score.label})" if score.label else ""
    return f"{score.scorer} {score.value:.2f}{label}"
