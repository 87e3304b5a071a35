"""The waivers of a run's policy as the report lists them: none of them out of sight."""

from __future__ import annotations

from collections.abc import Mapping

from llmaudit.findings import Run
from llmaudit.report.views import WaiverView


def waiver_views(run: Run) -> tuple[WaiverView, ...]:
    """Return every waiver of the policy that ``run`` was held against, needed or not."""
    listed = run.policy.get("waivers") or ()
    return tuple(_view(entry, run) for entry in listed if isinstance(entry, Mapping))


def _view(entry: Mapping[str, object], run: Run) -> WaiverView:
    check, owner, reason, expires = (
        str(entry.get(key, "unknown")) for key in ("check", "owner", "reason", "expires")
    )
    waived = [
        f"{finding.title} ({finding.verdict.value})"
        for finding in run.findings
        if finding.waiver is not None and finding.waiver.check == check
    ]
    effect = "; ".join(waived) or "not needed: nothing that it names failed or was left open"
    return WaiverView(check, owner, reason, expires, effect, bool(waived))
