"""The flat encoder against transformers' BERT, and the weights that change it."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from llmaudit.errors import ScorerError
from llmaudit.scorers import encoder as module
from llmaudit.scorers.adapters import (
    FACTOR,
    build_encoder,
    compress,
    expand,
    matrix_names,
    merge,
    read_base,
)
from llmaudit.scorers.encoder import Encoder, Product, can_pack, fixed_encoder, pool_states

ROWS = [[2, 5, 6, 7, 3], [2, 9, 3], [2, 8, 3], [2, 31, 32, 10, 11, 12, 13, 3]]


def encoder_of(folder: Path, *, narrow: bool, packed: bool) -> Encoder:
    tensors, shape = read_base(folder)
    return fixed_encoder(tensors, shape, narrow=narrow, packed=packed)


def pooled_by_transformers(folder: Path) -> torch.Tensor:
    """Return what BERT gives text by text; the fixtures' weights are in float32."""
    tensors, _ = read_base(folder)
    bert = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    bert.load_state_dict(tensors)
    bert.train(False)
    with torch.inference_mode():
        states = [bert(input_ids=torch.tensor([row])).last_hidden_state[0] for row in ROWS]
    return torch.stack([torch.cat((one[0], one.mean(0), one.amax(0))) for one in states])


@pytest.mark.parametrize(("narrow", "packed", "room"), [(False, False, 1e-5), (True, False, 0.15)])
def test_the_vectors_are_berts(tiny_base: Path, narrow: bool, packed: bool, room: float) -> None:
    with torch.inference_mode():
        found = encoder_of(tiny_base, narrow=narrow, packed=packed).pooled(ROWS)
    assert found.dtype == torch.float32
    assert torch.allclose(found, pooled_by_transformers(tiny_base), atol=room)


@pytest.mark.skipif(not can_pack(), reason="this build of PyTorch has no oneDNN")
def test_packed_weights_give_the_same(tiny_base: Path) -> None:
    with torch.inference_mode():
        found = encoder_of(tiny_base, narrow=False, packed=True).pooled(ROWS)
    assert torch.allclose(found, pooled_by_transformers(tiny_base), atol=1e-5)


def test_a_text_gets_the_same_vector_in_any_company(tiny_base: Path) -> None:
    tensors, shape = read_base(tiny_base)
    encoder = fixed_encoder(tensors, shape)
    with torch.inference_mode():
        together = encoder.pooled(ROWS)
        alone = torch.cat([encoder.pooled([row]) for row in ROWS])
    assert torch.allclose(together, alone, atol=1e-6)


def test_without_onednn_nothing_is_packed(monkeypatch: pytest.MonkeyPatch, tiny_base: Path) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can_pack()
    tensors, shape = read_base(tiny_base)
    with torch.inference_mode():
        found = fixed_encoder(tensors, shape).pooled(ROWS)
    assert torch.allclose(found, pooled_by_transformers(tiny_base), atol=1e-5)


def test_an_operator_that_fails_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Product):
        def __init__(self, *args: torch.Tensor, narrow: bool, packed: bool) -> None:
            if packed:
                raise RuntimeError("no such operator")
            super().__init__(*args, narrow=narrow, packed=packed)

    monkeypatch.setattr(module, "Product", Failing)
    assert not can_pack()


def test_pooling_by_hand() -> None:
    states = torch.tensor([[[1.0, -5.0], [3.0, -7.0]]])
    assert pool_states(states).tolist() == [[1.0, -5.0, 2.0, -6.0, 3.0, -5.0]]


@given(st.lists(st.lists(st.integers(-5000, 5000), min_size=4, max_size=4), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_bytes_are_within_half_a_step(rows: list[list[int]]) -> None:
    tensor = torch.tensor(rows) / 50
    small, factors = compress(tensor)
    assert small.dtype == torch.int8
    back = expand({"x": small, "x" + FACTOR: factors})["x"]
    room = 0.51 * factors.float() + 0.001 * tensor.abs() + 1e-6
    assert bool(((back - tensor).abs() <= room).all())


def test_merging_adds_the_scaled_product(
    tiny_base: Path, tiny_tensors: dict[str, torch.Tensor]
) -> None:
    tensors, shape = read_base(tiny_base)
    name = matrix_names(shape.layers)[0]
    before = tensors[f"{name}.weight"].clone()
    own = dict(tiny_tensors)
    own[f"{name}.a"], own[f"{name}.b"] = torch.zeros(1, 16), torch.zeros(16, 1)
    own[f"{name}.a"][0, 2], own[f"{name}.b"][5, 0] = 3.0, 2.0
    merge(tensors, own, shape.layers, 0.5)
    difference = tensors[f"{name}.weight"] - before
    assert difference[5, 2].item() == pytest.approx(3.0, abs=1e-6)
    assert difference.abs().sum().item() == pytest.approx(3.0, abs=1e-5)
    assert torch.equal(tensors[f"{name}.bias"], own[f"{name}.bias"])


def test_differences_for_another_base_are_refused(
    tiny_base: Path, tiny_tensors: dict[str, torch.Tensor]
) -> None:
    name = matrix_names(2)[0]
    for key, wrong in ((f"{name}.a", torch.zeros(3, 99)), (f"{name}.bias", torch.zeros(7))):
        with pytest.raises(ScorerError, match="do not fit the base model"):
            build_encoder(tiny_base, {**tiny_tensors, key: wrong}, 1.0)
    own = {key: value for key, value in tiny_tensors.items() if key != f"{name}.b"}
    with pytest.raises(ScorerError, match="lack the tensor"):
        build_encoder(tiny_base, own, 1.0)


def test_a_damaged_base_is_refused(
    tiny_base: Path, tiny_tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = copytree(tiny_base, tmp_path / "base")
    tensors, _ = read_base(folder)
    tensors.pop("embeddings.word_embeddings.weight")
    save_file(tensors, str(folder / "model.safetensors"))
    with pytest.raises(ScorerError, match=r"lack the tensor 'embeddings\.word_embeddings"):
        build_encoder(folder, tiny_tensors, 1.0)
    for content in ("{}", "[]", "{", json.dumps({"num_hidden_layers": "many"})):
        (folder / "config.json").write_text(content, encoding="utf-8")
        with pytest.raises(ScorerError, match="does not describe a BERT encoder"):
            read_base(folder)
