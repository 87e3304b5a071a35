"""Which files are read, and that none of them runs code unless that was allowed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_checkpoints import (
    choice_requests,
    edit_json,
    load_tiny,
    sample_requests,
    write_checkpoint,
    write_hub_cache,
)

from llmaudit.errors import CapacityError, ModelError
from llmaudit.fetching import sha256_file
from llmaudit.models import hub
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.placement import choose_dtype
from llmaudit.models.sources import cached_hub_folder
from llmaudit.models.weights import NO_TRUST, Trust, count_parameters, find_weights, stored_dtype
from llmaudit.records import Decoding

PICKLE = Trust(pickle=True)
CODE = Trust(remote_code=True)


@pytest.fixture(autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("LLMAUDIT_CACHE", str(folder / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(folder / "code"))
    monkeypatch.syspath_prepend(folder / "code")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny")


def _pickle(folder: Path) -> Path:
    """Turn the weights of a folder into a pickle file."""
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder / "pytorch_model.bin"


def _payload(mark: Path) -> bytes:
    """Return a pickle that leaves a mark when it is read as such."""
    return f"cos\nsystem\n(S'touch {mark}'\ntR.".encode()


def test_the_payload_works_where_pickles_are_read(tmp_path: Path) -> None:
    """Else the tests below could not fail."""
    import pickle

    pickle.loads(_payload(tmp_path / "mark"))  # noqa: S301 - the payload is ours
    assert (tmp_path / "mark").exists()


def test_pickled_weights_need_leave(folder: Path) -> None:
    expected = list(load_tiny(folder).likelihood(choice_requests("The", ["nurse said"])))
    parameters = count_parameters(folder)
    file = _pickle(folder)
    with pytest.raises(ModelError, match=r"not loaded: convert them .* --allow-pickle"):
        load_tiny(folder)
    assert find_weights(folder).files == ()
    model = load_model(str(folder), LoadOptions("cpu", allow_pickle=True))
    assert list(model.likelihood(choice_requests("The", ["nurse said"]))) == expected
    facts = model.facts
    assert facts.parameters == parameters
    assert facts.weight_format == "pickle"
    assert facts.weights[0].name == "pytorch_model.bin"
    assert facts.weights[0].sha256 == sha256_file(file)
    assert facts.notes == (
        "Pickle files were allowed (--allow-pickle); the weights were read from pickle files.",
    )


def test_safetensors_go_before_pickles(folder: Path) -> None:
    plain = load_tiny(folder).facts
    mark = folder.parent / "mark"
    (folder / "pytorch_model.bin").write_bytes(_payload(mark))
    facts = load_model(str(folder), LoadOptions("cpu", allow_pickle=True)).facts
    assert facts.weight_format == "safetensors"
    assert facts.notes[0].endswith("the weights needed no pickle file.")
    assert facts.digest != plain.digest
    assert not mark.exists()


@pytest.mark.parametrize("allowed", [False, True])
def test_a_hostile_pickle_is_never_run(folder: Path, allowed: bool) -> None:
    mark = folder.parent / "mark"
    _pickle(folder).write_bytes(_payload(mark))
    with pytest.raises(ModelError):
        load_model(str(folder), LoadOptions("cpu", allow_pickle=allowed))
    assert not mark.exists()


def test_a_hostile_pickle_in_a_torch_file_is_never_run(folder: Path) -> None:
    """The file has the form that torch writes, and a reduction that calls a function."""
    mark = folder.parent / "mark"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (mark,))

    file = _pickle(folder)
    torch.save({"model.norm.weight": Hostile()}, file)
    with pytest.raises(ModelError, match="holds more than tensors, or is damaged"):
        load_model(str(folder), LoadOptions("cpu", allow_pickle=True))
    assert not mark.exists()


def test_sharded_pickles(folder: Path) -> None:
    expected = count_parameters(folder)
    state = torch.load(_pickle(folder), weights_only=True)
    names = sorted(state)
    parts = {"pytorch_model-1.bin": names[:10], "pytorch_model-2.bin": names[10:]}
    for file, keys in parts.items():
        torch.save({key: state[key] for key in keys}, folder / file)
    (folder / "pytorch_model.bin").unlink()
    index = folder / "pytorch_model.bin.index.json"
    listed = {key: file for file, keys in parts.items() for key in keys}
    index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    model = load_model(str(folder), LoadOptions("cpu", allow_pickle=True))
    assert model.facts.parameters == expected
    assert [file.name for file in model.facts.weights] == sorted(parts)
    listed[names[0]] = "../tiny/pytorch_model-1.bin"
    index.write_text(json.dumps({"weight_map": listed}))
    with pytest.raises(ModelError, match=r"'\.\./tiny/pytorch_model-1\.bin', which is not in"):
        find_weights(folder, PICKLE)


def test_no_weights_at_all(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no model\.safetensors, no pytorch_model\.bin"):
        load_model(str(folder), LoadOptions("cpu", allow_pickle=True))


OWN_CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path({mark!r}).touch()


class OwnConfig(LlamaConfig):
    model_type = "own"


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


def _add_code(folder: Path) -> Path:
    """Give a model code of its own, which leaves a mark when it runs; return the mark."""
    mark = folder.parent / "mark"
    (folder / "own_code.py").write_text(OWN_CODE.format(mark=str(mark)))
    edit_json(
        folder / "config.json",
        model_type="own",
        architectures=["OwnForCausalLM"],
        auto_map={
            "AutoConfig": "own_code.OwnConfig",
            "AutoModelForCausalLM": "own_code.OwnForCausalLM",
        },
    )
    return mark


def test_code_of_a_model_needs_leave(folder: Path) -> None:
    expected = [one.text for one in load_tiny(folder).generate(_samples())]
    mark = _add_code(folder)
    with pytest.raises(ModelError, match=r"needs code of its own .* --trust-remote-code"):
        load_tiny(folder)
    with pytest.raises(ModelError, match="needs code of its own"):
        load_model(str(folder), LoadOptions("cpu", allow_pickle=True))
    assert not mark.exists()
    model = load_model(str(folder), LoadOptions("cpu", trust_remote_code=True))
    assert mark.exists()
    assert [one.text for one in model.generate(_samples())] == expected
    facts = model.facts
    assert facts.architecture == "OwnForCausalLM"
    assert facts.notes[0].startswith("Code that comes with the model was allowed to run")
    code = folder / "own_code.py"
    code.write_text(code.read_text() + "\n# Another version.\n")
    again = load_model(str(folder), LoadOptions("cpu", trust_remote_code=True)).facts
    assert again.digest != facts.digest


def _samples() -> list[Any]:
    return sample_requests(["The nurse"], Decoding(6, 1.0), samples=2)


def test_leave_that_was_not_needed_is_recorded(folder: Path) -> None:
    plain = load_tiny(folder).facts
    facts = load_model(str(folder), LoadOptions("cpu", trust_remote_code=True)).facts
    assert facts.digest != plain.digest
    assert "--trust-remote-code" in facts.notes[0]
    assert plain.notes == ()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_another_repository_is_never_run(folder: Path, file: str) -> None:
    edit_json(folder / file, auto_map={"AutoModelForCausalLM": "other/place--code.OwnForCausalLM"})
    with pytest.raises(ModelError, match=f"{file} takes code from another repository"):
        load_model(str(folder), LoadOptions("cpu", trust_remote_code=True))


def test_code_for_no_language_model_is_refused(folder: Path) -> None:
    mark = _add_code(folder)
    edit_json(folder / "config.json", auto_map={"AutoModel": "own_code.OwnForCausalLM"})
    with pytest.raises(ModelError, match="comes with code for no language model"):
        load_model(str(folder), LoadOptions("cpu", trust_remote_code=True))
    assert not mark.exists()


def test_what_is_fetched_follows_from_what_is_allowed() -> None:
    both = {"model.safetensors": 1, "pytorch_model.bin": 1}
    assert hub.fetched_patterns(both, NO_TRUST) == hub.fetched_patterns(both, PICKLE)
    assert not any(name.endswith(".bin") for name in hub.fetched_patterns(both, PICKLE))
    pickled = hub.fetched_patterns({"pytorch_model.bin": 1}, PICKLE)
    assert "pytorch_model*.bin" in pickled
    assert "*.bin" not in "".join(hub.fetched_patterns({"pytorch_model.bin": 1}, NO_TRUST))
    assert "*.py" in hub.fetched_patterns(both, CODE)
    assert "*.py" not in pickled


def test_a_download_that_the_disk_cannot_hold_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"model.safetensors": 6 * 2**30, "original/model.safetensors": 50 * 2**30, "a.py": 1}
    info = SimpleNamespace(
        siblings=[SimpleNamespace(rfilename=name, size=size) for name, size in sizes.items()]
    )
    asked: list[Any] = []
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: info)

    def download(_hub_id: str, **given: Any) -> str:
        asked.append(given)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    free = SimpleNamespace(free=5 * 2**30)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(CapacityError, match=r"needs 6\.0 GiB of disk, and 5\.0 GiB are free"):
        hub.download_snapshot("some/model", CODE)
    assert asked == []
    free.free = 7 * 2**30
    assert hub.download_snapshot("some/model", CODE) == tmp_path
    assert "*.py" in asked[0]["allow_patterns"]


def test_a_snapshot_is_whole_with_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    snapshot = write_hub_cache(cache, "some/model", "llama")
    assert cached_hub_folder("some/model") == snapshot
    assert cached_hub_folder("some/model", CODE) == snapshot
    edit_json(snapshot / "config.json", auto_map={"AutoConfig": "code.Own"})
    assert cached_hub_folder("some/model", CODE) is None
    (snapshot / "code.py").write_text("")
    assert cached_hub_folder("some/model", CODE) == snapshot
    weights = shutil.copy(snapshot / "model.safetensors", tmp_path)
    (snapshot / "model.safetensors").unlink()
    shutil.copy(weights, snapshot / "pytorch_model.bin")
    assert cached_hub_folder("some/model") is None
    assert cached_hub_folder("some/model", PICKLE) == snapshot


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
        ("float16", "float16"),
        ("int8", "quantised"),
    ],
)
def test_the_stored_format_is_that_of_most_weights(
    kept: str, expected: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {
        "large": torch.ones(8, 8).to(getattr(torch, kept)),
        "small": torch.ones(3, dtype=torch.float64),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    assert stored_dtype(tmp_path) == expected


@pytest.mark.parametrize(
    ("stored", "able", "expected"),
    [
        ("float32", True, "float32"),
        (None, True, "float32"),
        ("bfloat16", True, "bfloat16"),
        ("float16", True, "bfloat16"),
        ("quantised", True, "bfloat16"),
        ("bfloat16", False, "float32"),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_it_can_and_nothing_is_lost(
    stored: str | None, able: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_dtype("auto", "cpu", stored) == expected
    assert choose_dtype("float16", "cpu", stored) == "float16"
