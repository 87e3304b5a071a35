"""Loading with ``--engine vllm``: what is refused, how vLLM is made, and what the facts say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import fake_vllm
import pytest
from tiny_checkpoints import (
    CHAT_TEMPLATE,
    CONTEXT,
    by_id,
    load_tiny,
    sample_requests,
    write_checkpoint,
)

from llmaudit.errors import CapacityError, ModelError, UnknownNameError, UsageError
from llmaudit.models.fitting import choose_placement
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.memory import ModelSize, advise, check_capacity, estimate_memory
from llmaudit.models.placement import Placement
from llmaudit.models.sources import find_source
from llmaudit.models.vllm import VLLMModel
from llmaudit.models.vllm_loading import load_vllm
from llmaudit.records import Decoding

GIB = 2**30
GREEDY = Decoding(max_new_tokens=10, temperature=0.0)


pytestmark = pytest.mark.usefixtures("kept_environment")


def test_without_vllm_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, vllm_folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match=r"pip install 'openllmaudit\[vllm\]'"):
        fake_vllm.load(vllm_folder)


def test_it_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match="not installed"):
        load_model("falcon-180b", LoadOptions(engine="vllm"))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("x", {"engine": "vlm"}, "did you mean 'vllm'"),
        ("x", {"engine": "transformers", "tensor_parallel": 2}, "needs --engine vllm"),
        ("scripted:answers.yaml", {}, "scripted: names another kind of model"),
        ("x", {"adapter": "some/adapter"}, "--adapter does not go with --engine vllm"),
        ("x", {"quantize": "8bit"}, "--quantize does not go"),
        ("x", {"trust_remote_code": True}, "--trust-remote-code does not go"),
        ("x", {"allow_pickle": True}, "--allow-pickle does not go"),
    ],
)
def test_what_makes_no_sense_is_refused(
    vllm_package: ModuleType, name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_model(name, LoadOptions(**{"engine": "vllm", **options}))
    assert not isinstance(caught.value, UnknownNameError) or "engine" in str(caught.value)


def test_only_causal_models_go_to_vllm(
    vllm_package: ModuleType, vllm_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=400, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(vllm_folder).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"a masked language model, does not go with"):
        fake_vllm.load(tmp_path)


def test_facts_name_the_engine(vllm_model: VLLMModel, vllm_folder: Path) -> None:
    plain = load_tiny(vllm_folder)
    facts = vllm_model.facts
    assert facts.digest != plain.facts.digest
    assert facts.digest == fake_vllm.load(vllm_folder).facts.digest
    assert facts.digest != fake_vllm.load(vllm_folder, tensor_parallel=2).facts.digest
    assert facts.digest != fake_vllm.load(vllm_folder, dtype="bfloat16").facts.digest
    assert facts.weights == plain.facts.weights
    assert (facts.architecture, facts.kind) == ("LlamaForCausalLM", "causal")
    assert (facts.device, facts.dtype) == ("cpu", "float32")
    assert facts.chat_template == CHAT_TEMPLATE
    assert facts.likelihood_definition.startswith(plain.facts.likelihood_definition)
    assert "Computed by vLLM 0.0 as its FakeForCausalLM, tensor parallel 1." in facts.notes[-2]


def test_batch_invariance_is_part_of_the_identity(
    vllm_model: VLLMModel,
    vllm_package: ModuleType,
    vllm_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vllm_package.envs, "VLLM_BATCH_INVARIANT", True)
    facts = fake_vllm.load(vllm_folder).facts
    assert facts.digest != vllm_model.facts.digest
    assert not any("resumed or repeated" in note for note in facts.notes)


def test_the_engine_is_made_safe_and_quiet(
    vllm_package: ModuleType, vllm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    class Kept(vllm_package.LLM):  # type: ignore[name-defined, misc]
        def __init__(self, **settings: Any) -> None:
            made.append(settings)
            super().__init__(**settings)

    monkeypatch.setattr(vllm_package, "LLM", Kept)
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    fake_vllm.load(vllm_folder, tensor_parallel=2, batch_tokens=128)
    (settings,) = made
    assert settings["model"] == str(vllm_folder)
    assert settings["tensor_parallel_size"] == 2
    assert (settings["max_num_batched_tokens"], settings["max_num_seqs"]) == (128, 128)
    assert settings["enable_prefix_caching"]
    assert (settings["trust_remote_code"], settings["load_format"]) == (False, "safetensors")
    assert 0 < settings["kv_cache_memory_bytes"] <= 4 * 2**30
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG"
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    fake_vllm.load(vllm_folder)
    assert "kv_cache_memory_bytes" not in made[1]


def test_less_context_than_the_model_has_is_told(
    vllm_package: ModuleType, vllm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_package.LLM, "longest", 64)
    facts = fake_vllm.load(vllm_folder).facts
    assert facts.context_length == 64
    assert facts.notes[-1] == f"The memory here held 64 of the model's {CONTEXT} tokens of context."


def test_a_model_that_is_an_adapter_is_refused(vllm_package: ModuleType, vllm_folder: Path) -> None:
    adapter: Any = object()
    with pytest.raises(UsageError, match="an adapter does not go with --engine vllm"):
        load_vllm(find_source(str(vllm_folder)), adapter, LoadOptions(engine="vllm"))


def test_a_folder_that_transformers_does_not_understand(
    vllm_package: ModuleType, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "generation_config.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match=r"could not be loaded"):
        fake_vllm.load(folder)


def test_a_folder_without_its_own_stop_tokens(vllm_package: ModuleType, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "generation_config.json").unlink()
    plain, model = load_tiny(folder), fake_vllm.load(folder)
    requests = sample_requests(["The nurse", "My"], GREEDY)
    assert by_id(model.generate(requests)) == by_id(plain.generate(requests))


def test_gpus_that_share_layers_count_by_the_fullest(
    vllm_package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which devices are counted; that vLLM then divides the layers was not run here."""
    free = [80 * GIB, 60 * GIB, 80 * GIB, 80 * GIB]
    monkeypatch.setattr(sys.modules["vllm.platforms"].current_platform, "device_type", "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(free))

    def info(device: str) -> tuple[int, int]:
        return free[int(device.partition(":")[2] or 0)], 80 * GIB

    monkeypatch.setattr("torch.cuda.mem_get_info", info)
    options = LoadOptions(engine="vllm", tensor_parallel=2)
    size = ModelSize("big", 70 * 10**9)
    place = choose_placement(options, None, size)
    assert place == Placement("cuda", "bfloat16", engine="vllm", gpus=2)
    assert str(place) == "bfloat16 on cuda, divided by 2"
    memory = estimate_memory(size, place, 8192)
    assert (memory.weights, memory.free) == (140 * 10**9, 120 * GIB)
    with pytest.raises(CapacityError) as caught:
        check_capacity(size, place, 8192)
    assert "What fits: --tensor-parallel 4 (needs 130.39 GiB of 240.00 GiB)" in str(caught.value)
    assert "--quantize" not in str(caught.value)
    assert "--device" not in str(caught.value)
    whole = choose_placement(LoadOptions(engine="vllm", dtype="float32"), None, size)
    assert "--dtype bfloat16 --tensor" not in advise(size, whole, 8192)
    assert "--dtype bfloat16 (needs 14" in advise(ModelSize("m", 8 * 10**9), whole, 8192)
    with pytest.raises(UsageError, match="needs 8 GPUs, and this machine has 4"):
        choose_placement(LoadOptions(engine="vllm", tensor_parallel=8), None, size)


def test_a_model_too_large_for_the_gpus_is_refused_before_it_is_fetched(
    vllm_package: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(sys.modules["vllm.platforms"].current_platform, "device_type", "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (24 * GIB, 24 * GIB))
    told: list[str] = []
    with pytest.raises(CapacityError, match=r"48\.00 GiB are free"):
        load_model("falcon-40b", LoadOptions(engine="vllm", tensor_parallel=2),
                   progress=told.append)  # fmt: skip
    assert told == []


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_device_that_this_vllm_has_not_is_refused(
    vllm_package: ModuleType, vllm_folder: Path, device: str
) -> None:
    with pytest.raises(UsageError, match=f"{device}.* computes on 'cpu'") as caught:
        fake_vllm.load(vllm_folder, device=device)
    assert ("CUDA_VISIBLE_DEVICES" in str(caught.value)) == (device == "cuda:1")


def test_a_model_that_vllm_cannot_load(
    vllm_package: ModuleType, vllm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_package.LLM, "failure", ValueError("No such architecture\nmore"))
    with pytest.raises(ModelError, match=r"vLLM could not load .*: No such architecture$"):
        fake_vllm.load(vllm_folder)
    monkeypatch.setattr(vllm_package.LLM, "failure", ValueError("Free memory on device is less"))
    with pytest.raises(CapacityError, match="--tensor-parallel"):
        fake_vllm.load(vllm_folder)
