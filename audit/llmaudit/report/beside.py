"""What is printed beside an estimate: what its scorer adds, what is left without it, and q."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmaudit.corrections import CorrectedPart, Correction
from llmaudit.findings import Measurement, Run
from llmaudit.report import wording
from llmaudit.report.views import Fact


def discovery_rates(measured: Measurement) -> Mapping[str, str]:
    """Return the printed q of each group of a measurement that no check judges."""
    groups = measured.detail.get("groups", {})
    return {
        group: wording.p_value(entry["no_difference_q"])
        for group, entry in groups.items()
        if "no_difference_q" in entry
    }


def correction_facts(measured: Measurement) -> Iterable[Fact]:
    """Yield the rate corrected for its scorer's errors, by each validation set, or why not."""
    reason = measured.detail.get("not_corrected")
    if reason is not None:
        yield "corrected for the scorer's errors", str(reason)
    for name, found in measured.detail.get("corrected", {}).items():
        ends = found["interval"]
        shown = wording.number(found["value"])
        if ends is not None:
            level = wording.level(measured.detail["corrected_level"])
            shown += f" {wording.interval(ends[0], ends[1])}, {level}"
        why = f"; {found['reason']}" if found["reason"] else ""
        yield (
            f"corrected for the scorer's errors on {name}",
            f"{shown} (sensitivity {wording.number(found['sensitivity'])} of "
            f"{found['positives']:,}, specificity {wording.number(found['specificity'])} of "
            f"{found['negatives']:,}){why}",
        )


def correction_of(run: Run, measured: Measurement | None) -> Correction | None:
    """Return the correction of a measurement for its scorer, where the run has one."""
    if measured is None:
        return None
    wanted = (
        measured.metric,
        measured.probe_set,
        measured.axis,
        measured.scorer,
        measured.detail.get("contrast"),
    )
    for one in run.corrections:
        if (one.metric, one.probe_set, one.axis, one.scorer, one.contrast) == wanted:
            return one
    return None


def shown_corrections(correction: Correction | None) -> Mapping[str, tuple[str, str]]:
    """Return by group the scorer's own disparity and the corrected one, as they are printed."""
    if correction is None:
        return {}
    return {
        part.part: (
            _with_interval(part.own, part.own_low, part.own_high),
            _with_interval(part.value, part.low, part.high),
        )
        for part in correction.parts
    }


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or (low is not None and low == high):
        return wording.number(value)
    return f"{wording.number(value)} [{wording.number(low)}, {wording.number(high)}]"


def scorer_facts(correction: Correction | None) -> Iterable[Fact]:
    """Yield how a disparity was corrected for its scorer, or why it was not."""
    if correction is None:
        return
    if correction.reason is not None:
        yield "corrected for the scorer", f"no: {correction.reason}"
        return
    clipped = any(part.clipped for part in correction.parts)
    cut = "; shares below 0 or above 1 were set to the end" if clipped else ""
    level = wording.level(correction.level)
    yield "corrected for the scorer", f"{correction.method}; {level} intervals{cut}"
    for name in ("sensitivity", "specificity"):
        shown = _by_group(correction.parts, name)
        if shown:
            yield f"scorer's {name}", shown


def _by_group(parts: Iterable[CorrectedPart], name: str) -> str:
    known = ((part.part, getattr(part, name)) for part in parts)
    return ", ".join(f"{part} {value:.2f}" for part, value in known if value is not None)
