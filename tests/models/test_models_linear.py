"""Linear layers by oneDNN give the numbers of PyTorch's own, and others are left alone."""

from __future__ import annotations

import pytest
import torch

from llmaudit.models import linear
from llmaudit.models.linear import use_onednn


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
    assert use_onednn(torch.nn.Sequential(torch.nn.Linear(8, 8))) == 0


def test_a_build_without_onednn_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert use_onednn(torch.nn.Sequential(torch.nn.Linear(8, 8))) == 0
