"""The cards of a run's scorers as tables: what each is for, and how wrong it is known to be.

A card is whatever its scorer's author wrote. What has the form of the shipped cards becomes tables;
all else is told as it stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from llmaudit.findings import Run
from llmaudit.records import ScorerFacts
from llmaudit.report.views import CardTable, Fact, ScorerCardView
from llmaudit.report.wording import NO_VALUE, number
from llmaudit.transparency import hide_folders
from llmaudit.transparency.scoring import flatten

_FIGURES = {
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "ECE",
    "brier": "Brier score",
}
_GROUP_FIGURES = {"subgroup_auc": "subgroup AUC", "bpsn_auc": "BPSN AUC", "bnsp_auc": "BNSP AUC"}
_COUNTS = ("n", "positives")
#: What stands in cells of its own or in remarks, and is no figure.
_NO_FIGURE = frozenset({*_COUNTS, "level", "threshold", "unscored", "unscored_positives", "scored"})
_NO_FIGURE |= {"repeated_texts", "texts_with_both_labels", "version"}
_TOLD = _NO_FIGURE | {"source", "intervals", "groups", "groups_combined", "reasons", "files"}
_TOLD |= {"unscored_by_reason"}
_MOST_COLUMNS = 8
_MOST_GROUPS, _LOWEST_GROUPS = 12, 8
_CARD_FACTS = ("method", "source", "base")
_READ = frozenset(
    {*_CARD_FACTS, "name", "construct", "intended_use", "languages", "licence", "evaluation"}
    | {"training_data", "caveats", "not_measured", "identity_shift"}
)
_NOTHING: Mapping[str, Any] = {}


def card_views(run: Run) -> tuple[ScorerCardView, ...]:
    """Return the card of every scorer of a run."""
    return tuple(card_view(facts) for facts in run.scorers)


def card_view(facts: ScorerFacts) -> ScorerCardView:
    """Return what a scorer's facts and card say, unescaped, in words and tables."""
    card = facts.card
    evaluation = _mapping(card.get("evaluation"))
    return ScorerCardView(
        name=facts.name,
        description=facts.description,
        facts=tuple(_facts(facts)),
        limits=tuple(_texts(card.get("caveats"))),
        measured=_measured(evaluation),
        not_measured=_not_measured(facts, evaluation),
        groups=tuple(_groups(evaluation)),
        shift=_shift(_mapping(card.get("identity_shift"))),
        rest=tuple(flatten({key: card[key] for key in card if key not in _READ})),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NOTHING


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        yield from (hide_folders(str(one)) for one in value)


def _facts(facts: ScorerFacts) -> Iterator[Fact]:
    card, (low, high) = facts.card, facts.range
    yield "intended use", hide_folders(str(card.get("intended_use", "unknown")))
    threshold = "none" if facts.threshold is None else f"{facts.threshold:g}"
    ends = f"from {low:g} to {high:g}" if facts.bounded else f"from {low:g}"
    yield "value", f"{facts.construct}, {ends}, higher is {facts.higher_is}, threshold {threshold}"
    yield "languages", ", ".join(facts.languages) or "unknown"
    yield "licence", facts.licence
    for key in _CARD_FACTS:
        if key in card:
            yield key, hide_folders(str(card[key]))
    yield "trained on", "; ".join(_training(card)) or "unknown"


def _training(card: Mapping[str, Any]) -> Iterator[str]:
    """Yield every set that the scorer was fitted on, with its licence and size."""
    sets = card.get("training_data")
    if sets == []:
        yield "nothing: no part of it was fitted to data"
    for one in sets if isinstance(sets, list | tuple) else ():
        entry = _mapping(one)
        name = str(entry.get("id", one))
        details = [str(entry["licence"])] if "licence" in entry else []
        if isinstance(entry.get("texts"), int):
            details.append(f"{entry['texts']:,} texts")
        yield hide_folders(f"{name} ({', '.join(details)})" if details else name)


def _not_measured(facts: ScorerFacts, evaluation: Mapping[str, Any]) -> str:
    if evaluation:
        return ""
    return hide_folders(str(facts.card.get("not_measured", "Nobody has said how wrong it is.")))


def _measured(evaluation: Mapping[str, Any]) -> CardTable | None:
    """Return a row for every set it was measured on, a column for every figure that is common."""
    entries = dict(_rows("", evaluation, _NOTHING))
    if not entries:
        return None
    counted = Counter(key for entry in entries.values() for key in entry if _is_figure(entry, key))
    common = [key for key in _FIGURES if key in counted]
    common += [key for key, rows in counted.items() if key not in _FIGURES and rows > 1]
    shown = dict.fromkeys(common[:_MOST_COLUMNS])
    counts = [key for key in _COUNTS if any(key in entry for entry in entries.values())]
    rows = tuple(
        (
            (name, ""),
            *((_count(entry.get(key)), "") for key in counts),
            *(_figure(entry, key) for key in shown),
        )
        for name, entry in entries.items()
    )
    heads = {"n": "texts", "positives": "positive"}
    columns = ("set", *(heads[key] for key in counts), *_titles(shown, entries))
    title = "Measured error, with 95 % intervals where they are known"
    return CardTable(title, columns, rows, tuple(_notes(entries, shown)))


def _notes(entries: Mapping[str, Mapping[str, Any]], shown: Collection[str]) -> Iterator[Fact]:
    """Yield where every set comes from, unless it is where the one before does, and the rest."""
    before = ""
    for name, entry in entries.items():
        source = hide_folders(str(entry.get("source", "")))
        said = [] if source == before else [source]
        said += [others] if (others := _others(entry, shown)) else []
        if said:
            yield name, "; ".join(said)
        before = source


def _rows(
    name: str, told: Mapping[str, Any], above: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every set's name and entry; parts of a set take over its source and size."""
    for key, inner in told.items():
        if not isinstance(inner, Mapping) or key in _TOLD:
            continue
        path = f"{name}, {key}" if name else str(key)
        inherited = {one: above[one] for one in ("source", "n") if one in above}
        entry = {**inherited, **inner}
        if any(_is_figure(entry, one) for one in entry) or not _parts(inner):
            yield path.replace("_", " "), entry
        if not _labels(inner):
            yield from _rows(path, inner, entry)


def _parts(entry: Mapping[str, Any]) -> bool:
    return any(isinstance(one, Mapping) for key, one in entry.items() if key not in _TOLD)


def _labels(entry: Mapping[str, Any]) -> bool:
    """Say whether what an entry holds are counts by label, which are no sets of their own."""
    parts = [one for key, one in entry.items() if isinstance(one, Mapping) and key not in _TOLD]
    return all(isinstance(value, int) for one in parts for value in one.values())


def _is_figure(entry: Mapping[str, Any], key: str) -> bool:
    if key in _FIGURES:
        return True
    return key not in _NO_FIGURE and not key.startswith("n_") and _is_number(entry[key])


def _titles(shown: Iterable[str], entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the figures' titles, with the threshold where all sets have the same."""
    thresholds = {one["threshold"] for one in entries.values() if _is_number(one.get("threshold"))}
    at = f" at {thresholds.pop():g}" if len(thresholds) == 1 else ""
    for key in shown:
        title = _FIGURES.get(key, key.replace("_", " "))
        yield title + (at if key in ("sensitivity", "specificity") else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else NO_VALUE


def _figure(entry: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Return a figure and its interval; why it is undefined in the interval's place."""
    value = entry.get(key)
    if not _is_number(value):
        return NO_VALUE, hide_folders(str(_mapping(entry.get("reasons")).get(key, "")))
    return number(value), _ends(_mapping(entry.get("intervals")).get(key))


def _ends(ends: Any) -> str:
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(map(_is_number, ends)):
        return ""
    return f"{number(ends[0])} – {number(ends[1])}"


def _others(entry: Mapping[str, Any], shown: Collection[str]) -> str:
    """Return what an entry says besides the figures of the columns, and what of its texts."""
    said = []
    if entry.get("unscored"):
        reasons = _mapping(entry.get("unscored_by_reason"))
        why = ", ".join(f"{name} {count}" for name, count in reasons.items())
        said.append(f"{_count(entry['unscored'])} without a value" + (f" ({why})" if why else ""))
    if entry.get("repeated_texts"):
        said.append(f"{_count(entry['repeated_texts'])} repeated")
    intervals = _mapping(entry.get("intervals"))
    kept = {key: entry[key] for key in entry if key not in _TOLD and key not in shown}
    if not _labels(entry):
        kept = {key: one for key, one in kept.items() if not isinstance(one, Mapping)}
    for name, value in flatten(kept):
        ends = _ends(intervals.get(name.replace(" ", "_")))
        said.append(f"{name} {value}" + (f" ({ends})" if ends else ""))
    return hide_folders("; ".join(said))


def _groups(evaluation: Mapping[str, Any]) -> Iterator[CardTable]:
    """Yield the AUCs by identity group (Borkan et al. 2019) of every set that names groups.

    Of many groups only those with the lowest BPSN AUC.
    """
    for name, entry in evaluation.items():
        groups = _mapping(_mapping(entry).get("groups"))
        told = [(group, _mapping(one)) for group, one in groups.items()]
        title = f"By group: {str(name).replace('_', ' ')}"
        if len(told) > _MOST_GROUPS:
            told = sorted(told, key=_bpsn)[:_LOWEST_GROUPS]
            lowest = f"the {_LOWEST_GROUPS} lowest BPSN AUCs of {len(groups)}"
            title += f" ({lowest}, all are in results.json)"
        rows = [
            ((str(group), str(one.get("axis", ""))), (_count(one.get("n")), ""), *_three(one))
            for group, one in told
        ]
        combined = _mapping(_mapping(entry).get("groups_combined"))
        if combined:
            rows.append((("all groups", "power mean, p = −5"), ("", ""), *_three(combined)))
        if rows:
            columns = ("group", "texts", *_GROUP_FIGURES.values())
            yield CardTable(title, columns, tuple(rows))


def _bpsn(told: tuple[str, Mapping[str, Any]]) -> float:
    value: Any = told[1].get("bpsn_auc")
    return float(value) if _is_number(value) else math.inf


def _three(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return (_figure(entry, key) for key in _GROUP_FIGURES)


def _shift(shift: Mapping[str, Any]) -> CardTable | None:
    """Return how far neutral sentences score differently by the group they name."""
    rows = []
    for axis, told in _mapping(shift.get("axes")).items():
        one = _mapping(told)
        languages = _mapping(one.get("languages")) or {"": one}
        for language, found in languages.items():
            entry = _mapping(found)
            value = entry.get("largest_difference")
            shown = number(value) if _is_number(value) else NO_VALUE
            between = entry.get("between")
            pair = " over ".join(_texts(between)) if between else ""
            rows.append(((str(axis), language), (shown, _ends(entry.get("interval"))), (pair, "")))
    if not rows:
        return None
    source = hide_folders(str(shift.get("source", "neutral sentences")))
    title = f"Identity shift: largest difference between the means of two groups ({source})"
    return CardTable(title, ("axis", "difference", "between"), tuple(rows))
