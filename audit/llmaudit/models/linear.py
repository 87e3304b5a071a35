"""Matrix products of a float32 network on a CPU, done by oneDNN instead of PyTorch's default.

PyTorch sends float32 products to MKL and narrower ones to oneDNN. On the machine this was measured
on (AMD Zen 4), oneDNN's float32 products were 1.05 to 1.6 times as fast, most of all at the output
head; see ``docs/decisions.md``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def use_onednn(network: Any) -> int:
    """Let a network's plain linear layers multiply by oneDNN; return how many do.

    Only layers of exactly the class ``torch.nn.Linear`` whose weights are float32 and on the CPU
    are changed, and only where this build of PyTorch has oneDNN and gives the same numbers by it.
    """
    import torch

    layers = [
        module
        for module in network.modules()
        if type(module) is torch.nn.Linear
        and module.weight.dtype == torch.float32
        and module.weight.device.type == "cpu"
    ]
    if not layers or not _agrees():
        return 0
    for layer in layers:
        setattr(layer, "forward", partial(_multiply, layer))  # noqa: B010 - mypy knows no other way
    return len(layers)


def _multiply(layer: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
    """Return what ``layer.forward`` would."""
    import torch

    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
        states, layer.weight, layer.bias, "none", [], ""
    )
    return product


def _agrees() -> bool:
    """Say whether oneDNN is here and multiplies right: its operator is not a public interface."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    layer = torch.nn.Linear(24, 40)
    with torch.inference_mode():
        states = torch.linspace(-1, 1, 3 * 5 * 24).reshape(3, 5, 24)
        try:
            return torch.allclose(_multiply(layer, states), layer(states), rtol=1e-4, atol=1e-5)
        except (AttributeError, RuntimeError):
            return False
