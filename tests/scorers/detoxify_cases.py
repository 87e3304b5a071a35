"""Small checkpoints in Detoxify's own format, made as the study makes those of full size."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from llmaudit.scorers.detoxify_variants import VARIANTS

LENGTH = 80
"""Word pieces that a small network reads at once."""
TEXTS = (
    "a quick brown fox",
    "you",
    "the lazy dog jumps over the weather, and the xylophone is quiet!",
    "what a bad day",
    "The quick brown fox jumps over the lazy dog; you are bad.",
    "yak zebra",
    "one two three four five one two three four five",
)
_SMALL = {
    "vocab_size": 600, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "initializer_range": 0.15,
}  # fmt: skip


def study(name: str = "detoxify_checkpoints") -> Any:
    """Return a module of the study; by default that which makes checkpoints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "studies"))
        return importlib.import_module(name)


def write_small(folder: Path, variant: str, **changes: Any) -> Path:
    """Write a variant's base and checkpoint ``own.ckpt`` into a folder; return the checkpoint."""
    known = VARIANTS[variant]
    positions = LENGTH + (2 if "Roberta" in known.base.kind else 0)
    sizes = {**_SMALL, "max_position_embeddings": positions}
    if known.base.kind == "Albert":
        sizes["embedding_size"] = 16
    makes = study()
    base = makes.write_base(folder, known, TEXTS * 3, length=LENGTH, **sizes)
    path: Path = makes.write_checkpoint(folder / "own.ckpt", known, base, **changes)
    return path


def write_again(source: Path, target: Path, **changes: Any) -> Path:
    """Write a copy of a checkpoint; values of its architecture are changed, None takes one out."""
    content = torch.load(source, weights_only=True)
    arguments = content["config"]["arch"]["args"]
    for name, value in changes.items():
        if value is None:
            arguments.pop(name)
        else:
            arguments[name] = value
    torch.save(content, target)
    return target
