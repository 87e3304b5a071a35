"""A pinned revision is what is fetched; another one that is here already is used, and told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_checkpoints import write_hub_cache

from llmaudit.errors import UnavailableError
from llmaudit.models.adapters import find_adapter, lineage_notes
from llmaudit.models.hub import local_snapshots, pinned_revision, revision_note
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.local import find_local
from llmaudit.models.registry import load_registry
from llmaudit.models.sources import cached_hub_folder, find_source
from llmaudit.models.weights import Trust
from llmaudit.records import AdapterFacts

GPT2, GUANACO, FALCON = "openai-community/gpt2", "timdettmers/guanaco-33b", "tiiuae/falcon-7b"
PINNED = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
OTHER, THIRD = "b" * 40, "c" * 40


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty hub cache, and a hub address where nobody listens."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "hub"


def write_snapshot(hub: Path, revision: str, *, main: bool, hub_id: str = GPT2) -> Path:
    """Write a snapshot of this revision, after which ``main`` points at it or at nothing."""
    repository = hub / f"models--{hub_id.replace('/', '--')}"
    before = repository.rename(hub / "before") if repository.exists() else None
    snapshot = write_hub_cache(hub, hub_id, "gpt2")
    snapshot = snapshot.rename(snapshot.with_name(revision))
    if main:
        (repository / "refs" / "main").write_text(revision, "utf-8")
    else:
        (repository / "refs" / "main").unlink()
    if before is not None:
        for old in (before / "snapshots").iterdir():
            old.rename(repository / "snapshots" / old.name)
        if not main and (before / "refs" / "main").is_file():
            (before / "refs" / "main").rename(repository / "refs" / "main")
    return snapshot


def test_only_what_the_registry_pins_is_pinned() -> None:
    assert pinned_revision(GPT2) == pinned_revision("OpenAI-Community/GPT2") == PINNED
    assert pinned_revision(FALCON) is None
    assert pinned_revision("some/model") is None
    pinned = {entry.name for entry in load_registry().models if entry.revision}
    assert pinned == {"llama-7b", "guanaco-33b", "gpt2", "bert-base-uncased", "roberta-base"}


@pytest.mark.parametrize(
    ("hub_id", "revision"), [(GPT2, PINNED), (FALCON, None), ("some/model", None)]
)
def test_a_download_fetches_the_pinned_revision(
    hub: Path, monkeypatch: pytest.MonkeyPatch, hub_id: str, revision: str | None
) -> None:
    """The folder that it leaves, which ``main`` does not point at, is found again."""
    asked: list[Any] = []

    def look_up(_api: Any, name: str, **given: Any) -> Any:
        asked.append((name, given["revision"]))
        return SimpleNamespace(siblings=[])

    def download(name: str, **given: Any) -> str:
        if given["local_files_only"]:
            raise FileNotFoundError
        asked.append((name, given["revision"]))
        return str(write_snapshot(hub, given["revision"] or OTHER, main=False, hub_id=name))

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.HfApi.model_info", look_up)
        patch.setattr("huggingface_hub.snapshot_download", download)
        source = find_source(hub_id)
    assert asked == [(hub_id, revision), (hub_id, revision)]
    assert (source.revision, source.notes) == (revision or OTHER, ())
    assert cached_hub_folder(hub_id) == (source.folder if revision else None)


def test_another_revision_that_is_here_is_used_and_told(hub: Path) -> None:
    snapshot = write_snapshot(hub, OTHER, main=True)
    assert find_local("gpt2").folder == snapshot
    facts = load_model("gpt2", LoadOptions("cpu")).facts
    assert facts.revision == OTHER
    (note,) = [one for one in facts.notes if "revision" in one]
    assert note.startswith(f"The weights are revision {OTHER} of {GPT2}, which was on this machine")
    assert f"read at revision {PINNED}, which a download would fetch" in note


def test_the_pinned_revision_comes_before_the_newest(hub: Path) -> None:
    pinned = write_snapshot(hub, PINNED, main=False)
    other = write_snapshot(hub, OTHER, main=True)
    assert list(local_snapshots(GPT2)) == [pinned, other]
    source = find_source("gpt2")
    assert (source.folder, source.revision, source.notes) == (pinned, PINNED, ())
    (pinned / "model.safetensors").unlink()
    assert (find_source("gpt2").folder, find_source("gpt2").revision) == (other, OTHER)


def test_of_other_revisions_the_newest_is_used(hub: Path) -> None:
    old = write_snapshot(hub, OTHER, main=False)
    new = write_snapshot(hub, THIRD, main=False)
    os.utime(old, (1, 1))
    assert list(local_snapshots(GPT2)) == [new, old]
    os.utime(new, (0, 0))
    assert cached_hub_folder(GPT2) == old


def test_without_a_pin_only_the_newest_revision_counts(hub: Path) -> None:
    write_snapshot(hub, OTHER, main=False, hub_id=FALCON)
    assert list(local_snapshots(FALCON)) == []
    newest = write_snapshot(hub, THIRD, main=True, hub_id=FALCON)
    assert list(local_snapshots(FALCON)) == [newest]


def test_what_to_do_without_a_hub_names_the_revision() -> None:
    with pytest.raises(UnavailableError, match=f"`hf download {GPT2} --revision {PINNED}`"):
        find_source("gpt2")


def test_an_adapter_of_another_revision_is_used_and_told(hub: Path) -> None:
    folder = hub / f"models--{GUANACO.replace('/', '--')}" / "snapshots" / OTHER
    folder.mkdir(parents=True)
    settings = {"peft_type": "LORA", "base_model_name_or_path": "huggyllama/llama-30b"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    (folder / "adapter_model.bin").write_bytes(b"weights")
    found = find_adapter("guanaco-33b", trust=Trust(pickle=True))
    assert (found.folder, found.revision) == (folder, OTHER)
    facts = AdapterFacts(
        *("guanaco-33b", GUANACO, found.revision, "LORA", "huggyllama/llama-30b"),
        *("huggyllama/llama-30b", "merged into the weights", (), {}),
    )
    notes = lineage_notes(facts)
    assert len(notes) == 2
    assert notes[1] == revision_note(GUANACO, OTHER) != ""


@pytest.mark.parametrize("revision", [PINNED, "unknown"])
def test_nothing_is_told_of_the_pinned_revision_or_of_a_folder(revision: str) -> None:
    assert revision_note("gpt2", revision) == ""
    assert revision_note(FALCON, OTHER) == ""
