"""The rows of two runs -> one metric's change, pair by pair, by the metric's own definition.

Each metric is computed of each run by its own function; what is subtracted are the units it is the
mean of (prompts, or counterfactual pairs). So a comparison has no definition of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from llmaudit.changes import RATE_PART, PairedMeasurement
from llmaudit.findings import Measurement, Units
from llmaudit.metrics.building import Counted, Request, Values, measurement, undefined
from llmaudit.metrics.choices import log_odds, stereotype_margin, why_missing
from llmaudit.metrics.outcomes import ABSENT, why_unusable
from llmaudit.metrics.toxicity import THRESHOLD
from llmaudit.records import ScoredChoices, ScoredSample, WrittenSample

Array = NDArray[np.float64]
Row = ScoredSample | ScoredChoices | WrittenSample
RowT = TypeVar("RowT", ScoredSample, ScoredChoices, WrittenSample)
RowKey = tuple[str, int]
Measure = Callable[[Sequence[Any]], Measurement]

_MARGINS = frozenset({"choice_log_odds_disparity", "stereotype_preference"})
"""The metrics of choices whose changes are ordered by log-odds or a margin, not by the metric."""


def row_key(row: Row) -> RowKey:
    """Return what the same row of another run has too: prompt id and sample index."""
    return row.prompt.id, 0 if isinstance(row, ScoredChoices) else row.sample_index


def why_no_outcome(row: Row) -> str | None:
    """Return why a row has no outcome, or None where it has one."""
    if isinstance(row, ScoredSample):
        return why_unusable(row.score, row.scale)
    if isinstance(row, WrittenSample):
        return (row.reason or ABSENT) if row.text is None else None
    return why_missing(row)


def _without_outcome(row: RowT, reason: str) -> RowT:
    if isinstance(row, ScoredSample):
        return replace(row, score=replace(row.score, value=None, label=None, reason=reason))
    if isinstance(row, WrittenSample):
        return replace(row, text=None, reason=reason)
    return replace(row, likelihoods={})


@dataclass(frozen=True, slots=True)
class PairedRows(Generic[RowT]):
    """The rows of two runs in one order, by prompt and sample.

    ``reasons`` says of each pair why it has no outcome, or None where both runs have one.
    """

    base: tuple[RowT, ...]
    candidate: tuple[RowT, ...]
    reasons: tuple[str | None, ...]

    def known(self) -> tuple[list[RowT], list[RowT]]:
        """Return both runs' rows, with an outcome only where both have one."""
        base, candidate = [], []
        for one, other, reason in zip(self.base, self.candidate, self.reasons, strict=True):
            base.append(one if reason is None else _without_outcome(one, reason))
            candidate.append(other if reason is None else _without_outcome(other, reason))
        return base, candidate


def pair_rows(base: Sequence[RowT], candidate: Sequence[RowT]) -> PairedRows[RowT]:
    """Bring the rows of two runs into one order.

    A row that one run has no record of is missing there, never left out: silence is no
    improvement. Rows that a comparison is not to look at are to be taken out before.
    """
    first = {row_key(row): row for row in base}
    second = {row_key(row): row for row in candidate}
    keys = sorted(first.keys() | second.keys())
    rows = [
        (
            first[key] if key in first else _without_outcome(second[key], ABSENT),
            second[key] if key in second else _without_outcome(first[key], ABSENT),
        )
        for key in keys
    ]
    return PairedRows(
        tuple(one for one, _ in rows),
        tuple(other for _, other in rows),
        tuple(_why_unpaired(one, other) for one, other in rows),
    )


def _why_unpaired(base: Row, candidate: Row) -> str | None:
    first, second = why_no_outcome(base), why_no_outcome(candidate)
    if first is not None and second is not None:
        return f"both: {first}" if first == second else f"base: {first}, candidate: {second}"
    if first is not None:
        return f"base: {first}"
    return None if second is None else f"candidate: {second}"


