"""Adapters that are refused, each with its reason, and none of whose settings is followed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_adapters import (
    CONFIGS,
    load_tuned,
    save_adapter,
    train_adapter,
)
from tiny_checkpoints import (
    choice_requests,
    edit_json,
    load_tiny,
    write_checkpoint,
)

from llmaudit.errors import ModelError, UnavailableError, UnknownNameError

TEXT = "The nurse said that the doctor"


pytestmark = pytest.mark.usefixtures("empty_hub")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-base")


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return save_adapter(train_adapter(base, CONFIGS["LORA"]()), tmp_path / "my-lora")


def test_names_that_stand_for_no_adapter(base: Path) -> None:
    for name in ("./nothing", "a/b/c", "guanaco"):
        with pytest.raises(UnknownNameError, match="unknown adapter"):
            load_tuned(base, name)
    with pytest.raises(UnavailableError, match="some/adapter is not on this machine"):
        load_tuned(base, "some/adapter")


def test_a_folder_of_an_adapter_is_no_model(base: Path, adapter: Path) -> None:
    """Transformers would load the base that the adapter names, and the adapter, unhashed."""
    with pytest.raises(ModelError, match="holds an adapter, not a model"):
        load_tiny(adapter)
    shutil.copy(adapter / "adapter_config.json", base)
    with pytest.raises(ModelError, match=r"a model and an adapter .* side by side"):
        load_tiny(base)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "puts learned vectors before every prompt"),
        ({"peft_type": "OWN_METHOD"}, "'OWN_METHOD', which is not known"),
        ({"peft_type": None}, "'None', which is not known"),
        ({"peft_type": ["LORA"]}, "which is not known"),
        (
            {"auto_mapping": {"base_model_class": "Own", "parent_library": "marked_module"}},
            r"names a network class in 'marked_module'.*never imported",
        ),
        ({"auto_mapping": ["x"]}, "never imported"),
        (
            {"megatron_config": {"a": 1}, "megatron_core": "marked_module"},
            "sets 'megatron_config', which this version cannot honour",
        ),
        ({"layer_replication": [[0, 2], [0, 2]]}, "cannot honour"),
        ({"alora_invocation_tokens": [1]}, "cannot honour"),
        ({"a_setting_of_tomorrow": 3}, "sets 'a_setting_of_tomorrow'"),
        ({"init_lora_weights": "pissa"}, "changes the base weights too"),
        ({"target_modules": ["no_such_projection"]}, "cannot be put onto this model"),
        ({"target_modules": "("}, "cannot be put onto this model"),
        ({"target_modules": ["q_proj"]}, "has no place for"),
        ({"target_modules": ["q_proj", "v_proj", "o_proj"]}, "lacks 4 of its weights"),
        ({"r": 10**9}, "cannot be put onto this model"),
        ({"r": -1}, "cannot be put onto this model"),
        ({"r": "eight"}, "cannot be put onto this model"),
    ],
)
def test_settings_of_an_adapter_are_hostile_until_shown_otherwise(
    base: Path,
    adapter: Path,
    changes: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = adapter.parent / "mark"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
    (adapter.parent / "marked_module.py").write_text(code)
    monkeypatch.syspath_prepend(adapter.parent)
    stored = json.loads((adapter / "adapter_config.json").read_text("utf-8")) | changes
    (adapter / "adapter_config.json").write_text(json.dumps(stored))
    with pytest.raises(ModelError, match=said):
        load_tuned(base, adapter)
    assert not mark.exists()


def test_an_adapters_own_paths_are_never_opened(base: Path, adapter: Path) -> None:
    """Wherever its settings point, nothing but the folder that was named is read."""
    edit_json(
        adapter / "adapter_config.json",
        base_model_name_or_path=str(adapter.parent / "elsewhere"),
        corda_config={"cache_file": "/etc/hostname", "covariance_file": "/etc/hostname"},
        revision="/etc/hostname",
    )
    facts = load_tuned(base, adapter).facts
    assert "hostname" not in str(facts)
    assert str(adapter.parent) not in str(facts)


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{", "[" * 100_000])
def test_broken_settings_are_refused(base: Path, adapter: Path, text: str) -> None:
    (adapter / "adapter_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"adapter_config\.json cannot be read"):
        load_tuned(base, adapter)


def test_pickled_adapters_are_refused_and_then_read_as_tensors_only(
    base: Path, adapter: Path
) -> None:
    from safetensors.torch import load_file

    state = load_file(adapter / "adapter_model.safetensors")
    requests = choice_requests(TEXT, ["was late."])
    (expected,) = load_tuned(base, adapter).likelihood(requests)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="the adapter has no weights"):
        load_tuned(base, adapter)
    torch.save(state, adapter / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"Pickle files can run code .* --allow-pickle"):
        load_tuned(base, adapter)
    model = load_tuned(base, adapter, allow_pickle=True)
    (found,) = model.likelihood(requests)
    assert found.logprob == expected.logprob
    assert any("--allow-pickle" in note for note in model.facts.notes)
    mark = adapter.parent / "mark"
    (adapter / "adapter_model.bin").write_bytes(f"cos\nsystem\n(S'touch {mark}'\ntR.".encode())
    with pytest.raises(ModelError, match="holds more than tensors"):
        load_tuned(base, adapter, allow_pickle=True)
    assert not mark.exists()


def test_an_adapter_with_broken_numbers_is_refused(base: Path, adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    state = load_file(file)
    next(iter(state.values()))[:] = float("nan")
    save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="cannot be put onto this model"):
        load_tuned(base, adapter)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be put onto this model"):
        load_tuned(base, adapter)


def test_an_adapter_for_another_size_is_refused(adapter: Path, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "wide", hidden_size=64, intermediate_size=64)
    with pytest.raises(ModelError, match="made for another one: it says 'somebody/tiny-base'"):
        load_tuned(other, adapter)
