"""``plan`` on the command line: every figure, and what is said where one is not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_cases import SUITE, call, model_text, write

from llmaudit.cli.plan import _print_cost
from llmaudit.costing import Cost, SetCost, Speed
from llmaudit.models.memory import Memory
from llmaudit.records import Task

GIB = 2**30
SETS = (
    SetCost("one", Task.GENERATE, 10, 2, 20, 0, 1_000, 2_000),
    SetCost("two", Task.CHOICES, 5, 1, 0, 10, 500, 0),
)


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin on a machine where nothing has been fetched."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def printed(cost: Cost, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is printed for a cost."""
    _print_cost(cost, "quick")
    return capsys.readouterr().out


def test_every_figure_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(GIB, GIB // 2, GIB // 4, 4 * GIB, GIB // 4)
    text = printed(
        Cost("m", SETS, 1_500, "weights", "tokenizer", "cpu", "float32", memory,
             Speed(5e10, 2e10), 754.0),
        capsys,
    )  # fmt: skip
    lines = [line.split() for line in text.splitlines()]
    assert ["one", "10", "2", "20", "0", "1,000", "2,000"] in lines
    assert ["two", "5", "1", "0", "10", "500", "0"] in lines
    assert ["all", "15", "20", "10", "1,500", "2,000"] in lines
    assert "parameters  1,500 (counted in the weights)" in text
    parts = "weights 1.00 GiB + cache 0.50 GiB + logits 0.25 GiB + activations 0.25 GiB"
    assert f"2.00 GiB needed ({parts}), 4.00 GiB free: fits" in text
    assert "time        about 13 min, roughly: 2 x parameters operations a token" in text
    assert "50 (reading) and 20 (writing) billion a second" in text


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (Memory(GIB, None, None, 2 * GIB), "unknown + activations unknown), 2.00 GiB free: the w"),
        (Memory(3 * GIB, None, None, GIB), "DOES NOT FIT"),
        (Memory(None, None, None, GIB), "needed unknown, 1.00 GiB free"),
    ],
)
def test_unknown_memory(memory: Memory, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    cost = Cost("m", SETS, None, "unknown", "characters", "cpu", "float32", memory, None, None)
    text = printed(cost, capsys)
    assert said in text
    assert "time        unknown" in text
    assert "parameters  unknown" in text
    assert "four characters count as a token" in text


def test_a_plan_downloads_nothing_and_says_so() -> None:
    result = call("plan", "--model", "falcon-7b", "--limit", "5", "--samples", "2", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["parameters_from"] == "registry"
    assert found["memory"]["needed"] == 4 * 7_000_000_000
    assert found["memory"]["fits"] in (True, False)
    sets = {one["probe_set"]: one for one in found["sets"]}
    assert sets["toxicity-openings"]["generations"] == 10
    assert sets["stereotype-pairs"]["likelihoods"] == 2 * sets["stereotype-pairs"]["prompts"]
    text = call("plan", "--model", "falcon-7b", "--limit", "5").stdout
    assert "as the registry says; the weights are not on this machine" in text


def test_a_scripted_model_has_no_size(tmp_path: Path) -> None:
    script = write(tmp_path, "model.yaml", model_text("Yes."))
    result = call("plan", "--model", f"scripted:{script}", "--limit", "3", "--temperature", "0")
    assert result.exit_code == 0
    assert "parameters  unknown" in result.stdout


def test_a_server_needs_no_memory_here() -> None:
    result = call("plan", "--model", "openai:some/model", "--limit", "3")
    assert result.exit_code == 0, result.output
    assert "openai:some/model · suite quick · computed by its server" in result.stdout
    assert "the server's tokenizer is not on this machine" in result.stdout
    assert "parameters  unknown: the server is not asked" in result.stdout
    assert "memory      none of this machine for the model: its server holds it" in result.stdout
    assert "time        unknown: it depends on the server" in result.stdout
    found = json.loads(call("plan", "--model", "openai:m", "--limit", "3", "--json").stdout)
    assert (found["on_server"], found["memory"]["needed"]) == (True, None)


def test_an_adapter_that_is_not_here_is_told() -> None:
    result = call("plan", "--model", "gpt2", "--adapter", "some/adapter", "--limit", "3")
    assert result.exit_code == 0, result.output
    assert "adapter     some/adapter: not on this machine" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "gpt2", "--tensor-parallel", "2"], "needs --engine vllm"),
        (["--model", "falcn-7b"], "did you mean 'falcon-7b'"),
        (["--model", "gpt2", "--suite", "qick"], "did you mean 'quick'"),
        (["--model", "gpt2", "--device", "cuda:x"], "unknown device"),
    ],
)
def test_wrong_options(options: list[str], said: str) -> None:
    result = call("plan", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_wrong_files(tmp_path: Path) -> None:
    suite = write(tmp_path, "tiny.yaml", SUITE.replace("[refusal,", "[refusl,"))
    result = call("plan", "--model", "gpt2", "--suite", suite)
    assert (result.exit_code, "tiny.yaml:11" in result.stderr) == (2, True)
