"""Linear layers by oneDNN give the numbers of PyTorch's own, and others are left alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from llmaudit.models import linear
from llmaudit.models.linear import pack_weights, use_onednn


class _Scaled(torch.nn.Linear):
    """A linear layer with a forward pass of its own."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Double the product."""
        return 2 * super().forward(input)


@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_the_same(bias: bool) -> None:
    torch.manual_seed(0)
    layer, states = torch.nn.Linear(48, 80, bias=bias), torch.randn(2, 7, 48)
    with torch.inference_mode():
        plain = layer(states)
        assert use_onednn(torch.nn.Sequential(layer)) == 1
        assert torch.allclose(layer(states), plain, rtol=1e-5, atol=1e-5)


def test_other_layers_stay_as_they_are() -> None:
    narrow = torch.nn.Linear(8, 8).to(torch.bfloat16)
    network = torch.nn.Sequential(_Scaled(8, 8), narrow, torch.nn.LayerNorm(8))
    assert use_onednn(network) == 0
    assert all("forward" not in vars(layer) for layer in network)


@pytest.mark.parametrize("fault", [RuntimeError("no such operator"), None])
def test_an_operator_that_fails_or_errs_is_not_used(
    fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def multiply(layer: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
        if fault is not None:
            raise fault
        return torch.nn.functional.linear(states, layer.weight, layer.bias) + 1

    monkeypatch.setattr(linear, "_multiply", multiply)
    network = _Headless(torch.nn.Linear(8, 8))
    assert use_onednn(network) == 0
    assert pack_weights(network, lambda: network(torch.ones(1, 8))) == 0


def test_a_build_without_onednn_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert use_onednn(torch.nn.Sequential(torch.nn.Linear(8, 8))) == 0


class _Tied(torch.nn.Module):
    """An embedding and an output head that share their weight, with a layer between them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 32)
        self.layer = torch.nn.Linear(32, 32)
        self.head = torch.nn.Linear(32, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of every token."""
        logits: torch.Tensor = self.head(self.layer(self.embedding(tokens)))
        return logits

    def get_output_embeddings(self) -> torch.nn.Linear:
        """Return the head, as networks of transformers do."""
        return self.head


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_weights_give_the_same_numbers_and_are_held_once(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = _Tied().to(dtype)
    tokens = torch.arange(11).unsqueeze(0)
    with torch.inference_mode():
        plain = network(tokens)
    assert pack_weights(network, lambda: network(tokens)) == 1
    assert network.layer.weight is None
    assert network.head.weight is network.embedding.weight
    with torch.inference_mode():
        exact = dtype == torch.float32
        assert torch.allclose(network(tokens), plain, rtol=1e-5 if exact else 2e-2, atol=1e-2)


class _Headless(torch.nn.Sequential):
    """Layers one after another, without an output head."""

    def get_output_embeddings(self) -> None:
        """Return none."""


class _Peeking(torch.nn.Module):
    """Reads a weight past its layer, as some architectures do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 16)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return the product and more."""
        product: torch.Tensor = self.layer(states) + states @ self.layer.weight
        return product

    def get_output_embeddings(self) -> None:
        """Return none."""


def test_a_network_that_reads_weights_itself_gets_them_back() -> None:
    torch.manual_seed(0)
    network, states = _Peeking(), torch.randn(2, 16)
    weight = network.layer.weight.detach().clone()
    with torch.inference_mode():
        plain = network(states)
        assert pack_weights(network, lambda: network(states)) == 0
        assert torch.equal(network.layer.weight, weight)
        assert torch.equal(network(states), plain)


def test_logits_that_are_not_finite_before_are_not_held_against_packing() -> None:
    network = _Headless(torch.nn.Linear(16, 16))
    states = torch.ones(2, 16)
    states[0, 0] = torch.nan
    assert pack_weights(network, lambda: network(states)) == 1
    assert pack_weights(_Headless(torch.nn.Linear(8, 8)), lambda: states[:1] * torch.nan)


def test_packing_that_changes_numbers_is_undone() -> None:
    network, calls = _Headless(torch.nn.Linear(16, 16)), iter(range(9))
    assert pack_weights(network, lambda: torch.full((1, 2), float(next(calls)))) == 0
    assert network[0].weight.shape == (16, 16)


def test_a_mapped_file_is_not_held_beside_its_packed_weights(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_file({"weight": torch.ones(2048, 2048)}, tmp_path / "model.safetensors")
    layer = torch.nn.Linear(2048, 2048, bias=False)
    layer.weight = torch.nn.Parameter(load_file(tmp_path / "model.safetensors")["weight"])
    address = layer.weight.data_ptr()
    network = _Headless(layer)
    held = layer.weight.detach()
    assert pack_weights(network, lambda: network(torch.ones(1, 2048))) == 1
    if sys.platform.startswith("linux"):
        assert _resident_kib(address) < held.nbytes // 1024 // 4
    assert held.sum().item() == 2048 * 2048


def _resident_kib(address: int) -> int:
    """Return how much of the mapping at an address is in memory now."""
    inside = False
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            low, _, high = head.partition("-")
            inside = int(low, 16) <= address < int(high, 16)
        elif inside and head == "Rss:":
            return int(line.split()[1])
    raise AssertionError("the weight is mapped nowhere")
