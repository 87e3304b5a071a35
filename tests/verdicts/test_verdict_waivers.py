"""Waivers, and what a policy demands of a run besides its checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from verdict_cases import ceiling_check, cover, make_policy, rate

from llmaudit.errors import UsageError
from llmaudit.findings import Finding, WaiverGrant
from llmaudit.policies import LicenceDemand, Policy, ScorerDemand, Waiver
from llmaudit.records import Verdict
from llmaudit.verdicts import (
    ScorersUsed,
    apply_waivers,
    decide,
    overall_verdict,
    requirement_findings,
)
from llmaudit.verdicts.waivers import expired_waivers, refuse_expired

LAST_DAY = date(2027, 1, 31)


def waiver(check: str, expires: date = LAST_DAY) -> Waiver:
    """Return Ada's waiver of a check."""
    return Waiver(check=check, owner="Ada", reason="known", expires=expires)


def findings(policy: Policy, *, hits: int = 40, name: str = "c") -> tuple[Finding, ...]:
    """Return the findings where 200 outcomes had this many hits."""
    return decide(policy, {name: rate(hits, 200)}, {}, {}, ())


def test_a_waived_failure_keeps_its_verdict_and_does_not_count() -> None:
    policy = make_policy(ceiling_check("c"), waivers=(waiver("c"),))
    (plain,) = findings(policy)
    (waived,) = apply_waivers([plain], policy)
    grant = WaiverGrant("c", "Ada", "known", "2027-01-31")
    assert waived == replace(plain, waiver=grant)
    assert waived.verdict is Verdict.FAIL
    assert overall_verdict([plain]) is Verdict.FAIL
    # Nothing is left that was shown to hold, so the run has not passed either.
    assert overall_verdict([waived]) is Verdict.INCONCLUSIVE
    (passed,) = findings(make_policy(ceiling_check("d")), hits=0, name="d")
    assert overall_verdict([waived, passed]) is Verdict.PASS


@pytest.mark.parametrize(
    ("verdict", "marked"),
    [
        (Verdict.FAIL, True),
        (Verdict.INCONCLUSIVE, True),
        (Verdict.NOT_TESTED, True),
        (Verdict.PASS, False),
    ],
)
def test_only_what_did_not_pass_is_marked(verdict: Verdict, marked: bool) -> None:
    policy = make_policy(ceiling_check("c"), waivers=(waiver("c"),))
    (finding,) = findings(policy)
    (found,) = apply_waivers([replace(finding, verdict=verdict)], policy)
    assert (found.waiver is not None) is marked


@pytest.mark.parametrize(
    ("check", "kind", "named", "marked"),
    [
        ("c:texts", "disparity", "c", True),
        ("c:texts", "disparity", "c:texts", True),
        ("c:texts", "disparity", "c:stories", False),
        ("coverage:truth", "coverage", "coverage:truth", True),
        ("coverage:truth", "coverage", "coverage", False),
        ("scorer:c", "scorer", "scorer", False),
        ("licence", "licence", "licence", True),
    ],
)
def test_a_waiver_names_a_finding_or_all_that_a_check_became(
    check: str, kind: str, named: str, marked: bool
) -> None:
    policy = make_policy(ceiling_check("c"), waivers=(waiver(named),))
    (finding,) = findings(policy)
    (found,) = apply_waivers([replace(finding, check=check, kind=kind)], policy)
    assert (found.waiver is not None) is marked


def test_the_waiver_of_one_set_comes_before_that_of_the_check() -> None:
    policy = make_policy(ceiling_check("c"), waivers=(waiver("c"), waiver("c:texts")))
    (finding,) = findings(policy)
    (found,) = apply_waivers([replace(finding, check="c:texts")], policy)
    assert found.waiver is not None
    assert found.waiver.check == "c:texts"


def test_waived_coverage_does_not_count() -> None:
    policy = make_policy(
        ceiling_check("c"), coverage=(cover("truth"),), waivers=(waiver("coverage:truth"),)
    )
    found = apply_waivers(findings(policy, hits=0), policy)
    assert [one.waiver is not None for one in found] == [False, True]
    assert overall_verdict(findings(policy, hits=0)) is Verdict.INCONCLUSIVE
    assert overall_verdict(found) is Verdict.PASS


