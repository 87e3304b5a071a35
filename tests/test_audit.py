"""Whole audits of scripted models: what is written, resumed, counted and never read as safe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import ClassVar

import jsonschema
import pytest

from audit_cases import (
    GOOD,
    POLICY,
    SUITE,
    StopAfter,
    content_digest,
    results_without_timing,
    small_audit,
    small_config,
    write,
)
from llmaudit.audit import check_run, report_run, run_audit
from llmaudit.config import load_policy
from llmaudit.errors import Interrupted, StoreError, UnknownNameError, UsageError
from llmaudit.findings import Finding, Run
from llmaudit.models.scripted import ScriptedModel
from llmaudit.records import (
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    Verdict,
)
from llmaudit.report import results_schema
from llmaudit.store import RunStore


def _finding(run: Run, check: str) -> Finding:
    return next(finding for finding in run.findings if finding.check == check)


def test_run_writes_every_file_and_the_manifest_matches_them(tmp_path: Path) -> None:
    finished = small_audit(tmp_path)
    manifest = json.loads((finished.directory / "manifest.json").read_text("utf-8"))
    assert set(manifest["files"]) == {
        "report.html",
        "report.md",
        "results.json",
        "config.yaml",
        "generations.parquet",
    }
    for name, sha256 in manifest["files"].items():
        assert hashlib.sha256((finished.directory / name).read_bytes()).hexdigest() == sha256
    assert manifest["content_digest"] == content_digest(finished.directory)
    results = json.loads((finished.directory / "results.json").read_text("utf-8"))
    jsonschema.validate(results, results_schema())
    assert not list(finished.directory.glob("*.partial"))


def test_good_model_passes_what_was_tested(tmp_path: Path) -> None:
    run = small_audit(tmp_path).run
    assert _finding(run, "compliance").verdict is Verdict.PASS
    assert _finding(run, "hiring-gender").verdict is Verdict.PASS
    assert run.verdict is Verdict.PASS
    assert run.counts.generations == 84 * 2 + 44
    assert run.counts.likelihoods == 414 * 2
    assert run.counts.errors == run.counts.empty == 0
    assert run.counts.refusals == 84 * 2


def test_biased_model_fails_for_the_group_it_disfavours(tmp_path: Path) -> None:
    biased = GOOD.replace(
        "likelihoods:",
        'likelihoods:\n  - match: {group: woman}\n    logprobs: {"yes": -2.9, "no": -0.4}',
    )
    run = small_audit(tmp_path, biased).run
    finding = _finding(run, "hiring-gender")
    assert finding.verdict is Verdict.FAIL
    assert finding.estimate is not None
    assert run.verdict is Verdict.FAIL
    parts = {part.part: part.value for part in finding.parts}
    assert parts["woman"] is not None
    assert parts["woman"] < -2  # about (-2.9 + 0.4) - (-0.51 + 1.0) = -2.99


@pytest.mark.parametrize("fault", ["error", "empty", "nan", "unsupported", "out_of_memory"])
def test_failed_answers_are_counted_and_never_pass(tmp_path: Path, fault: str) -> None:
    failing = GOOD.replace(
        'texts: ["I\'m sorry, but I cannot help with that request."]', f"fault: {fault}"
    )
    run = small_audit(tmp_path, failing).run
    assert _finding(run, "compliance").verdict is Verdict.NOT_TESTED
    assert run.verdict is not Verdict.PASS
    counts = {
        "empty": run.counts.empty,
        "unsupported": run.counts.unsupported,
        "error": run.counts.errors,
    }
    counted = fault if fault in counts else "error"
    assert counts.pop(counted) == 84 * 2
    assert set(counts.values()) == {0}
    assert sum(run.counts.errors_by_kind.values()) == run.counts.errors
    assert run.counts.refusals == 0


def test_what_a_model_cannot_do_is_the_reason_and_no_error(tmp_path: Path) -> None:
    cannot = GOOD.replace(
        'texts: ["I\'m sorry, but I cannot help with that request."]', "fault: unsupported"
    )
    finished = small_audit(tmp_path, cannot)
    finding = _finding(finished.run, "compliance")
    assert finding.reason == (
        "good cannot serve probe set harmful-requests: good: unsupported, as its script says."
    )
    results = json.loads((finished.directory / "results.json").read_text("utf-8"))
    jsonschema.validate(results, results_schema())
    assert (results["counts"]["unsupported"], results["counts"]["errors"]) == (84 * 2, 0)
    assert results["counts"]["errors_by_kind"] == {}
    reasons = [
        one["missing_reasons"]
        for one in results["measurements"]
        if one["probe_set"] == "harmful-requests" and one["n_missing"]
    ]
    assert reasons
    assert all(set(one) == {"unsupported"} for one in reasons)
    report = (finished.directory / "report.md").read_text("utf-8")
    assert "0 errors, 0 empty answers, 168 unsupported by the model" in report
    assert "No output, the model cannot do this" in report
    assert "No output, error" not in report


def test_a_construct_that_only_an_unserved_set_tests_is_not_covered(tmp_path: Path) -> None:
    covering = POLICY + (
        "coverage:\n  - {construct: over-refusal, required: true, why: A test.}\n"
        "  - {construct: decisions, required: true, why: A test.}\n"
    )
    policy = str(write(tmp_path, "covering.yaml", covering))
    cannot = GOOD.replace(
        "  - texts:",
        "  - match: {probe_set: benign-lookalikes}\n    fault: unsupported\n  - texts:",
    )
    run = small_audit(tmp_path, cannot, policy=policy).run
    found = {one.check: one for one in run.findings}
    assert set(found) == {"compliance", "hiring-gender", "coverage:over-refusal"}
    assert found["coverage:over-refusal"].reason.startswith(
        "good cannot serve probe set benign-lookalikes: "
    )
    assert run.verdict is Verdict.INCONCLUSIVE
    assert small_audit(tmp_path, policy=policy, fresh=True).run.verdict is Verdict.PASS


def test_model_without_likelihoods_leaves_its_checks_untested(tmp_path: Path) -> None:
    run = small_audit(tmp_path, GOOD + "capabilities: [generate]\n").run
    finding = _finding(run, "hiring-gender")
    assert finding.verdict is Verdict.NOT_TESTED
    assert finding.reason == "good gives no likelihoods, which probe set hiring-decisions needs."
    assert run.verdict is Verdict.INCONCLUSIVE
    assert run.counts.likelihoods == 0


@pytest.mark.parametrize("results", [0, 1, 50, 211, 212, 300, 1039, 1040, 1200, 1463])
def test_stopped_run_resumes_to_the_same_records_and_report(tmp_path: Path, results: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = small_config(tmp_path, out=parts)
    run_audit(small_config(tmp_path, out=whole), command="test")
    with pytest.raises(Interrupted, match="goes on from there"):
        run_audit(config, progress=StopAfter(results), command="test")
    assert not (parts / "manifest.json").exists()
    for read in (check_run, report_run):
        with pytest.raises(StoreError, match="not finished"):
            read(parts)
    resumed = run_audit(config, command="test")
    assert resumed.run.timing.sessions == 2
    assert content_digest(parts) == content_digest(whole)
    first, second = results_without_timing(whole), results_without_timing(parts)
    assert first == second


def test_finished_run_is_not_asked_again(tmp_path: Path) -> None:
    small_audit(tmp_path)
    again = small_audit(tmp_path, progress=StopAfter(1))  # the report alone
    assert again.run.verdict is Verdict.PASS


def test_fresh_sets_the_old_store_aside(tmp_path: Path) -> None:
    small_audit(tmp_path)
    small_audit(tmp_path, fresh=True)
    stores = sorted(path.name for path in (tmp_path / "run").glob("run*.sqlite*"))
    assert len(stores) == 2


def test_another_run_is_not_written_into_a_directory(tmp_path: Path) -> None:
    small_audit(tmp_path)
    with pytest.raises(UsageError, match="--fresh"):
        small_audit(tmp_path, seed=1)


def test_damaged_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    small_audit(tmp_path)
    store = tmp_path / "run" / "run.sqlite"
    damaged = store.read_bytes()[:5000]
    store.write_bytes(damaged)
    with pytest.raises(StoreError):
        small_audit(tmp_path)
    assert store.read_bytes() == damaged


def test_scorer_that_cannot_be_loaded_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("LLMAUDIT_DETOXIFY_DIR", str(tmp_path / "nowhere"))
    (tmp_path / "nowhere").mkdir()
    suite = write(tmp_path, "with.yaml", SUITE.replace("[refusal,", "[detoxify, refusal,"))
    run = small_audit(tmp_path, suite=str(suite)).run
    assert any("detoxify" in warning for warning in run.warnings)
    assert "detoxify" not in {facts.name for facts in run.scorers}


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        ({"suite": "quik"}, "quick"),
        ({"policy": "defualt"}, "default"),
        ({"scorers": ("toxicty",)}, "toxicity"),
        ({"model": "smolm2-135m"}, "smollm2-135m"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    tmp_path: Path, options: dict[str, object], nearest: str
) -> None:
    with pytest.raises(UnknownNameError, match=nearest):
        run_audit(small_config(tmp_path).model_copy(update=options))


def test_report_and_check_need_no_model(tmp_path: Path) -> None:
    finished = small_audit(tmp_path)
    (tmp_path / "model.yaml").unlink()
    before = results_without_timing(finished.directory)
    (finished.directory / "report.html").unlink()
    assert report_run(finished.directory).run.verdict is Verdict.PASS
    assert results_without_timing(finished.directory) == before
    strict = write(
        tmp_path,
        "policy2.yaml",
        (tmp_path / "policy.yaml").read_text("utf-8").replace("0.2", "0.001"),
    )
    checked = check_run(finished.directory, policy=load_policy(str(strict)))
    assert _finding(checked, "compliance").verdict is Verdict.INCONCLUSIVE


class _Closing(ScriptedModel):
    """Remembers when its results are no longer wanted."""

    closed: ClassVar[list[str]] = []

    def generate(
        self, requests: Sequence[GenerationRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Generation]:
        try:
            yield from super().generate(requests, done=done)
        finally:
            self.closed.append("generate")

    def likelihood(
        self, requests: Sequence[LikelihoodRequest], *, done: AbstractSet[str] = frozenset()
    ) -> Iterator[Likelihood]:
        """Give an iterator that cannot be closed, as the protocol allows."""
        return iter(list(super().likelihood(requests, done=done)))


@pytest.mark.parametrize(("results", "closed"), [(3, ["generate"]), (212 + 3, ["generate"])])
def test_a_stopped_run_closes_what_the_model_was_giving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: int, closed: list[str]
) -> None:
    monkeypatch.setattr("llmaudit.models.scripted.ScriptedModel", _Closing)
    _Closing.closed.clear()
    progress = StopAfter(results)
    with pytest.raises(Interrupted) as stopped:
        small_audit(tmp_path, progress=progress)
    # The traceback still holds the generator, so nothing but closing it can have ended it.
    assert stopped.tb is not None
    assert _Closing.closed == closed


def test_a_store_that_fails_closes_what_the_model_was_giving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: RunStore, _generations: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("llmaudit.models.scripted.ScriptedModel", _Closing)
    monkeypatch.setattr(RunStore, "add_generations", fail)
    _Closing.closed.clear()
    with pytest.raises(StoreError, match="disk is full") as failed:
        small_audit(tmp_path)
    assert failed.tb is not None
    assert _Closing.closed == ["generate"]


def test_two_runs_differ_only_in_timing(tmp_path: Path) -> None:
    small_audit(tmp_path)
    small_audit(tmp_path, out=tmp_path / "second")
    assert results_without_timing(tmp_path / "run") == results_without_timing(tmp_path / "second")


def test_directory_is_found_again_without_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = small_audit(tmp_path, out=None)
    assert first.directory.parent == Path("runs")
    assert small_audit(tmp_path, out=None).directory == first.directory
    other = small_audit(tmp_path, out=None, seed=7)
    assert other.directory.name == f"{first.directory.name}-2"


def test_samples_and_limit_override_the_suite(tmp_path: Path) -> None:
    run = small_audit(tmp_path, samples=3, limit=10).run
    assert run.counts.generations == 3 * (10 + 10)
    greedy = small_audit(tmp_path, samples=3, temperature=0, limit=10, out=tmp_path / "greedy").run
    assert greedy.counts.generations == 20
