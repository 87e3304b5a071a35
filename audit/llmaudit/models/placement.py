"""Where a network is put and in which number format: device, dtype, quantisation, several GPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from llmaudit.errors import UnknownNameError, UsageError

DTYPES = ("float32", "bfloat16", "float16")
"""Number formats that a network can be loaded in."""

QUANTIZATIONS = ("8bit", "4bit")
"""What ``--quantize`` takes."""

#: How accelerate divides a network over several GPUs.
_DEVICE_MAP = "auto"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a network is loaded.

    Attributes
    ----------
    device : str
        For example ``cpu`` or ``cuda:1``.
    dtype : str
        Of ``DTYPES``; of a quantised network, what is left unquantised and computed in.
    quantize : str or None
        Of ``QUANTIZATIONS``.
    spread : bool
        Whether accelerate divides the network over all GPUs.
    engine : str
        ``transformers`` or ``vllm``.
    gpus : int
        How many GPUs share every layer (vLLM), each its own part.
    """

    device: str
    dtype: str
    quantize: str | None = None
    spread: bool = False
    engine: str = "transformers"
    gpus: int = 1

    def __str__(self) -> str:
        """Say it in words."""
        form = f"{self.quantize} and {self.dtype}" if self.quantize else self.dtype
        if self.gpus > 1:
            return f"{form} on {self.device}, divided by {self.gpus}"
        return f"{form} on {'all GPUs together' if self.spread else self.device}"


def choose_device(asked: str) -> str:
    """Return the device to run on: what was asked for, or the fastest that is here.

    Raises
    ------
    UsageError
        If the device is unknown or not here.
    """
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", asked):
        raise UnknownNameError("device", asked, ("auto", "cpu", "cuda", "cuda:N", "mps"))
    kind, _, number = asked.partition(":")
    here = {
        "cpu": True,
        "cuda": int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here[kind]:
        raise UsageError(f"device {asked!r} is not on this machine; use --device auto or cpu.")
    return asked


def choose_dtype(asked: str, device: str, stored: str | None) -> str:
    """Return the number format: what was asked for, else the fastest that is true to the weights.

    On a GPU that is the format of the weights. On a CPU it is bfloat16 where the processor
    multiplies in it and the weights were published in 16 bits or fewer; else float32.

    Parameters
    ----------
    asked : str
        Of ``DTYPES``, or ``auto``.
    device : str
    stored : str or None
        What :func:`llmaudit.models.weights.stored_dtype` says; None where the weights are not here.

    Raises
    ------
    UsageError
        If the format is unknown.
    """
    if asked != "auto":
        if asked not in DTYPES:
            raise UnknownNameError("dtype", asked, ("auto", *DTYPES))
        return asked
    if device == "cpu":
        narrow = stored is not None and stored != "float32"
        return "bfloat16" if narrow and multiplies_bfloat16() else "float32"
    return stored if stored in DTYPES else "bfloat16"


def multiplies_bfloat16() -> bool:
    """Say whether this processor has instructions for products of bfloat16 (AVX-512 BF16, AMX)."""
    import torch

    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def check_quantize(asked: str | None, device: str) -> None:
    """Refuse a quantisation that cannot be had on a device.

    Raises
    ------
    UsageError
    """
    if asked is None:
        return
    if asked not in QUANTIZATIONS:
        raise UnknownNameError("quantisation", asked, QUANTIZATIONS)
    if not device.startswith("cuda"):
        raise UsageError(
            f"--quantize {asked} works on CUDA devices only (bitsandbytes), and this run is on "
            f"{device}. What works here: --dtype bfloat16, which needs half the memory of float32, "
            f"or a smaller model."
        )
    if find_spec("bitsandbytes") is None:
        raise UsageError(
            f"--quantize {asked} needs bitsandbytes, which is not installed: "
            f"pip install 'openllmaudit[quant]'"
        )


def count_gpus() -> int:
    """Return how many CUDA devices this machine has."""
    import torch

    return torch.cuda.device_count()


def loading_options(place: Placement) -> dict[str, Any]:
    """Return what transformers must be told of the number format and the devices."""
    import torch

    dtype = getattr(torch, place.dtype)
    options: dict[str, Any] = {"dtype": dtype}
    if place.spread:
        options["device_map"] = _DEVICE_MAP
    if place.quantize is not None:
        from transformers import BitsAndBytesConfig

        options.setdefault("device_map", {"": place.device})
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_8bit=place.quantize == "8bit",
            load_in_4bit=place.quantize == "4bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
        )
    return options


def describe_devices(network: Any) -> str:
    """Return where a network lies: one device, or which parts on which."""
    placed: Mapping[str, Any] = getattr(network, "hf_device_map", None) or {}
    names = {part: str(_device_name(device)) for part, device in placed.items()}
    if len(set(names.values())) <= 1:
        return str(next(network.parameters()).device)
    listed = (
        f"{device}: {parts[0]} to {parts[-1]}"
        for device in dict.fromkeys(names.values())
        if (parts := [part for part, there in names.items() if there == device])
    )
    return f"divided by accelerate ({'; '.join(listed)})"


def _device_name(device: Any) -> str:
    return f"cuda:{device}" if isinstance(device, int) else str(device)
