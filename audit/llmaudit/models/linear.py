"""Linear layers of a network on a CPU, multiplied by oneDNN from weights in its own order.

PyTorch sends float32 products to MKL, and products of either format read weights row by row. On
the machine this was measured on (AMD Zen 4, one thread), SmolLM2 took 0.09 s instead of 0.17 s for
one token of 32 texts in bfloat16, and 0.18 s instead of 0.25 s in float32; ``docs/decisions.md``.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_MAPS = Path("/proc/self/maps")
_DONTNEED = 4


def use_onednn(network: Any) -> int:
    """Let a network's plain float32 linear layers multiply by oneDNN; return how many do.

    Only layers of exactly the class ``torch.nn.Linear`` whose weights are on the CPU are changed,
    and only where this build of PyTorch has oneDNN and gives the same numbers by it.
    """
    import torch

    layers = [one for one in _layers(network) if one.weight.dtype == torch.float32]
    if not layers or not _agrees():
        return 0
    for layer in layers:
        _replace_forward(layer, partial(_multiply, layer))
    return len(layers)


def pack_weights(network: Any, probe: Callable[[], torch.Tensor]) -> int:
    """Put the weights of linear layers into oneDNN's order; return of how many layers.

    A packed layer has no ``weight`` any more, so nothing is held twice. A weight that several
    modules share stays as it is, and so does the output head. An architecture that reads weights
    past their layers fails at the probe, and gets all of them back. (A weight on the ``meta``
    device would not do: a product with it is whatever lies in memory, and no error.)

    Parameters
    ----------
    network : transformers.PreTrainedModel
        On the CPU; changed in place.
    probe : callable
        Runs the network on something small, in every way that it will be run, and returns what
        came out.
    """
    import torch

    layers = [one for one in _unshared(network) if one.weight.dtype in _packable()]
    if not layers or not _agrees():
        return 0
    mapped, exact = _mapped_files(), layers[0].weight.dtype == torch.float32
    with torch.inference_mode():
        before = probe().float()
        for layer in layers:
            _pack(layer, mapped)
        if _is_unchanged(before, probe, exact=exact):
            return len(layers)
        for layer in layers:
            _unpack(layer)
    return 0


def _is_unchanged(before: torch.Tensor, probe: Callable[[], torch.Tensor], *, exact: bool) -> bool:
    """Say whether a network still runs, and gives what it gave before within its rounding."""
    import torch

    try:
        after = probe().float()
    except (AttributeError, RuntimeError, TypeError):
        return False  # Python's and PyTorch's ways of saying that there is no weight.
    sound = torch.isfinite(before)
    if not torch.equal(torch.isfinite(after), sound):
        return False
    if not sound.any():
        return True
    room = (1e-3 if exact else 0.05) * max(1.0, float(before[sound].abs().amax()))
    return bool((after[sound] - before[sound]).abs().le(room).all())


def _packable() -> tuple[torch.dtype, ...]:
    import torch

    return (torch.float32, torch.bfloat16)


def _layers(network: Any) -> Iterator[torch.nn.Linear]:
    import torch

    for module in network.modules():
        if type(module) is torch.nn.Linear and module.weight.device.type == "cpu":
            yield module


def _unshared(network: Any) -> list[torch.nn.Linear]:
    """Return the layers whose weight belongs to no other module, such as the embedding."""
    owners = Counter(
        id(parameter)
        for module in network.modules()
        for parameter in module.parameters(recurse=False)
    )
    head = network.get_output_embeddings()
    return [
        layer for layer in _layers(network) if owners[id(layer.weight)] == 1 and layer is not head
    ]


def _pack(layer: torch.nn.Linear, mapped: Sequence[range]) -> None:
    import torch

    weight = layer.weight.detach()
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    _forget_pages(weight, mapped)
    layer.weight = None  # type: ignore[assignment]
    _replace_forward(layer, partial(_multiply_packed, packed, layer.bias))


def _unpack(layer: torch.nn.Linear) -> None:
    import torch

    packed = layer.forward.args[0]  # type: ignore[attr-defined]
    layer.weight = torch.nn.Parameter(packed.to_dense(), requires_grad=False)
    del layer.forward


def _replace_forward(layer: torch.nn.Linear, forward: Callable[..., torch.Tensor]) -> None:
    vars(layer)["forward"] = forward


def _multiply(layer: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
    """Return what ``layer.forward`` would."""
    return _multiply_packed(layer.weight, layer.bias, states)


def _multiply_packed(
    weight: torch.Tensor, bias: torch.Tensor | None, states: torch.Tensor
) -> torch.Tensor:
    import torch

    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
    return product


def _agrees() -> bool:
    """Say whether oneDNN is here and multiplies right: its operators are no public interface."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    layer = torch.nn.Linear(24, 40)
    with torch.inference_mode():
        states = torch.linspace(-1, 1, 3 * 5 * 24).reshape(3, 5, 24)
        try:
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), None)
            products = (_multiply(layer, states), _multiply_packed(packed, layer.bias, states))
        except (AttributeError, RuntimeError):
            return False
        plain = layer(states)
        return all(torch.allclose(one, plain, rtol=1e-4, atol=1e-5) for one in products)


def _forget_pages(weight: torch.Tensor, mapped: Sequence[range]) -> None:
    """Let go of the memory of a weight that lies in a mapped file; one that does not stays.

    The pages of a mapped file count as this process's memory until the whole file is unmapped,
    so without this a packed network would be held twice. They can be read again at any time.
    """
    start, end = weight.data_ptr(), weight.data_ptr() + weight.nbytes
    page = mmap.PAGESIZE
    first, last = -(-start // page) * page, end // page * page
    if last > first and any(first in one and last - 1 in one for one in mapped):
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _DONTNEED)


def _mapped_files() -> list[range]:
    """Return the addresses at which files are mapped into this process; none but on Linux."""
    try:
        lines = _MAPS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        addresses, *_, name = line.split(maxsplit=5)
        if name.startswith("/"):
            low, _, high = addresses.partition("-")
            found.append(range(int(low, 16), int(high, 16)))
    return found
