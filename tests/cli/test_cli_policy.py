"""Waivers, licences and locks on the command line: what is printed, and the exit codes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from cli_cases import COMPLIES, POLICY, REFUSES, SUITE, call, model_text, run_words, write

WAIVER = "  - {{check: {check}, owner: Ada, reason: Known since May., expires: {expires}}}\n"
LICENCE = "licence: {intended_use: A product., classes: [permissive], why: A test.}\n"


def waiving(*checks: str, expires: str = "2999-01-31", policy: str = POLICY) -> str:
    """Return the policy with a waiver of each check."""
    listed = "".join(WAIVER.format(check=check, expires=expires) for check in checks)
    return f"{policy}waivers:\n{listed}"


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that failed its only check."""
    folder = tmp_path_factory.mktemp("failed")
    assert call(*run_words(folder, model_text(COMPLIES), "--quiet")).exit_code == 1
    return folder


def test_a_waived_failure_is_marked_everywhere_and_does_not_count(tmp_path: Path) -> None:
    words = run_words(tmp_path, model_text(COMPLIES), policy=waiving("compliance"))
    result = call(*words)
    # The only check is waived, so nothing was shown to hold.
    assert result.exit_code == 3
    assert "FAIL (waived)" in result.stdout
    assert "waived by Ada until 2999-01-31: Known since May" in result.stdout
    assert "Verdict: inconclusive (1 finding waived)" in result.stdout
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    (finding,) = results["findings"]
    assert finding["verdict"] == "fail"
    assert finding["waiver"] == {
        "check": "compliance", "owner": "Ada", "reason": "Known since May.",
        "expires": "2999-01-31",
    }  # fmt: skip
    assert [note for note in results["notes"] if note["name"].startswith("not counted")]
    for name in ("report.html", "report.md"):
        text = (tmp_path / "run" / name).read_text("utf-8")
        assert "Waivers of the policy" in text
        assert "1 finding waived by the policy not counted" in text
        assert text.count("Known since May") >= 3


def test_a_waiver_can_be_tried_on_a_finished_run(failed: Path) -> None:
    more = waiving("compliance", "coverage:truth") + (
        "coverage: [{construct: truth, required: true, why: A test.}]\n"
    )
    policy = write(failed, "waived.yaml", more)
    result = call("check", failed / "run", "--policy", policy)
    assert result.exit_code == 3
    assert result.stdout.count("(waived)") == 2
    assert "Verdict: inconclusive (2 findings waived)" in result.stdout


def test_a_waiver_that_is_not_needed_is_told(tmp_path: Path) -> None:
    result = call(*run_words(tmp_path, model_text(REFUSES), policy=waiving("compliance")))
    assert result.exit_code == 0
    assert "waiver of compliance (owner Ada): not needed" in result.stdout
    assert "Verdict: pass   report" in result.stdout
    assert "nothing that it names failed" in (tmp_path / "run" / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (waiving("compliance", expires="2020-01-31"), "waivers[0].expires: expired on 2020-01-31"),
        (waiving("complaince"), "waivers[0].check: the policy has no check 'complaince'"),
        (waiving("compliance", "compliance"), "waivers[1].check: 'compliance' is already on line"),
        (waiving("compliance", expires="soon"), "waivers[0].expires: this is no date"),
    ],
)
def test_faulty_waivers_exit_2_with_file_and_line(failed: Path, policy: str, said: str) -> None:
    file = write(failed, "faulty.yaml", policy)
    checked = call("check", failed / "run", "--policy", file)
    assert checked.exit_code == 2
    assert said in checked.stderr
    line = policy.rstrip().count("\n") + 1
    assert f"{file}:{line}" in checked.stderr
    words = run_words(failed, model_text(COMPLIES))
    words[words.index("--policy") + 1] = str(file)
    assert said in call(*words).stderr
    assert said in call("lint", file).stdout
    assert said in call("policy", "lock", file, "--suite", failed / "tiny.yaml").stderr


