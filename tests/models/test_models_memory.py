"""What a model needs, what is free, and what is said where it does not fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_checkpoints import load_tiny, write_checkpoint

from llmaudit.errors import CapacityError, UnknownNameError, UsageError
from llmaudit.models import placement
from llmaudit.models.fitting import choose_placement
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.local import Geometry
from llmaudit.models.memory import (
    Memory,
    ModelSize,
    advise,
    check_capacity,
    container_rooms,
    describe_parts,
    estimate_memory,
    free_memory,
)
from llmaudit.models.placement import (
    Placement,
    check_quantize,
    choose_device,
    describe_devices,
    loading_options,
)
from llmaudit.models.registry import load_registry

GIB = 2**30
#: Llama-2-7B: 32 layers, 32 heads of 128 numbers, 32,000 tokens, hidden states of 4,096 numbers.
LLAMA = ModelSize("llama-2-7b", 6_738_415_616, Geometry(32, 32, 128, 32_000, 4_096))
CPU = Placement("cpu", "float32")


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin on a machine where nothing has been fetched."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def _set_free(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    memory = SimpleNamespace(available=int(size), total=int(2 * size))
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    monkeypatch.setattr("llmaudit.models.memory._MEMBERSHIP", Path("/nowhere"))


def _set_gpus(monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
    """Let torch report GPUs with so many bytes free each."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(free))
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(free))

    def info(device: str) -> tuple[int, int]:
        return free[int(device.partition(":")[2] or 0)], 2 * max(free)

    monkeypatch.setattr("torch.cuda.mem_get_info", info)


def test_every_part_is_counted() -> None:
    memory = estimate_memory(LLAMA, Placement("cpu", "bfloat16"), 8_192)
    assert memory.weights == 6_738_415_616 * 2
    # Keys and values of 32 layers, 32 heads of 128 numbers, 2 bytes each: half a MiB a token.
    assert memory.cache == 8_192 * 2**19
    assert memory.logits == 2**27 // 32_000 * 32_000 * 4
    assert memory.activations == 8_192 * 4_096 * 12 * 2
    assert memory.needed == sum((memory.weights, memory.cache, memory.logits, memory.activations))
    assert "weights 12.55 GiB + cache 4.00 GiB + logits 0.50 GiB" in describe_parts(memory)


def test_what_is_not_known_is_not_counted() -> None:
    memory = estimate_memory(ModelSize("m", 10**9), CPU, 8_192)
    assert (memory.weights, memory.cache, memory.activations) == (4 * 10**9, None, None)
    assert estimate_memory(ModelSize("m", None), CPU, 8_192).fits is None
    assert Memory(4, 2, 1, 8, 1).fits is True
    assert Memory(4, 2, 1, 7, 1).fits is False


def test_quantised_weights_leave_embedding_and_head_as_they_are() -> None:
    kept = 2 * 32_000 * 4_096
    rest = 6_738_415_616 - kept
    for form, each in (("8bit", 1.01), ("4bit", 0.57)):
        memory = estimate_memory(
            ModelSize(LLAMA.name, LLAMA.parameters, LLAMA.geometry),
            Placement("cpu", "bfloat16", form),
            8_192,
        )
        assert memory.weights == int(2 * kept + each * rest)
    without = estimate_memory(ModelSize("m", 1_000), Placement("cpu", "float16", "4bit"), 64)
    assert without.weights == 570


def test_alternatives_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_gpus(monkeypatch)
    _set_free(monkeypatch, 20 * GIB)
    with pytest.raises(CapacityError) as caught:
        check_capacity(LLAMA, CPU, 8_192)
    message = str(caught.value)
    assert message.startswith("llama-2-7b needs 35.10 GiB as float32 on cpu (weights 25.10 GiB + ")
    assert "20.00 GiB are free" in message
    assert "--dtype bfloat16 (needs 17.80 GiB of 20.00 GiB)" in message
    check_capacity(LLAMA, Placement("cpu", "bfloat16"), 8_192)
    _set_free(monkeypatch, 28 * GIB)
    # 2,048 tokens: 25.10 of weights + 2 of cache + 0.24 of logits + 0.38 of activations.
    assert "What fits: --batch-tokens 2048 (needs 27.72 GiB" in advise(LLAMA, CPU, 8_192)
    _set_free(monkeypatch, 15 * GIB)
    advice = advise(LLAMA, CPU, 8_192)
    assert "--dtype bfloat16 --batch-tokens 2048 (needs 13.98 GiB" in advice


