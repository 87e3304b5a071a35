"""Tokenizers of every family's own class, trained on a few sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tiny_checkpoints import SENTENCES

_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_SIZE = 700


def _train_bpe(split: Any, special: Sequence[str], alphabet: Sequence[str] = ()) -> dict[str, Any]:
    """Return the vocabulary and merges of byte-pair encoding on words split in this way."""
    from tokenizers import Tokenizer, models, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=_SIZE,
        special_tokens=list(special),
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    model = json.loads(backend.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def _from_pieces(kind: str, special: Sequence[str], **named: Any) -> Any:
    """Return a tokenizer made by SentencePiece's byte-pair encoding with a byte fallback."""
    import transformers
    from tokenizers import pre_tokenizers

    parts = _train_bpe(pre_tokenizers.Metaspace(), (*special, *_BYTES))
    return getattr(transformers, kind)(**parts, **named)


def _from_bytes(kind: str, special: Sequence[str], **named: Any) -> Any:
    """Return a byte-level tokenizer whose class knows how to be made from a vocabulary."""
    import transformers
    from tokenizers import pre_tokenizers

    level = pre_tokenizers.ByteLevel
    parts = _train_bpe(level(add_prefix_space=False), special, level.alphabet())
    return getattr(transformers, kind)(**parts, **named)


def _from_backend(special: Sequence[str], *, before: str = "", **named: Any) -> Any:
    """Return a byte-level tokenizer of no class of its own, which puts ``before`` first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    level = pre_tokenizers.ByteLevel
    parts = _train_bpe(level(add_prefix_space=False), special, level.alphabet())
    backend = Tokenizer(models.BPE(**parts))
    backend.pre_tokenizer = level(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    if before:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{before} $A", special_tokens=[(before, backend.token_to_id(before))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **named)  # type: ignore[no-untyped-call]


def _from_gpt_words() -> Any:
    """Return the tokenizer of the first GPT: no token begins or ends a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import OpenAIGPTTokenizer

    backend = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    backend.train_from_iterator(SENTENCES, trainer)
    model = json.loads(backend.to_str())["model"]
    merges: Any = [tuple(pair) for pair in model["merges"]]
    return OpenAIGPTTokenizer(vocab=model["vocab"], merges=merges)


def _from_words(*, lowercase: bool) -> Any:
    """Return BERT's tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token=special[1]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False)
    backend.train_from_iterator(SENTENCES, trainer)
    vocabulary = json.loads(backend.to_str())["model"]["vocab"]
    return BertTokenizer(vocab=vocabulary, do_lower_case=lowercase)


def _from_unigrams(kind: str, special: Sequence[str]) -> Any:
    """Return a tokenizer made by SentencePiece's unigram model."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=list(special),
        show_progress=False,
        **{"unk_token": "<unk>"},
    )
    backend.train_from_iterator(SENTENCES * 4, trainer)
    vocabulary = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["vocab"]]
    return getattr(transformers, kind)(vocab=vocabulary)


_ENDED = "<|endoftext|>"
_CHATML = (_ENDED, "<|im_start|>", "<|im_end|>")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_LLAMA_3 = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
_HARMONY = ("<|startoftext|>", _ENDED, "<|return|>", "<|start|>", "<|message|>", "<|end|>")
_ROLES = ("<unk>", "<s>", "</s>", _ENDED, "<|user|>", "<|assistant|>", "<|end|>")

#: Name of a tokenizer to what trains it.
TOKENIZERS: Mapping[str, Callable[[], Any]] = {
    "llama": partial(_from_pieces, "LlamaTokenizer", ("<unk>", "<s>", "</s>"), add_bos_token=True),
    "phi-3": partial(
        _from_pieces,
        "LlamaTokenizer",
        _ROLES,
        add_bos_token=False,
        eos_token=_ENDED,
        pad_token=_ENDED,
        additional_special_tokens=["<|user|>", "<|assistant|>", "<|end|>"],
    ),
    "gemma": partial(
        _from_pieces,
        "GemmaTokenizer",
        ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
        add_bos_token=True,
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
    ),
    "llama-3": partial(
        _from_backend, _LLAMA_3, before=_LLAMA_3[0], bos_token=_LLAMA_3[0], eos_token=_LLAMA_3[1]
    ),
    "falcon": partial(_from_backend, (">>TITLE<<", ">>SUMMARY<<", _ENDED), eos_token=_ENDED),
    "falcon-3": partial(
        _from_backend, (_ENDED, "<|user|>", "<|assistant|>"), eos_token=_ENDED, pad_token=_ENDED
    ),
    "bloom": partial(
        _from_backend,
        ("<unk>", "<s>", "</s>", "<pad>"),
        unk_token="<unk>",  # noqa: S106 - a token of text, no password; so below
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    ),
    "harmony": partial(
        _from_backend,
        _HARMONY,
        bos_token="<|startoftext|>",  # noqa: S106
        eos_token="<|return|>",  # noqa: S106
        pad_token=_ENDED,
    ),
    "openai-gpt": _from_gpt_words,
    "gpt2": partial(_from_bytes, "GPT2Tokenizer", (_ENDED,)),
    "opt": partial(
        _from_bytes,
        "GPT2Tokenizer",
        ("<s>", "<pad>", "</s>", "<unk>"),
        bos_token="</s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        add_bos_token=True,
    ),
    "smollm2": partial(
        _from_bytes,
        "GPT2Tokenizer",
        _CHATML,
        bos_token="<|im_start|>",  # noqa: S106
        eos_token="<|im_end|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    ),
    "neox": partial(_from_bytes, "GPTNeoXTokenizer", (_ENDED, "<|padding|>")),
    "qwen": partial(
        _from_bytes,
        "Qwen2Tokenizer",
        _CHATML,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    ),
    "bert": partial(_from_words, lowercase=False),
    "bert-uncased": partial(_from_words, lowercase=True),
    "roberta": partial(_from_bytes, "RobertaTokenizer", _ROBERTA),
    "albert": partial(
        _from_unigrams, "AlbertTokenizer", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    ),
    "xlm-roberta": partial(_from_unigrams, "XLMRobertaTokenizer", _ROBERTA),
    "xlnet": partial(
        _from_unigrams,
        "XLNetTokenizer",
        ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"),
    ),
}
