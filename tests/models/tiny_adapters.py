"""Tiny adapters of every method, made by peft, as folders on disk."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
from transformers import AutoModelForCausalLM

from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model

PROJECTIONS = ["q_proj", "v_proj"]
BASE_NAME = "somebody/tiny-base"

#: Method to a configuration of it; LORA stands for the rest in most tests.
CONFIGS: dict[str, Callable[[], Any]] = {
    "LORA": lambda: peft.LoraConfig(r=4, target_modules=PROJECTIONS, task_type="CAUSAL_LM"),
    "LORA, DoRA": lambda: peft.LoraConfig(r=4, target_modules=PROJECTIONS, use_dora=True),
    "LORA, whole head": lambda: peft.LoraConfig(
        r=4, target_modules=["q_proj"], modules_to_save=["lm_head"]
    ),
    "IA3": lambda: peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
    "ADALORA": lambda: peft.AdaLoraConfig(target_modules=["q_proj"], total_step=10),
    "BOFT": lambda: peft.BOFTConfig(boft_block_size=8, target_modules=["q_proj"]),
    "FOURIERFT": lambda: peft.FourierFTConfig(n_frequency=20, target_modules=["q_proj"]),
    "HRA": lambda: peft.HRAConfig(r=4, target_modules=["q_proj"]),
    "LN_TUNING": lambda: peft.LNTuningConfig(target_modules=["norm"]),
    "LOHA": lambda: peft.LoHaConfig(r=4, target_modules=PROJECTIONS),
    "LOKR": lambda: peft.LoKrConfig(r=4, target_modules=PROJECTIONS),
    "MISS": lambda: peft.MissConfig(r=4, target_modules=["q_proj"]),
    "OFT": lambda: peft.OFTConfig(oft_block_size=8, target_modules=PROJECTIONS),
    "RANDLORA": lambda: peft.RandLoraConfig(r=4, target_modules=["q_proj"]),
    "SHIRA": lambda: peft.ShiraConfig(r=2, target_modules=["q_proj"]),
    "TRAINABLE_TOKENS": lambda: peft.TrainableTokensConfig(token_indices=list(range(5, 300))),
    "VBLORA": lambda: peft.VBLoRAConfig(
        r=4, target_modules=["q_proj"], num_vectors=8, vector_length=8, topk=2
    ),
    "VERA": lambda: peft.VeraConfig(r=4, target_modules=["q_proj"]),
    "ADAPTION_PROMPT": lambda: peft.AdaptionPromptConfig(
        adapter_len=3, adapter_layers=2, task_type="CAUSAL_LM"
    ),
}


def make_adapter(base: Path, config: Any) -> Any:
    """Return a new adapter on the base; peft's own use of what transformers gives up is quiet."""
    network: Any = AutoModelForCausalLM.from_pretrained(base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(network, config).eval()


def train_adapter(base: Path, config: Any) -> Any:
    """Return peft's model of an adapter whose numbers are random, and that has an effect."""
    torch.manual_seed(7)
    tuned = make_adapter(base, config)
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    return tuned


def save_adapter(tuned: Any, folder: Path, *, declared: str | None = BASE_NAME) -> Path:
    """Write an adapter and the base that it names; return the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned.save_pretrained(folder)
    stored = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    stored["base_model_name_or_path"] = declared
    (folder / "adapter_config.json").write_text(json.dumps(stored), "utf-8")
    return folder


def load_tuned(base: Path | str, adapter: Path | str, **options: Any) -> Model:
    """Load a base and an adapter as the program does."""
    return load_model(str(base), LoadOptions("cpu", adapter=str(adapter), **options))