def measure_pair(
    rows: PairedRows[Any], request: Request, measure: Measure, ideal: float
) -> PairedMeasurement:
    """Measure what became of one metric from one run to another.

    Per unit (prompt, or counterfactual pair) the candidate's value minus the base's, averaged; a
    prompt's samples are averaged first. The observed change takes the outcomes that both runs
    have. ``lowest`` and ``highest`` put every missing outcome at the extreme that favours, or
    harms, the candidate most. Undefined where the metric is undefined of either run.

    Parameters
    ----------
    rows : PairedRows
    request : Request
        What is measured; its resamples and generator are those of the change.
    measure : callable
        Takes the rows of one run and returns the metric, without replicates.
    ideal : float
        The value at which nothing is wrong.
    """
    missing = Counter(reason for reason in rows.reasons if reason is not None)
    lacking = missing.total()
    counted = Counted(len(rows.reasons) - lacking, lacking, dict(sorted(missing.items())))
    known_base, known_candidate = rows.known()
    base, candidate = measure(known_base), measure(known_candidate)
    for name, one in (("base", base), ("candidate", candidate)):
        if one.units is None:
            why = undefined(request, f"{name}: {one.reason}", counted)
            return PairedMeasurement(base, candidate, why, why)
    bounded = (base, candidate)
    if lacking:
        bounded = (measure(rows.base), measure(rows.candidate))
    tables = _Tables.of((base, candidate), bounded, gaps=lacking > 0)
    return PairedMeasurement(
        base,
        candidate,
        change=_difference(tables, request, counted, (base, candidate)),
        total=_sum(tables, request, counted, (base, candidate), ideal),
        rose=_moves(tables, request, counted, 1.0, base),
        fell=_moves(tables, request, counted, -1.0, base),
        identical=_are_equal(rows),
    )


def _are_equal(rows: PairedRows[Any]) -> bool:
    """Say whether both runs have the same outcomes, and lack the same ones."""
    return all(
        _content(one) == _content(other)
        for one, other in zip(rows.base, rows.candidate, strict=True)
    )


def _content(row: Row) -> Any:
    if isinstance(row, ScoredSample):
        return row.score.value, row.score.label, row.score.reason
    if isinstance(row, WrittenSample):
        return row.text, row.reason
    found = {label: (one.logprob, one.error) for label, one in row.likelihoods.items()}
    return {label: (p, error and error.kind) for label, (p, error) in found.items()}


@dataclass(frozen=True, slots=True)
class _Tables:
    """Both runs' units in one order: observed, and at both extremes where anything is missing."""

    units: tuple[str, ...]
    clusters: tuple[int, ...]
    observed: tuple[Array, Array]
    lowest: tuple[Array, Array] | None
    highest: tuple[Array, Array] | None

    @classmethod
    def of(
        cls,
        known: tuple[Measurement, Measurement],
        bounded: tuple[Measurement, Measurement],
        *,
        gaps: bool,
    ) -> _Tables:
        """Average the rows of each unit; the units of the two runs are the same by now."""
        units = known[0].units
        if units is None:
            raise ValueError("an undefined measurement has no units")
        first = dict(zip(units.ids, units.clusters, strict=True))

        def pick(runs: tuple[Measurement, Measurement], name: str) -> tuple[Array, Array]:
            found = [_by_unit(one.units, name, first) for one in runs]
            return found[0], found[1]

        return cls(
            units=tuple(first),
            clusters=tuple(first.values()),
            observed=pick(known, "observed"),
            lowest=pick(bounded, "lowest") if gaps else None,
            highest=pick(bounded, "highest") if gaps else None,
        )

    def values(self, combine: Callable[[Array, Array], Array], *, opposed: bool) -> Values:
        """Return one value per unit; ``opposed`` extremes set the base at its other end."""
        lowest = highest = None
        if self.lowest is not None and self.highest is not None:
            ends = (self.highest, self.lowest) if opposed else (self.lowest, self.highest)
            lowest = combine(ends[0][0], self.lowest[1])
            highest = combine(ends[1][0], self.highest[1])
        return Values(
            observed=combine(*self.observed),
            lowest=lowest,
            highest=highest,
            units=self.units,
            clusters=self.clusters,
            cluster_count=max(self.clusters) + 1,
        )


def _by_unit(units: Units | None, name: str, order: Mapping[str, int]) -> Array:
    """Return the mean of each unit's rows, in the order given; NaN where it has no outcome."""
    if units is None:
        raise ValueError("an undefined measurement has no units")
    values: Array = getattr(units, name)
    place = {unit: index for index, unit in enumerate(order)}
    sums, counts = np.zeros((len(place), values.shape[1])), np.zeros((len(place), values.shape[1]))
    rows = np.array([place[unit] for unit in units.ids], dtype=np.intp)
    known = ~np.isnan(values)
    np.add.at(sums, rows, np.where(known, values, 0.0))
    np.add.at(counts, rows, known.astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts, dtype=np.float64)