def test_a_smaller_model_of_the_family_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_gpus(monkeypatch)
    _set_free(monkeypatch, 2 * GIB)
    entry = load_registry().find("pythia-12b")
    assert entry is not None
    assert entry.parameters is not None
    size = ModelSize(entry.name, entry.parameters.value, None, entry)
    found = advise(size, CPU, 8_192)
    assert "What fits: --model pythia-410m, of the same family (weights 1." in found
    _set_free(monkeypatch, GIB // 1_000)
    assert advise(size, CPU, 8_192).startswith("Nothing fits here")
    assert advise(ModelSize("m", 10**12), CPU, 64).startswith("Nothing fits here")


def test_other_devices_and_quantisation_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_free(monkeypatch, 64 * GIB)
    _set_gpus(monkeypatch, 11 * GIB)
    advice = advise(LLAMA, Placement("cuda", "bfloat16"), 8_192)
    assert "--quantize 8bit --batch-tokens 4096 (needs" in advice
    assert "--quantize 4bit (needs" in advice
    assert "--device cpu --dtype bfloat16 (needs 17.80 GiB of 64.00 GiB)" in advice
    _set_free(monkeypatch, 2 * GIB)
    _set_gpus(monkeypatch, 24 * GIB)
    assert "What fits: --device cuda --dtype bfloat16 (needs 17.80" in advise(LLAMA, CPU, 8_192)


def test_a_loader_refuses_before_it_takes_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path / "tiny")
    _set_free(monkeypatch, 1_000)
    assert free_memory("cpu") == 1_000
    with pytest.raises(CapacityError, match=r"tiny needs 0\.\d\d GiB as float32 on cpu"):
        load_tiny(folder)


def test_a_model_too_large_is_refused_before_it_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set_gpus(monkeypatch)
    _set_free(monkeypatch, 4 * GIB)
    told: list[str] = []
    with pytest.raises(CapacityError, match=r"falcon-7b needs 2\d\.\d\d GiB as float32"):
        load_model("falcon-7b", LoadOptions("cpu"), progress=told.append)
    assert told == []


def test_several_gpus_are_used_where_one_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which devices are chosen; that the parts then compute together was not run here."""
    _set_free(monkeypatch, 64 * GIB)
    _set_gpus(monkeypatch, 12 * GIB, 12 * GIB)
    place = choose_placement(LoadOptions(), "float16", LLAMA)
    assert place == Placement("cuda", "float16", spread=True)
    assert free_memory("cuda", spread=True) == 24 * GIB
    assert str(place) == "float16 on all GPUs together"
    check_capacity(LLAMA, place, 8_192)
    assert loading_options(place)["device_map"] == "auto"
    assert choose_placement(LoadOptions("cuda:1"), "float16", LLAMA).spread is False
    _set_gpus(monkeypatch, 24 * GIB, 24 * GIB)
    assert choose_placement(LoadOptions(), None, LLAMA) == Placement("cuda", "bfloat16")


def test_a_network_divided_by_accelerate_computes_and_says_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine without GPUs accelerate's own map puts everything on the CPU."""
    folder = write_checkpoint(tmp_path / "tiny")
    alone = load_tiny(folder)
    monkeypatch.setattr(
        "llmaudit.models.loading.choose_placement",
        lambda *_: Placement("cpu", "float32", spread=True),
    )
    spread = load_tiny(folder)
    assert spread.facts.device == alone.facts.device == "cpu"
    assert spread.facts.digest == alone.facts.digest
    parts = {"model.embed_tokens": 0, "model.layers.0": 0, "model.layers.1": 1, "lm_head": "cpu"}
    assert describe_devices(SimpleNamespace(hf_device_map=parts)) == (
        "divided by accelerate (cuda:0: model.embed_tokens to model.layers.0; "
        "cuda:1: model.layers.1 to model.layers.1; cpu: lm_head to lm_head)"
    )


