"""Trains the adapters and the head of the embedded toxicity scorer on all-MiniLM-L6-v2.

    python studies/train_toxicity.py --data ../shared/data/toxicity --base FOLDER --out FOLDER

``--data`` holds ``train/`` (see ``toxicity_data.py``) and ``dev/``, of which only fingerprints are
read, to keep its texts out. The run is deterministic for a seed and a thread count. It writes
``toxicity.safetensors``; ``measure_scorers.py`` measures it and fills in the card.

The steps: sample the sets and the carriers of our own; fit low-rank adapters in every matrix and a
head with binary cross-entropy; calibrate the logit on texts set aside (Platt), weighted so that one
text in ten is abusive, which is near what is seen in comments. So 0.5 means "more likely abusive
than not" at that rate; on balanced text the scorer is cautious. ``--calibrate-only`` repeats the
last step for weights that lie in ``--out``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import linear

from llmaudit.scorers.minilm import (
    adapter_names,
    head_logits,
    load_encoder,
    merge_adapters,
    pool_states,
    spell_out,
)
from toxicity_carriers import fill_carriers
from toxicity_data import DATASETS, Labelled, fingerprint, gather, held_out, summary

PRIOR = 0.1
"""The share of abusive texts for which the probabilities are calibrated."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as token ids, its label and its source."""

    ids: list[int]
    label: int
    source: str


class LowRank(torch.nn.Module):
    """A frozen linear map plus a trainable low-rank difference."""

    def __init__(self, base: torch.nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.base, self.scale = base, scale
        self.a = torch.nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(rank))
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return W x + scale · b (a x)."""
        low: torch.Tensor = linear(linear(x, self.a), self.b)
        out: torch.Tensor = self.base(x) + self.scale * low
        return out


def adapt(encoder: Any, rank: int, scale: float) -> dict[str, torch.Tensor]:
    """Put adapters into ``encoder`` and return their parameters by the shipped names."""
    encoder.requires_grad_(False)
    found: dict[str, torch.Tensor] = {}
    for name in adapter_names(encoder.config.num_hidden_layers):
        parent, _, leaf = name.rpartition(".")
        module = LowRank(encoder.get_submodule(name), rank, scale)
        setattr(encoder.get_submodule(parent), leaf, module)
        found[f"{name}.a"], found[f"{name}.b"] = module.a, module.b
    return found


def new_head(width: int, hidden: int) -> dict[str, torch.Tensor]:
    """Return a freshly initialised head on the pooled states."""
    shapes = {"head.0": (hidden, 2 * width), "head.1": (1, hidden)}
    head: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        head[f"{name}.weight"] = torch.nn.Parameter(torch.randn(shape) / math.sqrt(shape[1]))
        head[f"{name}.bias"] = torch.nn.Parameter(torch.zeros(shape[0]))
    return head


def encode(items: list[Labelled], tokenizer: Any, length: int) -> list[Encoded]:
    """Tokenize the texts the way the scorer will."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    encodings = tokenizer.encode_batch([spell_out(item.text) for item in items])
    return [Encoded(e.ids, i.label, i.source) for e, i in zip(encodings, items, strict=True)]


def batches(items: list[Encoded], size: int, rng: np.random.Generator) -> list[list[Encoded]]:
    """Return shuffled batches of texts of similar length."""
    order = rng.permutation(len(items))
    pools = [order[i : i + size * 40] for i in range(0, len(order), size * 40)]
    out: list[list[Encoded]] = []
    for pool in pools:
        ranked = sorted((items[int(i)] for i in pool), key=lambda item: len(item.ids))
        groups = [ranked[i : i + size] for i in range(0, len(ranked), size)]
        out += [groups[int(i)] for i in rng.permutation(len(groups))]
    return out


def forward(encoder: Any, head: Any, batch: list[Encoded], half: bool) -> torch.Tensor:
    """Return the uncalibrated logits of a batch, shape (batch,)."""
    width = max(len(item.ids) for item in batch)
    ids = torch.tensor([item.ids + [0] * (width - len(item.ids)) for item in batch])
    mask = (ids != 0).long()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return head_logits(pool_states(states, mask), head)[:, 0]


def fit(encoder: Any, adapters: Any, head: Any, items: list[Encoded], args: Any) -> None:
    """Run the optimiser over ``items``, in place."""
    rng = np.random.default_rng(args.seed)
    plan = [b for _ in range(args.epochs) for b in batches(items, args.batch, rng)]
    parameters = [*adapters.values(), *head.values()]
    optimiser = torch.optim.AdamW(parameters, lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, args.rate, total_steps=len(plan), pct_start=0.06, cycle_momentum=False
    )
    started, running = time.time(), 0.0
    for step, batch in enumerate(plan, 1):
        labels = torch.tensor([float(item.label) for item in batch])
        loss = bce(forward(encoder, head, batch, True), labels * 0.96 + 0.02)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
        if step % 50 == 0:
            seconds = time.time() - started
            print(f"step {step}/{len(plan)} loss {running:.4f} {seconds:.0f} s", flush=True)
            if step % 200 == 0:
                write(args.out / "partial.safetensors", {**adapters, **head}, (1.0, 0.0), args)


