"""A name becomes a folder of weights, from the hub's cache, a path, or not at all with a reason."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_checkpoints import write_checkpoint, write_hub_cache

from llmaudit.errors import ModelError, UnavailableError, UnknownNameError
from llmaudit.fetching import sha256_file
from llmaudit.models.sources import cached_hub_folder, find_source
from llmaudit.models.weights import find_weights


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty hub cache, and a hub address where nobody listens."""
    import huggingface_hub.constants

    cache = tmp_path / "hub"
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    _point_at(monkeypatch, "http://127.0.0.1:9")
    return cache


def _point_at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    import huggingface_hub.constants
    import huggingface_hub.hf_api

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Open a port that takes connections and never answers, and wait for it briefly."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        _point_at(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr("llmaudit.models.hub._HUB_TIMEOUT_SECONDS", 0.2)
        yield


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'falcon-7b'") as caught:
        find_source("falcon-7")
    assert caught.value.nearest == "falcon-7b"
    assert "a hub id (organisation/model)" in str(caught.value)


@pytest.mark.parametrize("name", ["./nothing/here", "~/model", "a/b/c", "/no/such/folder", "a/"])
def test_a_path_that_is_not_there_is_no_hub_id(name: str) -> None:
    with pytest.raises(UnknownNameError):
        find_source(name)


@pytest.mark.parametrize("name", ["falcon-7b", "tiiuae/falcon-7b", "somebody/some-model"])
def test_a_model_that_is_nowhere_says_what_to_do(name: str) -> None:
    hub_id = name if "/" in name else f"tiiuae/{name}"
    told: list[str] = []
    with pytest.raises(UnavailableError) as caught:
        find_source(name, progress=told.append)
    message = str(caught.value)
    assert message.startswith(f"{hub_id} is not on this machine and cannot be fetched")
    assert f"hf download {hub_id}" in message
    assert "HF_HOME" in message
    assert "ConnectError" in message
    assert told == [f"looking for {hub_id} on the model hub"]


@pytest.mark.usefixtures("silent_hub")
def test_a_hub_that_never_answers_is_given_up() -> None:
    with pytest.raises(UnavailableError, match="Timeout"):
        find_source("falcon-7b")


def test_a_registry_name_is_found_in_the_hub_cache(hub: Path) -> None:
    snapshot = write_hub_cache(hub, "tiiuae/falcon-7b", "falcon-rotary")
    for name in ("falcon-7b", "Falcon-7B", "tiiuae/falcon-7b"):
        source = find_source(name)
        assert source.folder.resolve() == snapshot.resolve()
        assert (source.name, source.origin) == ("falcon-7b", "tiiuae/falcon-7b")
        assert source.revision == snapshot.name
        assert source.entry is not None
        assert source.entry.family == "Falcon"
        (weight,) = source.weights
        assert weight.name == "model.safetensors"
        assert weight.sha256 == sha256_file(snapshot / "model.safetensors")
        assert weight.size == (snapshot / "model.safetensors").stat().st_size


def test_a_hub_id_outside_the_registry_is_found_in_the_hub_cache(hub: Path) -> None:
    write_hub_cache(hub, "Somebody/Some-Model", "llama")
    source = find_source("Somebody/Some-Model")
    assert (source.name, source.origin, source.entry) == ("some-model", "Somebody/Some-Model", None)


def test_the_hubs_own_weights_come_before_the_wheel(hub: Path) -> None:
    write_hub_cache(hub, "HuggingFaceTB/SmolLM2-135M-Instruct", "llama")
    assert find_source("smollm2-135m").weight_format == "safetensors"


def test_a_snapshot_without_all_its_weights_is_not_here(hub: Path) -> None:
    snapshot = write_hub_cache(hub, "tiiuae/falcon-7b", "falcon-rotary")
    weights = snapshot / "model.safetensors"
    weights.rename(snapshot / "model-00001-of-00002.safetensors")
    listed = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = snapshot / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": listed}))
    assert cached_hub_folder("tiiuae/falcon-7b") is None
    shutil.copy(
        snapshot / "model-00001-of-00002.safetensors", snapshot / "model-00002-of-00002.safetensors"
    )
    assert cached_hub_folder("tiiuae/falcon-7b") == snapshot


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "falcon-7b")
    monkeypatch.chdir(tmp_path)
    source = find_source("falcon-7b")
    assert source.entry is None
    assert (source.name, source.origin, source.revision) == ("falcon-7b", "falcon-7b", "unknown")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        find_source(str(tmp_path / "empty"))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """A pickle that would leave a mark when it is read is not read."""
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "mark"
    command = f"cos\nsystem\n(S'touch {mark}'\ntR."
    (folder / "pytorch_model.bin").write_bytes(command.encode())
    with pytest.raises(ModelError, match=r"Weights in pickle files .* are not loaded"):
        find_source(str(folder))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot be read"),
        ('{"weight_map": 3}', "cannot be read"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "'gone.safetensors', which is not in"),
        ('{"weight_map": {"a": "../config.json"}}', "which is not in the folder"),
    ],
)
def test_a_wrong_index_of_weights_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelError, match=problem):
        find_weights(tmp_path)


def test_only_the_files_that_are_loaded_count_as_weights(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors", "consolidated.safetensors"):
        (tmp_path / name).touch()
    assert find_weights(tmp_path).files == ()
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "b.safetensors", "y": "a.safetensors"}}')
    expected = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert find_weights(tmp_path).files == expected