def test_a_waiver_holds_on_its_last_day_and_not_on_the_next() -> None:
    policy = make_policy(
        ceiling_check("c"), ceiling_check("d"), waivers=(waiver("c"), waiver("d", date(2027, 3, 1)))
    )
    assert expired_waivers(policy, LAST_DAY) == ()
    refuse_expired(policy, LAST_DAY)
    ((place, over),) = expired_waivers(policy, date(2027, 2, 1))
    assert (place, over.check) == (0, "c")
    with pytest.raises(UsageError, match=r"waivers\[0\] of 'c' expired on 2027-01-31.*have Ada"):
        refuse_expired(policy, date(2027, 2, 1))


def licensed(licence_class: str, **more: Any) -> Finding:
    """Return the finding on a model's licence where permissive ones are allowed."""
    demand = LicenceDemand(intended_use="a product", classes=("permissive",), why="w", **more)
    (found,) = requirement_findings(
        make_policy(ceiling_check(), licence=demand), "Some Licence", licence_class, ScorersUsed()
    )
    return found


@pytest.mark.parametrize(
    ("licence_class", "verdict", "said"),
    [
        ("permissive", Verdict.PASS, "(Some Licence) is permissive"),
        ("research only", Verdict.FAIL, "is research only, and for the intended use (a product)"),
        ("non-commercial", Verdict.FAIL, "allows permissive only"),
        ("unknown", Verdict.NOT_TESTED, "of no class that is known"),
        ("", Verdict.NOT_TESTED, "of no class that is known"),
    ],
)
def test_a_licence_must_be_known_and_allowed(
    licence_class: str, verdict: Verdict, said: str
) -> None:
    found = licensed(licence_class)
    assert (found.check, found.kind, found.verdict) == ("licence", "licence", verdict)
    assert found.required
    assert said in found.reason


def test_a_licence_alone_passes_no_run() -> None:
    assert overall_verdict([licensed("permissive")]) is Verdict.INCONCLUSIVE
    assert overall_verdict([licensed("unknown", required=False)]) is Verdict.INCONCLUSIVE
    assert overall_verdict([licensed("research only", required=False)]) is Verdict.FAIL


@pytest.mark.parametrize(
    ("demanded", "said"),
    [
        ({"name": "tox"}, ""),
        ({"construct": "toxicity"}, ""),
        ({"name": "silent"}, "Scorer silent gave no answer of this run a value."),
        ({"construct": "language"}, "Scorer silent gave no answer of this run a value."),
        ({"name": "lost"}, "Scorer lost could not be loaded: no file"),
        ({"name": "other"}, "Scorer other was not used in this run."),
        (
            {"construct": "refusal"},
            "No scorer for refusal was used in this run (lost could not be loaded).",
        ),
    ],
)
def test_a_scorer_counts_as_used_once_it_gave_a_value(demanded: dict[str, str], said: str) -> None:
    used = ScorersUsed(
        {"tox": "toxicity", "tox2": "toxicity", "silent": "language"}, {"tox"}, {"lost": "no file"}
    )
    demand = ScorerDemand.model_validate({**demanded, "why": "w"})
    policy = make_policy(ceiling_check(), scorers=(demand,))
    found = requirement_findings(policy, "x", "permissive", used)
    assert [(one.verdict, one.reason) for one in found] == (
        [(Verdict.NOT_TESTED, said)] if said else []
    )
    assert all(one.check == demand.id and one.plain and one.exact for one in found)


def test_no_scorer_was_used_at_all() -> None:
    demand = ScorerDemand.model_validate({"construct": "refusal", "why": "w"})
    policy = make_policy(ceiling_check(), scorers=(demand,))
    (found,) = requirement_findings(policy, "x", "permissive", ScorersUsed())
    assert found.reason == "No scorer for refusal was used in this run."
