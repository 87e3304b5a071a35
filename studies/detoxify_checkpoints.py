"""Makes checkpoints in Detoxify's own format, with random weights, and what they were trained from.

The published checkpoints are large and lie on a site that not every machine reaches. Speed and
arithmetic do not depend on what the weights say, so these have the published ones' networks,
classes and layout, and a tokenizer of the same kind that is learnt from the texts given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from llmaudit.scorers.detoxify_variants import VARIANTS, Variant

RAW_NAMES = {
    "toxicity": "toxic",
    "severe_toxicity": "severe_toxic",
    "identity_attack": "identity_hate",
}
"""What the first challenge called the classes that the library gives other names."""
OUTPUTS = 16
"""Of the variants that were also trained to tell which groups are named."""
SPREAD = 5.0
"""Factor of the classifier's random weights, so that scores differ between texts."""
_SIZES: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {
        "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    },
    "XLMRoberta": {
        "vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    },
    "Albert": {
        "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072,
        "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0,
    },
}  # fmt: skip


def write_base(
    folder: Path, variant: Variant, texts: Sequence[str], *, length: int = 512, **sizes: Any
) -> Path:
    """Write configuration and tokenizer of a variant's base and return their folder.

    Parameters
    ----------
    folder : Path
        Gets a folder of the base's name.
    variant : Variant
    texts : sequence of str
        The tokenizer is learnt from them.
    length : int
        The most word pieces of a text.
    **sizes
        Of the network, where they are not those of the published base.
    """
    target = folder / variant.base.name
    kind = variant.base.kind
    tokenizer = _learn_tokenizer(kind, texts, length)
    tokenizer.save_pretrained(target)
    config = getattr(transformers, f"{kind}Config")(**{**_SIZES[kind], **sizes})
    config.pad_token_id = tokenizer.pad_token_id
    config.save_pretrained(target)
    return target


def write_checkpoint(path: Path, variant: Variant, base: Path, **changes: Any) -> Path:
    """Write a checkpoint with random weights and return its path; ``changes`` replace its parts."""
    torch.save({**checkpoint_content(variant, base), **changes}, path)
    return path


def checkpoint_content(variant: Variant, base: Path) -> dict[str, Any]:
    """Return what a variant's checkpoint holds, as the library's own script writes it."""
    torch.manual_seed(0)
    kind, first = variant.base.kind, "sexual_explicit" not in variant.labels
    outputs = len(variant.labels) if first else OUTPUTS
    network = getattr(transformers, f"{kind}ForSequenceClassification")
    model = network(network.config_class.from_pretrained(base, num_labels=outputs))
    state = model.state_dict()
    for name in [name for name in state if "classifier" in name and name.endswith("weight")]:
        state[name] = state[name] * SPREAD
    positions = state[f"{model.base_model_prefix}.embeddings.position_embeddings.weight"]
    state[f"{model.base_model_prefix}.embeddings.position_ids"] = (
        torch.arange(len(positions)).expand((1, -1)).clone()
    )
    names = [RAW_NAMES.get(name, name) if first else name for name in variant.labels]
    architecture = {
        "num_classes": outputs,
        "model_type": variant.base.name,
        "model_name": f"{kind}ForSequenceClassification",
        "tokenizer_name": f"{kind}Tokenizer",
    }
    return {
        "state_dict": state,
        "config": {
            "name": f"Jigsaw_{kind}",
            "arch": {"type": kind.upper(), "args": architecture},
            "dataset": {"type": "JigsawData", "args": {"classes": names, "val_fraction": None}},
            "optimizer": {"type": "Adam", "args": {"lr": 3e-05, "amsgrad": True}},
        },
    }


def _learn_tokenizer(kind: str, texts: Sequence[str], length: int) -> Any:
    """Return a tokenizer of the base's kind, learnt from texts."""
    made = getattr(transformers, f"{kind}Tokenizer")
    learnt, special = _pieces(kind, texts)
    if kind == "Bert":
        vocab = {piece: i for i, piece in enumerate([*special, *learnt.get_vocab()])}
        return made(vocab=vocab, model_max_length=length)
    if kind == "Roberta":
        found = learnt.get_vocab()
        vocab = {piece: i for i, piece in enumerate([*special, *sorted(found, key=found.get)])}
        return made(vocab=vocab, merges=_merges(learnt), model_max_length=length)
    scores = _scores(learnt)
    return made(vocab=[*((one, 0.0) for one in special), *scores], model_max_length=length)


def _pieces(kind: str, texts: Sequence[str]) -> tuple[Tokenizer, list[str]]:
    """Return a trained tokenizer and the special tokens that stand before its pieces."""
    if kind == "Bert":
        learnt = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
        learnt.normalizer = normalizers.BertNormalizer()
        learnt.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=30000, show_progress=False)
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    elif kind == "Roberta":
        learnt = Tokenizer(models.BPE())
        learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=50000, show_progress=False, initial_alphabet=alphabet
        )
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    else:
        learnt = Tokenizer(models.Unigram())
        learnt.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        )
        if kind == "Albert":
            learnt.normalizer = normalizers.Lowercase()
        trainer = trainers.UnigramTrainer(vocab_size=20000, show_progress=False)
        albert = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
        special = albert if kind == "Albert" else ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    learnt.train_from_iterator(texts, trainer)
    return learnt, special


def _merges(learnt: Tokenizer) -> list[tuple[str, str]]:
    import json

    return [tuple(pair) for pair in json.loads(learnt.to_str())["model"]["merges"]]


def _scores(learnt: Tokenizer) -> list[tuple[str, float]]:
    import json

    return [(piece, score) for piece, score in json.loads(learnt.to_str())["model"]["vocab"]]


def variant_named(name: str) -> Variant:
    """Return a variant of the library by its name."""
    return VARIANTS[name]
