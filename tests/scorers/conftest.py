"""Small random networks in the formats that the scorers read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

from llmaudit.scorers.adapters import FACTOR, compress, matrix_names, norm_names

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "you", "are")
WIDTH, LAYERS, RANK = 16, 2, 3
METADATA = {
    "scale": "0.5",
    "labels": "toxicity,severe,insult",
    "calibration": json.dumps({"toxicity": [0.7, -0.2], "insult": [1.5, 0.1]}),
}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a two-layer random BERT and a word tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-base")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    state = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"))
    ids = {word: i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=WORDS[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def tiny_tensors(tiny_base: Path) -> dict[str, torch.Tensor]:
    """Return random differences and a random head that fit ``tiny_base``; three labels."""
    torch.manual_seed(1)
    base = load_file(str(tiny_base / "model.safetensors"))
    tensors: dict[str, torch.Tensor] = {}
    for name in matrix_names(LAYERS):
        out, into = base[f"{name}.weight"].shape
        tensors[f"{name}.a"] = 0.2 * torch.randn(RANK, into)
        tensors[f"{name}.b"] = torch.randn(out, RANK)
        tensors[f"{name}.bias"] = base[f"{name}.bias"] + 0.1 * torch.randn(out)
    for name in norm_names(LAYERS):
        tensors[f"{name}.weight"] = 1 + 0.1 * torch.randn(WIDTH)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(WIDTH)
    tensors["head.0.weight"] = 0.2 * torch.randn(8, 3 * WIDTH)
    tensors["head.0.bias"] = 0.1 * torch.randn(8)
    tensors["head.1.weight"], tensors["head.1.bias"] = torch.randn(3, 8), torch.randn(3)
    return tensors


@pytest.fixture(scope="session")
def tiny_weights(
    tmp_path_factory: pytest.TempPathFactory, tiny_tensors: dict[str, torch.Tensor]
) -> Path:
    """Return a file of weights that fits ``tiny_base``; one tensor is of bytes with factors."""
    path = tmp_path_factory.mktemp("tiny-weights") / "weights.safetensors"
    tensors = dict(tiny_tensors)
    tensors["head.0.weight"], tensors["head.0.weight" + FACTOR] = compress(tensors["head.0.weight"])
    save_file(tensors, str(path), metadata=METADATA)
    return path