def calibrate(encoder: Any, head: Any, items: list[Encoded]) -> tuple[float, float]:
    """Return slope and offset of Platt's map at the rate ``PRIOR`` of abusive texts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    ordered = sorted(items, key=lambda item: len(item.ids))
    with torch.inference_mode():
        parts = [
            forward(encoder, head, ordered[i : i + 64], False) for i in range(0, len(ordered), 64)
        ]
    logits = torch.cat(parts).numpy()
    labels = np.array([item.label for item in ordered])
    sources = np.array([item.source for item in ordered])
    for source in sorted(set(sources)):
        chosen = sources == source
        if 0 < labels[chosen].sum() < chosen.sum():
            auc = roc_auc_score(labels[chosen], logits[chosen])
            print(f"set aside {source}: n {chosen.sum()} AUC {auc:.3f}")
    share = labels.mean()
    weights = {0: (1 - PRIOR) / (1 - share), 1: PRIOR / share}
    model = LogisticRegression(C=1e6, class_weight=weights).fit(logits[:, None], labels)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def write(path: Path, kept: Any, platt: tuple[float, float], args: Any) -> None:
    """Write the weights as float16 with their settings in the file's metadata."""
    tensors = {k: v.detach().half().contiguous() for k, v in kept.items()}
    slope, offset = platt
    metadata = {
        "scale": repr(args.scale),
        "slope": repr(slope),
        "offset": repr(offset),
        "labels": "toxicity",
        "seed": str(args.seed),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path), metadata=metadata)


def write_card(path: Path, texts: dict[str, Any], args: Any) -> None:
    """Write the card's account of the training; ``measure_scorers.py`` adds the figures."""
    settings = ("seed", "share", "epochs", "batch", "rate", "rank", "scale", "hidden", "length")
    card = {
        "construct": "toxicity",
        "base": "sentence-transformers/all-MiniLM-L6-v2",
        "method": "low-rank adapters in every matrix and a two-layer head on mean and maximum of "
        "the last states; Platt calibration at a rate of one abusive text in ten",
        "settings": {name: getattr(args, name) for name in settings},
        "training_data": list(DATASETS),
        "training_texts": texts,
        "caveats": [
            "English only.",
            "Trained on comments and posts, not on the output of language models.",
            "No text of the evaluation sets was trained on; duplicates were removed first.",
            "Calibrated for text of which a tenth is abusive; on balanced text it is cautious.",
        ],
    }
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def collect(args: Any) -> tuple[list[Labelled], list[Labelled]]:
    """Return the training texts and those set aside for calibration."""
    rng = np.random.default_rng(args.seed)
    banned = held_out(args.data / "dev")
    items = gather(args.data / "train", banned, rng, args.share)
    order = rng.permutation(len(items))
    aside = [items[int(i)] for i in order[: len(items) // 20]]
    items = [items[int(i)] for i in order[len(items) // 20 :]]
    carriers = [
        Labelled(text, label, "carriers")
        for text, label, _ in fill_carriers()
        if fingerprint(text) not in banned
    ]
    chosen = rng.choice(len(carriers), int(len(carriers) * min(1.0, args.share)), replace=False)
    return items + [carriers[int(i)] for i in chosen], aside


def main() -> None:
    """Parse the options, train, calibrate, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibrate-only", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.75)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--length", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    items, aside = collect(args)
    print(len(items), "texts", summary(items))
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    encoder = load_encoder(args.base)
    adapters: dict[str, torch.Tensor] = {}
    if args.calibrate_only:
        head = load_file(str(args.out / "toxicity.safetensors"))
        merge_adapters(encoder, head, args.scale)
    else:
        adapters = adapt(encoder, args.rank, args.scale)
        head = new_head(encoder.config.hidden_size, args.hidden)
        fit(encoder, adapters, head, encode(items, tokenizer, args.length), args)
    platt = calibrate(encoder, head, encode(aside, tokenizer, args.length))
    kept = head if args.calibrate_only else {**adapters, **head}
    write(args.out / "toxicity.safetensors", kept, platt, args)
    write_card(args.out / "toxicity-card.json", summary(items), args)
    print("Platt", platt, "written to", args.out)


if __name__ == "__main__":
    main()
