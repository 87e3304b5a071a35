"""Tiny random classifiers of transformers, with a real tokenizer, as folders on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

PAD, UNKNOWN, START, END = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = (
    *SPECIAL,
    *("you", "are", "kind", "rude", "the", "sun", "is", "out", "today", "friend", "."),
)
POSITIONS = 24


def train_words() -> Any:
    """Return a tokenizer of whole words that puts [CLS] and [SEP] around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: place for place, word in enumerate(WORDS)}
    backend = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, ids[START]), (END, ids[END])]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        unk_token=UNKNOWN,
        pad_token=PAD,
        cls_token=START,
        sep_token=END,
    )


def write_classifier(
    folder: Path,
    labels: Mapping[int, str],
    *,
    tokens: bool = False,
    problem_type: Literal["multi_label_classification"] | None = None,
    seed: int = 0,
) -> Path:
    """Write a two-layer random BERT that classifies texts or tokens; return its folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS,
        initializer_range=0.5,
        id2label=dict(labels),
        label2id={name: place for place, name in labels.items()},
        problem_type=problem_type,
    )
    kind = BertForTokenClassification if tokens else BertForSequenceClassification
    kind(config).save_pretrained(folder)
    train_words().save_pretrained(folder)
    return folder


def write_decoder_classifier(folder: Path, labels: Mapping[int, str]) -> Path:
    """Write a tiny GPT-2 that classifies texts and knows no padding; return its folder."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(WORDS),
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=POSITIONS,
        initializer_range=0.5,
        id2label=dict(labels),
        label2id={name: place for place, name in labels.items()},
    )
    GPT2ForSequenceClassification(config).save_pretrained(folder)
    train_words().save_pretrained(folder)
    return folder


def change_config(folder: Path, **changes: Any) -> Path:
    """Change keys of config.json; None takes a key out."""
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), "utf-8")
    return folder
