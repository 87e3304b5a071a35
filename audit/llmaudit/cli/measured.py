"""Prints what ``llmaudit scorers measure`` found, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmaudit.cli.groupedtables import print_grouped
from llmaudit.cli.output import print_line, print_table
from llmaudit.report.wording import NO_VALUE

_NAMES = {
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "ECE",
    "brier": "Brier score",
}
_GROUP_NAMES = {"subgroup_auc": "subgroup AUC", "bpsn_auc": "BPSN AUC", "bnsp_auc": "BNSP AUC"}


def print_measured(figures: Mapping[str, Any]) -> None:
    """Print the figures of every set, of the groups, and the identity shift where it is told."""
    scorer, level = figures["scorer"], figures["level"]
    head = f"{scorer['name']} (version {scorer['version']}, {scorer['construct']})"
    print_line(f"{head}: {level:.0%} intervals", style="bold")
    for name, entry in _told_sets(figures).items():
        print_line("")
        print_line(_counts(name, entry))
        for sentence in _unusual(entry):
            print_line(sentence, indent=2)
        _print_figures(entry)
        _print_groups(entry)
    if "identity_shift" in figures:
        _print_shift(figures["identity_shift"])


def _told_sets(figures: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sets, and all of them together where there are several."""
    sets = dict(figures["sets"])
    return sets if len(sets) < 2 else {**sets, "all sets together": figures}


def _counts(name: str, entry: Mapping[str, Any]) -> str:
    positives = entry["positives"] + entry["unscored_positives"]
    said = f"{name}: {entry['n']:,} texts, {positives:,} positive"
    return f"{said}, {entry['unscored']:,} without a value"


def _unusual(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to know of the texts before the figures are read."""
    if entry["unscored"]:
        reasons = (f"{name} {count:,}" for name, count in entry["unscored_by_reason"].items())
        positive = entry["unscored_positives"]
        yield f"without a value: {', '.join(reasons)}; {positive:,} of them positive"
    if entry["repeated_texts"]:
        yield f"repeated texts: {entry['repeated_texts']:,}"
    if entry["texts_with_both_labels"]:
        yield f"texts with both labels: {entry['texts_with_both_labels']:,}"


def _print_figures(entry: Mapping[str, Any]) -> None:
    threshold = entry["threshold"]
    rows = []
    for key, name in _NAMES.items():
        at = f" at {threshold:g}" if key in ("sensitivity", "specificity") and threshold else ""
        value, interval, reason = _told(entry, key)
        rows.append([name + at, value, interval, reason])
    columns = ["figure", "value", "interval", "why there is none"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_table(columns, rows, right=("value",))


def _told(entry: Mapping[str, Any], key: str) -> tuple[str, str, str]:
    """Return a figure's value, its interval, and why it has none."""
    value, ends = entry[key], entry["intervals"].get(key)
    interval = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
    reason = entry["reasons"].get(key, "")
    return NO_VALUE if value is None else f"{value:.3f}", interval, reason


def _print_groups(entry: Mapping[str, Any]) -> None:
    """Print the AUCs of the groups, under the headings of their axes where they name any."""
    groups = entry.get("groups")
    if not groups:
        return
    rows = [
        [one.get("axis", ""), name, f"{one['n']:,}", *(_short(one, key) for key in _GROUP_NAMES)]
        for name, one in groups.items()
    ]
    combined = [_short(entry["groups_combined"], key) for key in _GROUP_NAMES]
    rows.append(["all axes", "power mean", "", *combined])
    columns = ["axis", "group", "n", *_GROUP_NAMES.values()]
    if any("axis" in one for one in groups.values()):
        print_grouped(columns, rows, by="axis", right=("n",))
    else:
        print_table(columns[1:], [row[1:] for row in rows], right=("n",))


def _short(entry: Mapping[str, Any], key: str) -> str:
    value, ends = entry[key], entry["intervals"].get(key)
    if value is None:
        return NO_VALUE
    return f"{value:.3f}" + ("" if ends is None else f" {ends[0]:.2f}–{ends[1]:.2f}")


def _print_shift(shift: Mapping[str, Any]) -> None:
    print_line("")
    largest = shift["largest_difference"]
    said = NO_VALUE if largest is None else f"{largest:.4f}"
    print_line(f"identity shift on {shift['texts']:,} neutral sentences, largest: {said}")
    rows: list[Sequence[str]] = []
    for axis, one in shift["axes"].items():
        for language, found in one["languages"].items():
            value, ends = found["largest_difference"], found["interval"]
            interval = "" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"
            shown = NO_VALUE if value is None else f"{value:.4f}"
            rows.append([axis, shown, interval, " over ".join(found["between"]), language])
    rows.sort(key=lambda row: row[-1])
    columns = ["axis", "difference", "interval", "highest over lowest", "language"]
    print_grouped(columns, rows, by="language", right=("difference",))
