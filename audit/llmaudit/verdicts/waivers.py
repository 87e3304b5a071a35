"""Waivers: a finding that does not pass keeps its verdict, is marked, and stops counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from llmaudit.errors import UsageError
from llmaudit.findings import Finding, WaiverGrant
from llmaudit.policies import Policy, Waiver
from llmaudit.records import Verdict


def today() -> date:
    """Return the day by which waivers expire: today in UTC, the same wherever the program runs."""
    return datetime.now(UTC).date()


def expired_waivers(policy: Policy, on: date) -> tuple[tuple[int, Waiver], ...]:
    """Return the place in the policy and the waiver of each that is no longer in force."""
    return tuple((place, one) for place, one in enumerate(policy.waivers) if one.expires < on)


def refuse_expired(policy: Policy, on: date) -> None:
    """Refuse a policy with a waiver that is no longer in force.

    Raises
    ------
    UsageError
        With every such waiver.
    """
    expired = expired_waivers(policy, on)
    if expired:
        raise UsageError(
            "\n".join(
                f"policy {policy.id!r}: waivers[{place}] of {one.check!r} {say_expired(one, on)}"
                for place, one in expired
            )
        )


def say_expired(waiver: Waiver, on: date) -> str:
    """Say that a waiver is over, who can prolong it, and what else can be done."""
    return (
        f"expired on {waiver.expires} (today is {on} in UTC); have {waiver.owner} renew it, or "
        f"take it out"
    )


def apply_waivers(findings: Sequence[Finding], policy: Policy) -> tuple[Finding, ...]:
    """Return the findings, those marked that did not pass and that a waiver names.

    A waiver of a check without a probe set concerns what became of it in every set; one that names
    the check of one set comes before it. What passes needs no waiver and gets none.
    """
    by_check = {one.check: one for one in policy.waivers}
    return tuple(
        _mark(finding, by_check.get(finding.check) or by_check.get(_written(finding)))
        for finding in findings
    )


def _written(finding: Finding) -> str:
    """Return the id under which the policy has the check that a finding is about."""
    measured = finding.kind in ("ceiling", "disparity")
    return finding.check.partition(":")[0] if measured else finding.check


def _mark(finding: Finding, waiver: Waiver | None) -> Finding:
    if waiver is None or finding.verdict is Verdict.PASS:
        return finding
    expires = waiver.expires.isoformat()
    return replace(finding, waiver=WaiverGrant(waiver.check, waiver.owner, waiver.reason, expires))
