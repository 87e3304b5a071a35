"""Detoxify's scorers in whole runs: files by option, pinned by a lock, added to a finished run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from cli_cases import POLICY, REFUSES, SUITE, call, model_text, run_words, write
from detoxify_cases import write_small

from llmaudit.scorers.detoxify_files import FOLDER_VARIABLE
from llmaudit.store import RunStore


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small checkpoint of the original variant."""
    return write_small(tmp_path_factory.mktemp("original"), "original")


def test_a_run_and_a_later_scorer(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    given = ["--scorer", "detoxify", "--scorer", "detoxify#threat"]
    given += ["--detoxify-checkpoint", str(checkpoint), "--exit-zero", "--quiet"]
    done = call(*run_words(tmp_path, model_text(REFUSES), *given))
    assert done.exit_code == 0, done.output
    other = write_small(tmp_path / "unbiased", "unbiased")
    more = ["--scorer", "detoxify:unbiased", "--detoxify-checkpoint", f"unbiased={other}"]
    done = call("score", tmp_path / "run", *more, "--quiet")
    assert done.exit_code == 0, done.output
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        scores = list(store.scores())
        facts = [one.data["facts"] for one in store.events() if one.kind == "scorer"]
    named = {one["name"]: one for one in facts}
    for name, file in (
        ("detoxify", checkpoint),
        ("detoxify#threat", checkpoint),
        ("detoxify:unbiased", other),
    ):
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        assert named[name]["files"][0]["sha256"] == sha256
        found = [one.value for one in scores if one.scorer == name]
        assert found and all(value is not None and 0 <= value <= 1 for value in found)
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12] in report


def test_a_lock_pins_the_checkpoint(tmp_path: Path, checkpoint: Path) -> None:
    policy, suite = write(tmp_path, "p.yaml", POLICY), write(tmp_path, "s.yaml", SUITE)
    lock = tmp_path / "p.lock"
    given = ["--scorer", "detoxify", "--detoxify-checkpoint", str(checkpoint)]
    done = call("policy", "lock", policy, "--suite", suite, *given, "-o", lock)
    assert done.exit_code == 0, done.output
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["classifier.bias"] += 1
    changed = checkpoint.with_name("changed.ckpt")
    torch.save(content, changed)
    words = run_words(tmp_path, model_text(REFUSES), "--locked", str(lock), "--scorer", "detoxify")
    done = call(*words, "--detoxify-checkpoint", changed, "--quiet")
    assert done.exit_code == 2, done.output
    assert "scorer detoxify has the digest" in done.stderr
    done = call(*words, "--detoxify-checkpoint", checkpoint, "--fresh", "--exit-zero", "--quiet")
    assert done.exit_code == 0, done.output


def test_a_file_for_no_scorer_stops_before_anything(tmp_path: Path, checkpoint: Path) -> None:
    words = run_words(tmp_path, model_text(REFUSES), "--detoxify-checkpoint", str(checkpoint))
    done = call(*words)
    assert done.exit_code == 2 and "Give it as VARIANT=FILE" in done.stderr
    assert not (tmp_path / "run").exists()


def test_show_and_list_say_what_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    shown = json.loads(call("show", "scorer", "detoxify", "--json").stdout)
    assert shown["needs"] == "files" and shown["other_classes"][0] == "detoxify#severe_toxicity"
    assert "not on this machine" in shown["needed_files"]["checkpoint"]
    assert shown["needed_files"]["SHA-256"].startswith("c1212f89ac23307a")
    rows = {one["name"]: one for one in json.loads(call("list", "scorers", "--json").stdout)}
    assert rows["detoxify#threat"]["needs"] == "files" and rows["refusal"]["needs"] == "nothing"
    assert "#" not in call("list", "scorers").stdout
