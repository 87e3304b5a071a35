"""Writes the toxicity scorer's weights file, and calibrates every output of it.

The calibration is Platt's map from the logit that the shipped, rounded weights give by windows. It
is fitted on training-source texts that were set aside, weighted so that a fixed share of them is
abusive: ``RATE``, near what public collections of comments hold (8 % in Civil Comments, 10 % in the
Wikipedia comments of the same makers; 1-2 % on talk pages taken at random).
Used by ``train_toxicity.py``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from llmaudit.scorers.adapters import FACTOR, compress
from llmaudit.scorers.toxicity import ToxicityNetwork, read_tensors
from toxicity_sources import Labelled

RATE = 0.1
"""The share of texts with a label for which its probabilities are calibrated: toxicity."""
SORT_RATE = 0.03
"""The same for a sort of abuse."""
FEWEST = 25
"""Texts of either kind that a label needs to be calibrated, else it is not shipped."""
UNCLEAR = (0.35, 0.65)

Calibrations = dict[str, tuple[float, float]]


def write_weights(
    path: Path, kept: Mapping[str, torch.Tensor], found: Calibrations, args: Any
) -> None:
    """Write matrices as bytes with row factors, the rest as float16, the settings as metadata."""
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in kept.items():
        if tensor.dim() == 2 and name != "head.1.weight":
            tensors[name], tensors[name + FACTOR] = compress(tensor.detach())
        else:
            tensors[name] = tensor.detach().half().contiguous()
    metadata = {
        "scale": repr(args.scale),
        "labels": ",".join(args.labels),
        "calibration": json.dumps(found),
        "seed": str(args.seed),
    }
    save_file(tensors, str(path), metadata=metadata)


def calibrate(path: Path, items: Sequence[Labelled], args: Any) -> Calibrations:
    """Return slope and offset of every label that enough texts are known for."""
    tensors, _ = read_tensors(path)
    network = ToxicityNetwork(args.base, tensors, args.scale)
    rows, _ = network.logits([item.text for item in items])
    scored = [(item, row) for item, row in zip(items, rows, strict=True) if row]
    found: Calibrations = {}
    for place, label in enumerate(args.labels):
        known = [(item, _target(item, label), row[place]) for item, row in scored]
        clear = [one for one in known if one[1] <= UNCLEAR[0] or one[1] >= UNCLEAR[1]]
        truth = np.array([target > 0.5 for _, target, _ in clear])
        if min(truth.sum(), (~truth).sum()) < FEWEST:
            print(f"{label}: too few texts set aside, not calibrated")
            continue
        logits = np.array([logit for _, _, logit in clear])
        weights = np.array([item.weight for item, _, _ in clear])
        found[label] = platt(logits, truth, weights, RATE if label == "toxicity" else SORT_RATE)
        print_sources(label, logits, truth, [item.source for item, _, _ in clear])
    return found


def _target(item: Labelled, label: str) -> float:
    return item.target if label == "toxicity" else item.sorts.get(label, math.nan)


def platt(
    logits: np.ndarray, truth: np.ndarray, weights: np.ndarray, rate: float
) -> tuple[float, float]:
    """Return slope and offset of Platt's map where a share ``rate`` of the texts is positive."""
    from sklearn.linear_model import LogisticRegression

    share = weights[truth].sum() / weights.sum()
    balanced = weights * np.where(truth, rate / share, (1 - rate) / (1 - share))
    model = LogisticRegression(C=1e6).fit(logits[:, None], truth, sample_weight=balanced)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def print_sources(
    label: str, logits: np.ndarray, truth: np.ndarray, sources: Sequence[str]
) -> None:
    """Print the AUC within every source of the texts set aside."""
    from sklearn.metrics import roc_auc_score

    print(f"set aside, {label}: n {len(truth)} AUC {roc_auc_score(truth, logits):.3f}")
    places = np.array(sources)
    for source in sorted(set(sources)):
        chosen = places == source
        if 0 < truth[chosen].sum() < chosen.sum():
            auc = roc_auc_score(truth[chosen], logits[chosen])
            print(f"  {source}: n {chosen.sum()} AUC {auc:.3f}")
