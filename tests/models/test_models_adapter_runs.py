"""A run of a base model with an adapter, from the command line to its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from tiny_adapters import CONFIGS, save_adapter, train_adapter
from tiny_checkpoints import CHAT_TEMPLATE, write_checkpoint

from audit_cases import POLICY, SUITE, write
from llmaudit.cli import main
from llmaudit.report import results_schema


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin on a machine where nothing has been fetched."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-base", chat_template=CHAT_TEMPLATE, start=True)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return save_adapter(train_adapter(base, CONFIGS["LORA"]()), tmp_path / "my-lora")


def call(*words: str | Path) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="llmaudit")


def _run(folder: Path, base: Path, out: str, *more: str) -> Result:
    suite = write(folder, "tiny.yaml", SUITE)
    policy = write(folder, "policy.yaml", POLICY)
    words = ["run", "--model", str(base), "--suite", str(suite), "--policy", str(policy)]
    words += ["--limit", "3", "--out", str(folder / out), "--exit-zero", "--device", "cpu"]
    return call(*words, *more)


def _asked(run: Path) -> set[tuple[Any, ...]]:
    """Return prompt, sample and text sent of every generation."""
    import pyarrow.parquet

    columns = ["prompt_id", "sample_index", "sent"]
    rows = pyarrow.parquet.read_table(run / "generations.parquet", columns=columns).to_pylist()
    return {tuple(row[name] for name in columns) for row in rows}


def test_base_and_tuned_runs_pair_prompt_by_prompt(
    tmp_path: Path, base: Path, adapter: Path
) -> None:
    plain = _run(tmp_path, base, "plain")
    assert plain.exit_code == 0, plain.output
    tuned = _run(tmp_path, base, "tuned", "--adapter", str(adapter))
    assert tuned.exit_code == 0, tuned.output
    found = {
        name: json.loads((tmp_path / name / "results.json").read_text("utf-8"))
        for name in ("plain", "tuned")
    }
    for results in found.values():
        jsonschema.Draft202012Validator(results_schema()).validate(results)
    assert found["plain"]["model"]["adapter"] is None
    facts = found["tuned"]["model"]
    assert facts["adapter"]["base"] == "tiny-base"
    assert facts["adapter"]["applied"] == "merged into the weights"
    assert facts["name"] == "tiny-base+my-lora"
    assert facts["digest"] != found["plain"]["model"]["digest"]
    asked = [_asked(tmp_path / name) for name in ("plain", "tuned")]
    assert asked[0] == asked[1] != set()
    notes = {note["name"]: note["text"] for note in found["tuned"]["notes"]}
    assert notes["adapter"] == "my-lora (LORA), merged into the weights"
    assert "Lineage: tiny-base, with the adapter my-lora (LORA)" in str(found["tuned"]["notes"])
    report = (tmp_path / "tuned" / "report.html").read_text("utf-8")
    assert "Lineage: tiny-base, with the adapter my-lora (LORA)" in report
    assert "adapter: settings" in report


def test_formats_and_leave_reach_the_report(tmp_path: Path, base: Path) -> None:
    result = _run(tmp_path, base, "run", "--prompt-format", "vicuna", "--allow-pickle")
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert results["model"]["chat_format"] == "Vicuna (v1.1)"
    assert all("USER: " in one["sent"] for one in results["examples"])
    assert "Pickle files were allowed" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_plan_counts_in_the_format_that_is_asked_for(base: Path) -> None:
    read = {}
    for name in ("plain", "chat", "vicuna"):
        result = call("plan", "--model", base, "--limit", "3", "--prompt-format", name, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["tokens_from"] == "tokenizer"
        sets = {one["probe_set"]: one["read_tokens"] for one in found["sets"]}
        read[name] = sets["harmful-requests"]
    assert read["plain"] < read["chat"] < read["vicuna"]


def test_a_plan_of_a_model_that_does_not_fit_says_what_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llmaudit.models.memory.free_memory", lambda *_, **__: 16 * 2**30)
    result = call("plan", "--model", "falcon-7b", "--limit", "3", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "DOES NOT FIT" in result.stdout
    assert "What fits: --dtype bfloat16 (needs 1" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--quantize", "4bit"), "works on CUDA devices only"),
        (("--quantize", "4bits"), "did you mean '4bit'"),
        (("--prompt-format", "vicunia"), "did you mean 'vicuna'"),
        (("--adapter", "./nothing"), "unknown adapter './nothing'"),
    ],
)
def test_wrong_options(tmp_path: Path, base: Path, words: tuple[str, ...], said: str) -> None:
    result = _run(tmp_path, base, "run", *words)
    assert result.exit_code == 2
    assert said in result.stderr