def test_quantisation_needs_cuda_and_bitsandbytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_quantize(None, "cpu")
    folder = write_checkpoint(tmp_path / "tiny")
    with pytest.raises(UsageError, match=r"CUDA devices only .*on cpu. What works here: --dtype"):
        load_model(str(folder), LoadOptions("cpu", quantize="4bit"))
    with pytest.raises(UnknownNameError, match="did you mean '4bit'"):
        check_quantize("4bits", "cuda")
    monkeypatch.setattr(placement, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs bitsandbytes.*openllmaudit\[quant\]"):
        check_quantize("8bit", "cuda:0")
    monkeypatch.setattr(placement, "find_spec", lambda _: object())
    check_quantize("8bit", "cuda:0")


@pytest.mark.parametrize("form", ["8bit", "4bit"])
def test_what_transformers_is_told_of_quantisation(form: str) -> None:
    """The load itself needs a CUDA device and was not run here."""
    options = loading_options(Placement("cuda:1", "bfloat16", form))
    assert options["device_map"] == {"": "cuda:1"}
    told = options["quantization_config"]
    assert (told.load_in_8bit, told.load_in_4bit) == (form == "8bit", form == "4bit")
    assert told.bnb_4bit_quant_type == "nf4"
    assert str(Placement("cuda:1", "bfloat16", form)) == f"{form} and bfloat16 on cuda:1"


def test_the_fastest_device_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_gpus(monkeypatch, GIB)
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda:0") == "cuda:0"
    assert free_memory("cuda:0") == GIB
    _set_gpus(monkeypatch)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert choose_device("auto") == "mps"


def _group(folder: Path, names: tuple[str, str], limit: str, used: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit + "\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


def test_a_container_of_version_2_limits_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, groups = ("memory.max", "memory.current"), tmp_path / "cgroup"
    _group(groups / "a" / "b", names, "1000", 900, "anon 1\ninactive_file 150\n")
    _group(groups / "a", names, "max", 5_000, "")
    _group(groups, names, "8000", 5_000, "slab 3\n")
    (tmp_path / "membership").write_text("0::/a/b\n")
    assert container_rooms(groups, tmp_path / "membership") == [250, 3_000]
    (tmp_path / "membership").write_text("0::/\n")
    assert container_rooms(groups, tmp_path / "membership") == [3_000]
    (tmp_path / "membership").write_text("0::/../outside\n")
    assert container_rooms(groups, tmp_path / "membership") == [3_000]
    _set_free(monkeypatch, 10_000)
    monkeypatch.setattr("llmaudit.models.memory._CONTROL_GROUPS", groups)
    monkeypatch.setattr("llmaudit.models.memory._MEMBERSHIP", tmp_path / "membership")
    assert free_memory("cpu") == 3_000


def test_a_container_of_version_1_limits_what_is_free(tmp_path: Path) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    groups = tmp_path / "cgroup"
    _group(groups / "memory" / "job", names, "4096", 4_000, "cache 1\ntotal_inactive_file 0\n")
    _group(groups / "memory", names, str(2**63 - 4_096), 10_000, "")
    membership = tmp_path / "membership"
    membership.write_text("5:cpu:/\n4:cpuset,memory:/job\nbroken\n0::/job\n")
    assert container_rooms(groups, membership) == [96, 2**63 - 14_096]
    _group(groups / "memory" / "job", names, "4096", 9_000, "")
    assert container_rooms(groups, membership)[0] == 0
    assert container_rooms(groups, tmp_path / "absent") == []
