"""Copies of a real model's folder with other weights: rounded to 8 bits, or biased by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Weights = Mapping[str, torch.Tensor]


def copy_with(
    folder: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], None]
) -> Path:
    """Copy a model's folder, its safetensors weights changed in float32 by ``change``."""
    from safetensors.torch import load_file, save_file

    target.mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            shutil.copy(path, target / path.name)
    for path in folder.glob("*.safetensors"):
        weights = load_file(path)
        change(weights)
        save_file(weights, target / path.name, metadata={"format": "pt"})
    return target


def round_to_8_bits(weights: dict[str, torch.Tensor]) -> None:
    """Round every matrix to 255 steps per row, as 8-bit quantisation does."""
    for name, weight in weights.items():
        if weight.ndim == 2:
            step = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
            weights[name] = ((weight / step).round() * step).contiguous()
