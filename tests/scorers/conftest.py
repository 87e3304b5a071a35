"""Small random networks in the formats that the scorers read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

from llmaudit.scorers.minilm import adapter_names

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "you", "are")
WIDTH, LAYERS, RANK = 16, 2, 3


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
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of random adapters and head that fits ``tiny_base``."""
    torch.manual_seed(1)
    tensors: dict[str, torch.Tensor] = {}
    for name in adapter_names(LAYERS):
        into = 32 if name.endswith("output.dense") and "attention" not in name else WIDTH
        out = 32 if name.endswith("intermediate.dense") else WIDTH
        tensors[f"{name}.a"] = 0.2 * torch.randn(RANK, into)
        tensors[f"{name}.b"] = torch.randn(out, RANK)
    tensors["head.0.weight"] = 0.2 * torch.randn(8, 2 * WIDTH)
    tensors["head.0.bias"] = torch.zeros(8)
    tensors["head.1.weight"], tensors["head.1.bias"] = torch.randn(1, 8), torch.zeros(1)
    path = tmp_path_factory.mktemp("tiny-weights") / "weights.safetensors"
    metadata = {"scale": "0.5", "slope": "0.7", "offset": "-0.2", "labels": "toxicity"}
    save_file(tensors, str(path), metadata=metadata)
    return path
