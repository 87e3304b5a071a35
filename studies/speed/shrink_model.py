"""Worker: writes a model of the same architecture and tokenizer that weighs next to nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from task import answer, read_task
from transformers import AutoConfig, AutoModelForCausalLM

from llmaudit.models.local import read_geometry
from llmaudit.models.weights import count_parameters

_SMALL = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 8,
}


def main() -> None:
    """Write it, and answer what the real one's weights and cache take."""
    task = read_task()
    folder, small = Path(task["folder"]), Path(task["small"])
    config = AutoConfig.from_pretrained(folder)
    for key, value in _SMALL.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(small)
    for pattern in ("token*", "special_tokens*", "*.jinja", "vocab*", "merges*"):
        for file in folder.glob(pattern):
            shutil.copy(file, small)
    geometry = read_geometry(folder)
    if geometry is None:
        raise SystemExit(f"{folder / 'config.json'} does not say the network's sizes")
    answer(
        task,
        [],
        parameters=count_parameters(folder),
        cache_numbers_per_token=geometry.cache_bytes(1, 1),
    )


if __name__ == "__main__":
    main()
