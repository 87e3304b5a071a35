"""Tiny checkpoints of masked models and of XLNet, with tokenizers of their kinds, trained here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny_checkpoints import SENTENCES, WIDTH, make_prompt

from llmaudit.records import GAP, LikelihoodRequest, Message, Prompt, Task

CONTEXT = 96
_SHAPE: Mapping[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 2 * WIDTH,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}
_DISTILBERT: Mapping[str, Any] = {
    "dim": WIDTH,
    "n_layers": 2,
    "n_heads": 4,
    "hidden_dim": 2 * WIDTH,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}
_XLNET: Mapping[str, Any] = {
    "d_model": WIDTH,
    "n_layer": 2,
    "n_head": 4,
    "d_inner": 2 * WIDTH,
    "initializer_range": 0.3,
}

#: Architecture to (configuration class, tokenizer, what differs from the configuration's defaults).
MASKED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "bert-cased": ("BertConfig", "wordpiece", _SHAPE),
    "bert-uncased": ("BertConfig", "wordpiece-uncased", _SHAPE),
    "bert-multilingual": ("BertConfig", "wordpiece", {**_SHAPE, "num_hidden_layers": 3}),
    "distilbert": ("DistilBertConfig", "wordpiece-uncased", _DISTILBERT),
    "roberta": ("RobertaConfig", "bytes", _SHAPE),
    "xlm-roberta": ("XLMRobertaConfig", "unigram-roberta", _SHAPE),
    "albert": ("AlbertConfig", "unigram", {**_SHAPE, "embedding_size": 16}),
}


def train_wordpiece(*, lowercase: bool = False) -> Any:
    """Return a WordPiece tokenizer as BERT's: ``[CLS] text [SEP]``."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token=special[1]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False)
    backend.train_from_iterator(SENTENCES, trainer)
    _frame(backend, "[CLS] $A [SEP]", ("[CLS]", "[SEP]"))
    named = zip(
        ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **dict(named)
    )


def train_bytes() -> Any:
    """Return a byte-level BPE tokenizer as RoBERTa's: ``<s>text</s>``, padding with number 1."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    mask = AddedToken("<mask>", lstrip=True, special=True)
    backend.add_special_tokens([mask])
    _frame(backend, "<s> $A </s>", ("<s>", "</s>"))
    named = {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": mask}
    named |= dict.fromkeys(("bos_token", "cls_token"), "<s>")
    named |= dict.fromkeys(("eos_token", "sep_token"), "</s>")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **named
    )


def train_unigram(kind: str) -> Any:
    """Return a Unigram tokenizer as ALBERT's, XLM-R's or XLNet's: what frames a text differs."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    start, end = ("<s>", "</s>") if kind == "unigram-roberta" else ("[CLS]", "[SEP]")
    if kind == "xlnet":
        start, end = "<cls>", "<sep>"
    named = {"cls_token": start, "sep_token": end, "pad_token": "<pad>", "unk_token": "<unk>"}
    mask = AddedToken("[MASK]" if kind == "unigram" else "<mask>", lstrip=True, special=True)
    special = [start, "<pad>", end, "<unk>", str(mask.content)]
    if kind == "xlnet":
        special += ["<s>", "</s>", "<eod>", "<eop>"]
        named |= {"bos_token": "<s>", "eos_token": "</s>"}
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=special, show_progress=False, **{"unk_token": "<unk>"}
    )
    backend.train_from_iterator(SENTENCES * 4, trainer)
    backend.add_special_tokens([mask])
    frame = f"$A {end} {start}" if kind == "xlnet" else f"{start} $A {end}"
    _frame(backend, frame, (start, end))
    extra = ["<eop>", "<eod>"] if kind == "xlnet" else []
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, mask_token=mask, additional_special_tokens=extra, **named
    )


def _frame(backend: Any, template: str, special: tuple[str, ...]) -> None:
    from tokenizers import processors

    numbers = [(token, backend.token_to_id(token)) for token in special]
    backend.post_processor = processors.TemplateProcessing(single=template, special_tokens=numbers)


def train_tokenizer_of(kind: str) -> Any:
    """Return the tokenizer that a row of ``MASKED`` names, or XLNet's."""
    if kind.startswith("wordpiece"):
        return train_wordpiece(lowercase=kind.endswith("uncased"))
    return train_bytes() if kind == "bytes" else train_unigram(kind)


def write_masked_checkpoint(
    folder: Path, architecture: str = "bert-uncased", *, seed: int = 0, **overrides: Any
) -> Path:
    """Write a randomly initialised masked model of a row of ``MASKED`` with its tokenizer."""
    kind, tokenizer, settings = MASKED[architecture]
    auto = "AutoModelForMaskedLM"
    return _write(
        folder, auto, kind, train_tokenizer_of(tokenizer), seed, {**settings, **overrides}
    )


def write_permuted_checkpoint(folder: Path, *, seed: int = 0, **overrides: Any) -> Path:
    """Write a randomly initialised XLNet with its tokenizer; return the folder."""
    settings = {**_XLNET, **overrides}
    return _write(folder, "XLNetLMHeadModel", "XLNetConfig", train_unigram("xlnet"), seed, settings)


def _write(
    folder: Path, auto: str, kind: str, tokenizer: Any, seed: int, settings: Mapping[str, Any]
) -> Path:
    import torch
    import transformers

    config = getattr(transformers, kind)(
        **{
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            **settings,
        }
    )
    torch.manual_seed(seed)
    make: Any = getattr(transformers, auto)
    network = make.from_config(config) if auto.startswith("Auto") else make(config)
    # Biases start as zeros and layer norms as ones, which would hide a forgotten one.
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def break_token(folder: Path, token: str) -> None:
    """Make a token's input embedding NaN, untying the output head's from it."""
    import torch
    import transformers

    architecture = json.loads((folder / "config.json").read_text("utf-8"))["architectures"][0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = getattr(transformers, architecture).from_pretrained(folder, tie_word_embeddings=False)
    with torch.no_grad():
        number = tokenizer.convert_tokens_to_ids(token)
        network.get_input_embeddings().weight[number] = float("nan")
    network.save_pretrained(folder)


def make_gap_prompt(before: str, after: str = ".") -> Prompt:
    """Return a prompt with a gap between two texts, whose id follows from them."""
    return Prompt(
        id=hashlib.sha256(f"{before}|{after}".encode()).hexdigest()[:16],
        probe_set="test",
        probe_set_digest="0" * 16,
        template_id="t",
        pair_id="p",
        axis=None,
        group=None,
        language="en",
        task=Task.GENERATE,
        messages=(Message("user", before),),
        plain=before,
        tags={GAP: after},
    )


def standing_requests(texts: Sequence[str]) -> list[LikelihoodRequest]:
    """Return one request per text of a prompt whose choices stand alone."""
    name = "|".join(texts)
    prompt = make_prompt("", choices={text: text for text in texts})
    prompt = replace(prompt, id=hashlib.sha256(name.encode()).hexdigest()[:16])
    return [LikelihoodRequest(f"{name}||{text}", prompt, text) for text in texts]