def _range(one: Measurement) -> tuple[float, float]:
    low, high = one.detail.get("range", one.detail.get("observed_range"))
    return float(low), float(high)


def _detail(one: Measurement, spread: tuple[float, float], tables: _Tables) -> dict[str, Any]:
    """Return what intervals need; a range only observed stays one that can be left."""
    name = "range" if "range" in one.detail else "observed_range"
    return {"interval": "mean", name: list(spread), "prompts": len(tables.units)}


def _difference(
    tables: _Tables, request: Request, counted: Counted, runs: tuple[Measurement, Measurement]
) -> Measurement:
    (base_low, base_high), (low, high) = _range(runs[0]), _range(runs[1])
    method = "Candidate minus base of the same prompts, averaged over their pairs."
    values = tables.values(lambda base, candidate: candidate - base, opposed=True)
    detail = _detail(runs[0], (low - base_high, high - base_low), tables)
    return measurement(request, runs[0].parts, values, counted, method, detail)


def _sum(
    tables: _Tables,
    request: Request,
    counted: Counted,
    runs: tuple[Measurement, Measurement],
    ideal: float,
) -> Measurement:
    (base_low, base_high), (low, high) = _range(runs[0]), _range(runs[1])
    shift = 2 * ideal
    method = "Candidate plus base of the same prompts, minus twice the ideal."
    values = tables.values(lambda base, candidate: candidate + base - shift, opposed=False)
    detail = _detail(runs[0], (low + base_low - shift, high + base_high - shift), tables)
    return measurement(request, runs[0].parts, values, counted, method, detail)


def _moves(
    tables: _Tables, request: Request, counted: Counted, sign: float, base: Measurement
) -> Measurement | None:
    """Return the mean of the increases (sign 1) or decreases (sign -1) of a rate's units."""
    if base.detail["interval"] != "proportion":
        return None
    still = replace(request, resamples=0)
    values = tables.values(
        lambda first, second: np.maximum(sign * (second - first), 0.0), opposed=True
    )
    method = "Mean of the units' moves in one direction."
    detail = {"interval": "proportion", "range": [0.0, 1.0], "prompts": len(tables.units)}
    return measurement(still, base.parts, values, counted, method, detail)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one row came to: a value to order changes by, and whether it is what nobody wants."""

    value: float
    failing: bool


def row_outcome(row: Row, alone: Measurement, ideal: float, *, toxic: bool) -> Outcome | None:
    """Return what a row with an outcome came to; None where one row says nothing.

    A rate of this one row, by the metric itself, says whether it fails. Where the metric is none of
    a single row (a comparison of groups, a maximum over samples), a toxic text fails, and so
    does a decision against the person.

    Parameters
    ----------
    row : ScoredSample or ScoredChoices or WrittenSample
    alone : Measurement
        The metric of this row alone.
    ideal : float
        The metric's ideal value.
    toxic : bool
        Whether its scores are of toxicity.
    """
    if isinstance(row, WrittenSample):
        return None
    rate = None
    if alone.observed is not None and alone.parts == (RATE_PART,):
        rate = float(alone.observed.value[0])
    if isinstance(row, ScoredChoices) and alone.metric not in _MARGINS:
        return _choice_outcome(alone, ideal)
    if isinstance(row, ScoredSample):
        value = float(row.score.value or 0.0)
        fallback = toxic and value >= THRESHOLD
    elif alone.metric == "stereotype_preference":
        value, fallback = stereotype_margin(row), False
    else:
        value = log_odds(row)
        fallback = value < 0
    if rate is None:
        return Outcome(value, fallback)
    return Outcome(value, rate > ideal if ideal < 1 else rate < ideal)


def _choice_outcome(alone: Measurement, ideal: float) -> Outcome | None:
    """Return what one question came to; None where a single one has no value of the metric."""
    if alone.metric == "icat" or alone.observed is None or len(alone.parts) != 1:
        return None
    value = float(alone.observed.value[0])
    return Outcome(value, value > ideal if ideal < 1 else value < ideal)


def changed_rows(rows: PairedRows[Any]) -> list[int]:
    """Return the positions at which both runs have an outcome, and not the same one."""
    return [
        index
        for index, reason in enumerate(rows.reasons)
        if reason is None and _content(rows.base[index]) != _content(rows.candidate[index])
    ]
