"""Trains the adapters and the head of the embedded toxicity scorer on all-MiniLM-L6-v2.

    python studies/train_toxicity.py --data ../shared/data/toxicity --base FOLDER --out FOLDER

``--data`` holds ``train/`` (see ``toxicity_sources.py``) and ``dev/``, which is read only to keep
its texts, and what resembles them, out. The run is deterministic for a seed and one kind of
processor. It writes ``toxicity.safetensors``; ``llmaudit scorers measure`` measures it, once it is
in the package, and fills in the card.

The steps: sample the sets and the sentences of our own; fit low-rank differences of every matrix,
biases, norms and a head (``toxicity_network.py``) with weighted binary cross-entropy on graded
labels; calibrate every output on texts set aside (``toxicity_calibration.py``); write the large
tensors as bytes with one factor per row. ``--calibrate-only`` repeats the last two steps for the
weights in ``--out``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from llmaudit.scorers.adapters import read_base
from llmaudit.scorers.base_model import BASE_LICENCE, HUB_ID
from llmaudit.scorers.toxicity_text import plain_text
from toxicity_calibration import RATE, SORT_RATE, calibrate, write_weights
from toxicity_data import Evaluated, augmented, gather, own_sentences, summary
from toxicity_network import Network
from toxicity_sources import DATASETS, SORTS, Labelled

LABELS = ("toxicity", *SORTS)
SORTS_WEIGHT = 0.4
"""Weight of the sorts' loss beside that of toxicity as such."""
ASIDE_PERCENT = 3
OWN_SENTENCES = {
    "id": "sentences of our own (studies/toxicity_carriers.py)",
    "licence": "Apache-2.0",
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as token ids with its targets, one per label, NaN where unknown."""

    ids: list[int]
    targets: list[float]
    weight: float
    source: str


def encode(items: list[Labelled], tokenizer: Any, length: int) -> list[Encoded]:
    """Tokenize the texts the way the scorer will."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    encodings = tokenizer.encode_batch([plain_text(item.text) for item in items])
    return [
        Encoded(
            found.ids,
            [item.target, *(item.sorts.get(sort, float("nan")) for sort in SORTS)],
            item.weight,
            item.source,
        )
        for found, item in zip(encodings, items, strict=True)
    ]


def batches(items: list[Encoded], tokens: int, rng: np.random.Generator) -> list[list[Encoded]]:
    """Return shuffled batches of texts of similar length, each of about ``tokens`` tokens."""
    order, out = rng.permutation(len(items)), []
    for start in range(0, len(order), 4000):
        pool = sorted((items[int(i)] for i in order[start : start + 4000]), key=_length)
        groups: list[list[Encoded]] = [[]]
        for item in pool:
            if (len(groups[-1]) + 1) * _length(item) > tokens:
                groups.append([])
            groups[-1].append(item)
        out += [groups[int(i)] for i in rng.permutation(len(groups)) if groups[int(i)]]
    return out


def _length(item: Encoded) -> int:
    return len(item.ids)


def loss_of(network: Network, batch: list[Encoded]) -> torch.Tensor:
    """Return the weighted loss of toxicity plus that of the sorts that are known."""
    logits = network.logits([item.ids for item in batch])
    targets = torch.tensor([item.targets for item in batch])
    weights = torch.tensor([item.weight for item in batch])
    first = bce(logits[:, 0], targets[:, 0], weights, reduction="sum") / weights.sum()
    known = ~targets[:, 1:].isnan()
    others = bce(logits[:, 1:], targets[:, 1:].nan_to_num(0.0), known.float(), reduction="sum")
    return first + SORTS_WEIGHT * others / known.sum().clamp(min=1)


def fit(network: Network, items: list[Encoded], args: Any) -> None:
    """Run the optimiser over ``items``, in place."""
    rng = np.random.default_rng(args.seed)
    plan = [b for _ in range(args.epochs) for b in batches(items, args.tokens, rng)]
    parameters = list(network.parameters().values())
    optimiser = torch.optim.AdamW(parameters, lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, args.rate, total_steps=len(plan), pct_start=0.06, cycle_momentum=False
    )
    started, running = time.time(), 0.0
    for step, batch in enumerate(plan, 1):
        loss = loss_of(network, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        network.pack()
        running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
        if step % 50 == 0:
            used, passed = time.process_time(), time.time() - started
            print(
                f"{step}/{len(plan)} loss {running:.4f} {passed:.0f} s, {used:.0f} s of processor",
                flush=True,
            )
            torch.save(network.parameters(), args.out / "trained.pt")


def collect(args: Any) -> tuple[list[Labelled], list[Labelled]]:
    """Return the training texts, augmented, and those set aside for calibration."""
    rng = np.random.default_rng(args.seed)
    banned = Evaluated.below(args.data / "dev")
    found = gather(args.data / "train", banned, rng)
    own = own_sentences(args.own, banned, rng)
    aside = [item for item in (*found, *own) if _is_aside(item.text)]
    kept = [item for item in found if not _is_aside(item.text)]
    chosen = rng.choice(len(kept), int(len(kept) * args.share), replace=False)
    items = [kept[int(i)] for i in chosen] + [item for item in own if not _is_aside(item.text)]
    return augmented(items, rng), aside


def _is_aside(text: str) -> bool:
    """Say whether a text is kept for calibration; depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100 < ASIDE_PERCENT


def write_card(path: Path, texts: dict[str, Any], args: Any) -> None:
    """Write the card's account of the training; ``llmaudit scorers measure`` adds the figures."""
    settings = (
        "seed",
        "share",
        "own",
        "epochs",
        "tokens",
        "rate",
        "rank",
        "scale",
        "hidden",
    )
    card = {
        "name": "toxicity",
        "construct": "toxicity",
        "intended_use": "Rates and means of abusive text in English answers of language models, to "
        "compare groups, models and versions. Not for moderating what people write, and not for "
        "judging a single text.",
        "languages": ["en"],
        "licence": f"Apache-2.0 (base {HUB_ID}: {BASE_LICENCE})",
        "base": HUB_ID,
        "method": "low-rank differences of every matrix, biases, norms and a two-layer head on the "
        "first, mean and largest of the last states; graded labels; differences rounded to bytes; "
        f"Platt calibration on texts set aside, weighted to {RATE:.0%} abusive texts (sorts of "
        f"abuse: {SORT_RATE:.0%})",
        "settings": {name: getattr(args, name) for name in (*settings, "length")},
        "training_data": [one | {"texts": _texts_of(one["id"], texts)} for one in DATASETS]
        + [{**OWN_SENTENCES, "texts": _texts_of("carriers", texts)}],
        "training_texts": texts,
        "evaluation": {},
        "not_measured": "Trained anew, not measured since.",
        "caveats": [
            "English only.",
            "Trained on comments and posts, not on the output of language models.",
            "No text of the evaluation sets was trained on; duplicates and texts that share most "
            "word triples with one were removed first.",
            "The sentences of our own follow phenomena that HateCheck tests too (negation, "
            "counter-speech, threats, harmless profanity), in other words: its figure says more "
            "about these phenomena than about hate speech in the wild.",
            "Calibrated for text of which about a tenth is abusive; on balanced text it is "
            "cautious.",
            "None of the sentences of probes/calibration was trained on, but 19 of the 164 share "
            "most word triples with sentences of our own that were: its figures on that set may "
            "flatter it a little.",
        ],
    }
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _texts_of(source: str, texts: dict[str, Any]) -> int:
    """Return how many texts came from a source, in every form it was used in."""
    forms = (name for name in texts if name == source or name.startswith(f"{source}_"))
    return sum(int(texts[name]["texts"]) for name in forms)


def main() -> None:
    """Parse the options, train, calibrate, write."""
    args = parse()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    items, aside = collect(args)
    print(len(items), "texts,", len(aside), "set aside", json.dumps(summary(items)), flush=True)
    trained = args.out / "trained.pt"
    if not args.calibrate_only:
        tensors, shape = read_base(args.base)
        network = Network(
            tensors, shape, rank=args.rank, scale=args.scale, hidden=args.hidden, labels=len(LABELS)
        )
        tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
        fit(network, encode(items, tokenizer, args.length), args)
        torch.save(network.parameters(), trained)
    kept, weights = torch.load(trained, weights_only=True), args.out / "toxicity.safetensors"
    write_weights(weights, kept, dict.fromkeys(LABELS, (1.0, 0.0)), args)
    found = calibrate(weights, aside, args)
    write_weights(weights, kept, found, args)
    write_card(args.out / "toxicity-card.json", summary(items), args)
    print("calibration", found, "written to", weights, weights.stat().st_size, "bytes")


def parse() -> argparse.Namespace:
    """Return the options; the defaults are those of the shipped weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibrate-only", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.62)
    parser.add_argument("--own", type=int, default=18000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--length", type=int, default=80)
    args = parser.parse_args()
    args.labels = LABELS
    return args


if __name__ == "__main__":
    main()
