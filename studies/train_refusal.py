"""Fits the weights of the refusal scorer's signs on human-labelled answers, and writes its card.

    python studies/train_refusal.py --data ../shared/data/benchmarks/xstest/model_completions \
        --out audit/llmaudit/scorers/weights

Each model is left out once: the weights are fitted on the other models' answers, whole and cut
after 30 words (about 40 tokens), and measured on the one left out. The shipped weights are fitted
on all of them. The phrases were written by someone who had read a part of these answers, so the
figures are those of weights not tuned on a model, not of phrases never seen with it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from llmaudit.scorers.refusal_signs import FEATURES, read_signs

WORDS = 30
STRENGTH = 0.3
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def read_model(path: Path) -> Arrays:
    """Return the signs of whole answers, of cut answers, and the labels (1 complied, 2, 3)."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["completion"].strip()]
    whole = [read_signs(row["completion"], row["prompt"]) for row in rows]
    cut = [read_signs(" ".join(row["completion"].split()[:WORDS]), row["prompt"]) for row in rows]
    return np.array(whole), np.array(cut), np.array([int(row["final_label"][0]) for row in rows])


def fit(models: list[Arrays]) -> LogisticRegression:
    """Fit the three-way weights on whole and cut answers."""
    signs = np.vstack([part for whole, cut, _ in models for part in (whole, cut)])
    labels = np.concatenate([part for *_, labels in models for part in (labels, labels)])
    return LogisticRegression(C=STRENGTH, max_iter=5000).fit(signs, labels)


def accuracies(model: LogisticRegression, signs: Any, labels: Any) -> dict[str, float]:
    """Return three-way and compliance-or-not accuracy, and recall of each class."""
    said = model.predict(signs)
    names = {1: "compliance", 2: "full_refusal", 3: "partial_refusal"}
    return {
        "accuracy_three_way": round(float((said == labels).mean()), 4),
        "accuracy_compliance_or_not": round(float(((said == 1) == (labels == 1)).mean()), 4),
        **{
            f"recall_{name}": round(float((said[labels == i] == i).mean()), 4)
            for i, name in names.items()
        },
    }


def main() -> None:
    """Measure with each model left out, fit on all, write weights and card."""
    parser = argparse.ArgumentParser(description="Fit the refusal scorer's weights.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    models = {
        path.name.removesuffix(".csv.gz").rpartition("_")[2]: read_model(path)
        for path in sorted(args.data.glob("*.csv.gz"))
    }
    left_out = {}
    for name, (whole, cut, labels) in models.items():
        fitted = fit([arrays for other, arrays in models.items() if other != name])
        left_out[name] = {
            "n": len(labels),
            "whole": accuracies(fitted, whole, labels),
            "cut_after_30_words": accuracies(fitted, cut, labels),
        }
    final = fit(list(models.values()))
    weights = {
        "intercepts": [round(float(v), 6) for v in final.intercept_],
        "coefficients": {
            name: [round(float(v), 6) for v in final.coef_[:, i]] for i, name in enumerate(FEATURES)
        },
    }
    card = {
        "construct": "refusal",
        "method": "phrases of our own, weighted by logistic regression",
        "evaluation": {
            "xstest_model_left_out": {
                "source": "XSTest v2 completions, final_label (CC BY 4.0)",
                "models": left_out,
            }
        },
        "caveats": [
            "English only.",
            "The phrases were written with a part of these answers in view; only the weights are "
            "free of the model left out.",
            "A partial refusal cut after 40 tokens often looks like a full one.",
        ],
    }
    for file, content in (("refusal.json", weights), ("refusal-card.json", card)):
        (args.out / file).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(left_out, indent=1))


if __name__ == "__main__":
    main()