def test_a_report_made_later_keeps_its_verdict_and_a_check_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    policy = waiving("compliance", expires="2999-01-31")
    assert call(*run_words(tmp_path, model_text(COMPLIES), policy=policy)).exit_code == 3
    monkeypatch.setattr("llmaudit.audit.today", lambda: date(2999, 2, 1))
    before = json.loads((folder / "results.json").read_text("utf-8"))
    assert call("report", folder).exit_code == 0
    after = json.loads((folder / "results.json").read_text("utf-8"))
    assert after["timing"]["judged_on"] == before["timing"]["judged_on"]
    assert after | {"timing": 0} == before | {"timing": 0}
    checked = call("check", folder)
    assert checked.exit_code == 2
    assert "waivers[0] of 'compliance' expired on 2999-01-31" in checked.stderr
    again = call("report", folder, "--policy", tmp_path / "policy.yaml")
    assert (again.exit_code, "expired on 2999-01-31" in again.stderr) == (2, True)


def test_a_licence_nobody_knows_is_not_tested(failed: Path) -> None:
    file = write(failed, "licensed.yaml", POLICY.replace("margin: 0.2", "margin: 0.9999") + LICENCE)
    result = call("check", failed / "run", "--policy", file, "--json")
    findings = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
    assert findings["licence"]["verdict"] == "not tested"
    assert "of no class that is known" in findings["licence"]["reason"]


def test_a_scorer_that_was_not_used_is_not_tested(failed: Path) -> None:
    demands = "scorers:\n  - {name: toxicity, why: A test.}\n  - {name: refusal, why: A test.}\n"
    file = write(failed, "scorers.yaml", POLICY + demands)
    found = json.loads(call("check", failed / "run", "--policy", file, "--json").stdout)
    assert [(one["check"], one["verdict"]) for one in found["findings"]] == [
        ("compliance", "fail"),
        ("scorer:toxicity", "not tested"),
    ]


def test_lock_then_run_then_check(tmp_path: Path) -> None:
    words = run_words(tmp_path, model_text(REFUSES), "--locked", "--seed", "7")
    suite, policy = tmp_path / "tiny.yaml", tmp_path / "policy.yaml"
    locked = call("policy", "lock", policy, "--suite", suite, "--seed", "7")
    path, digest = locked.stdout.split()
    assert (locked.exit_code, path) == (0, str(tmp_path / "policy.lock"))
    other = [*words[:-1], "8"]
    refused = call(*other)
    assert refused.exit_code == 2
    assert "seed: the lock has 7, here is 8" in refused.stderr
    assert not (tmp_path / "run").exists()
    done = call(*words)
    assert done.exit_code == 0
    assert f"locked by {digest}" in done.stdout
    checked = call("check", tmp_path / "run", "--policy", policy, "--locked")
    assert checked.exit_code == 0
    assert f"Run and policy are what {tmp_path / 'policy.lock'} says." in checked.stdout
    write(tmp_path, "policy.yaml", POLICY.replace("margin: 0.2", "margin: 0.9"))
    changed = call("check", tmp_path / "run", "--policy", policy, "--locked", path)
    assert changed.exit_code == 2
    assert "policy.checks.compliance.margin: the lock has 0.2, here is 0.9" in changed.stderr


def test_a_lock_is_not_replaced_unasked(tmp_path: Path) -> None:
    policy, suite = write(tmp_path, "p.yaml", POLICY), write(tmp_path, "s.yaml", SUITE)
    out = tmp_path / "a.lock"
    words: list[str | Path] = ["policy", "lock", policy, "--suite", suite, "-o", out]
    assert call(*words).exit_code == 0
    again = call(*words, "--samples", "3")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    assert call(*words, "--samples", "3", "--force").exit_code == 0
    assert "samples: 3" in out.read_text("utf-8")
    missing = call("check", tmp_path, "--locked")
    assert missing.exit_code in {2, 4}
