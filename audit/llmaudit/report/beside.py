"""What is printed beside an estimate: rates corrected for the scorer's errors, and q of groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmaudit.findings import Measurement
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
