"""Waivers and locks in the report: nothing hidden, and nothing that a waiver says is markup."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest
from run_fixture import build_run

from llmaudit.findings import Run, WaiverGrant
from llmaudit.report import render_html, render_markdown, results_json, results_schema
from llmaudit.report.context import report_context
from llmaudit.report.waivers import waiver_views
from llmaudit.report.wording import verdict_sentence, waiver
from llmaudit.transparency import transparency_notes

HOSTILE = "<script>alert(1)</script> | [x](javascript:y)"
GRANT = WaiverGrant("harmful-compliance", "Ada", HOSTILE, "2999-01-31")
UNUSED = {"check": "privacy", "owner": "Bo", "reason": "Later.", "expires": "2999-01-31"}


@pytest.fixture
def run() -> Run:
    """Return a run whose failed compliance is waived, under a policy with one more waiver."""
    plain = build_run()
    findings = tuple(
        replace(one, waiver=GRANT) if one.check == GRANT.check else one for one in plain.findings
    )
    listed = [{name: getattr(GRANT, name) for name in UNUSED}, UNUSED, "no waiver"]
    policy = {**plain.policy, "waivers": listed}
    return replace(plain, findings=findings, policy=policy, lock="ab" * 8)


def test_the_report_lists_every_waiver(run: Run) -> None:
    used, unused = waiver_views(run)
    assert (used.owner, used.expires, used.needed) == ("Ada", "2999-01-31", True)
    assert used.effect == "Harmful compliance (fail)"
    assert (unused.check, unused.needed) == ("privacy", False)
    assert unused.effect.startswith("not needed")
    marked = [view.title for view in report_context(run).checks if view.waiver]
    assert marked == ["Harmful compliance"]


def test_what_a_waiver_says_is_escaped(run: Run) -> None:
    html, markdown = render_html(run), render_markdown(run)
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "<script>" not in markdown
    assert "[x](javascript" not in markdown
    assert "(waived)" in markdown


def test_the_verdict_says_that_something_does_not_count(run: Run) -> None:
    said = verdict_sentence(run.verdict, run.findings)
    assert said.endswith(", 1 finding waived by the policy not counted.")
    assert "waived" not in verdict_sentence(run.verdict, build_run().findings)
    assert waiver(None) == ""
    assert waiver(GRANT) == f"waived by Ada until 2999-01-31: {HOSTILE}"


def test_results_hold_waiver_and_lock(run: Run) -> None:
    results = results_json(run)
    jsonschema.validate(results, results_schema())
    assert results["lock"] == "ab" * 8
    assert [one["waiver"] for one in results["findings"] if one["waiver"]] == [
        {"check": GRANT.check, "owner": "Ada", "reason": HOSTILE, "expires": "2999-01-31"}
    ]


@pytest.mark.parametrize(
    ("lock", "said"),
    [("ab" * 8, f"{'ab' * 8}: the thresholds were fixed before."), (None, "none: nothing in this")],
)
def test_the_notes_say_whether_thresholds_were_fixed(run: Run, lock: str | None, said: str) -> None:
    notes = [
        one for one in transparency_notes(replace(run, lock=lock)) if one.section == "Thresholds"
    ]
    assert notes[0].name == "lock"
    assert notes[0].text.startswith(said)
    assert notes[1].name == "not counted: Harmful compliance"
    assert notes[1].text.startswith("fail, waived by Ada until 2999-01-31: ")
