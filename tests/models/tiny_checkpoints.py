"""Tiny causal checkpoints of true architectures, with real tokenizers, as folders on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.records import (
    Decoding,
    GenerationRequest,
    LikelihoodRequest,
    Message,
    Prompt,
    Task,
)

WIDTH, HEADS, LAYERS, CONTEXT = 32, 4, 2, 256
END, START, TURN, BROKEN = "<end>", "<start>", "<turn>", "<broken>"
SPECIAL = (END, START, TURN, BROKEN)
SENTENCES = (
    "The nurse said that the doctor was late for the long meeting.",
    "An engineer from the north wrote a kind letter to the old teacher.",
    "My neighbour bakes bread every morning and sings while the oven is hot.",
    "Write a short story about a person who moved to a new town last year.",
    "Should the company invite this applicant to an interview? Answer yes or no.",
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<turn>{{ m['role'] }}: {{ m['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<turn>assistant: {% endif %}"
)
REFUSING_TEMPLATE = (
    "{% if 'forbidden' in messages[0]['content'] %}{{ raise_exception('no such word') }}{% endif %}"
    + CHAT_TEMPLATE
)

_SHARED: Mapping[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "initializer_range": 0.3,
}
_MODERN: Mapping[str, Any] = {
    **_SHARED,
    "intermediate_size": 2 * WIDTH,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
_FALCON: Mapping[str, Any] = {
    **_SHARED,
    "multi_query": True,
    "parallel_attn": True,
    "bias": False,
    "new_decoder_architecture": False,
    "max_position_embeddings": CONTEXT,
}
_GEMMA: Mapping[str, Any] = {
    **_MODERN,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "sliding_window": 8,
    "attn_logit_softcapping": 5.0,
    "final_logit_softcapping": 3.0,
}

#: Architecture to (configuration class, what differs from its defaults).
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "llama": ("LlamaConfig", _MODERN),
    "gpt2": (
        "GPT2Config",
        {
            "n_embd": WIDTH,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "n_positions": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "hidden_size": WIDTH,
            "num_layers": LAYERS,
            "num_heads": HEADS,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 6,
            "max_position_embeddings": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "gpt_neox": (
        "GPTNeoXConfig",
        {**_SHARED, "intermediate_size": 2 * WIDTH, "max_position_embeddings": CONTEXT},
    ),
    "falcon-rotary": ("FalconConfig", {**_FALCON, "alibi": False}),
    "falcon-alibi": ("FalconConfig", {**_FALCON, "alibi": True}),
    "bloom": (
        "BloomConfig",
        {
            "hidden_size": WIDTH,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "seq_length": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "mpt": (
        "MptConfig",
        {
            "d_model": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "max_seq_len": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "mistral": ("MistralConfig", {**_MODERN, "sliding_window": 8}),
    "opt": (
        "OPTConfig",
        {
            "hidden_size": WIDTH,
            "word_embed_proj_dim": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "ffn_dim": 2 * WIDTH,
            "max_position_embeddings": CONTEXT,
            "init_std": 0.3,
        },
    ),
    "qwen2": ("Qwen2Config", _MODERN),
    "gemma2": ("Gemma2Config", _GEMMA),
    "mixtral": ("MixtralConfig", {**_MODERN, "num_local_experts": 4, "sliding_window": None}),
    "lfm2": (
        "Lfm2Config",
        {
            **_MODERN,
            "layer_types": ["conv", "full_attention"],
            "block_auto_adjust_ff_dim": False,
        },
    ),
}


def train_tokenizer(*, start: bool = False, chat_template: str | None = None) -> Any:
    """Return a byte-level BPE tokenizer trained on a few sentences.

    With ``start`` it puts the beginning-of-text token before every text, as Llama's does.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    if start:
        number = backend.token_to_id(START)
        backend.post_processor = processors.TemplateProcessing(
            single=f"{START} $A", special_tokens=[(START, number)]
        )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, bos_token=START, eos_token=END, chat_template=chat_template
    )


def write_checkpoint(
    folder: Path,
    architecture: str = "llama",
    *,
    seed: int = 0,
    start: bool = False,
    chat_template: str | None = None,
    broken_token: bool = False,
    **overrides: Any,
) -> Path:
    """Write a randomly initialised model as safetensors, with its tokenizer; return the folder.

    With ``broken_token`` the embedding of the token ``<broken>`` is NaN.
    """
    import torch
    import transformers

    tokenizer = train_tokenizer(start=start, chat_template=chat_template)
    kind, settings = ARCHITECTURES[architecture]
    config = getattr(transformers, kind)(
        **{
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": None,
            **settings,
            **overrides,
        }
    )
    torch.manual_seed(seed)
    make_network: Any = transformers.AutoModelForCausalLM.from_config
    network = make_network(config)
    if broken_token:
        with torch.no_grad():
            number = tokenizer.convert_tokens_to_ids(BROKEN)
            network.get_input_embeddings().weight[number] = float("nan")
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_hub_cache(cache: Path, hub_id: str, architecture: str, **settings: Any) -> Path:
    """Write a checkpoint as the hub's cache lays it out; return the snapshot's folder."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    commit = hashlib.sha1(hub_id.encode(), usedforsecurity=False).hexdigest()
    snapshot = write_checkpoint(repository / "snapshots" / commit, architecture, **settings)
    blobs = repository / "blobs"
    blobs.mkdir()
    for file in sorted(snapshot.iterdir()):
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(Path("../../blobs") / blob.name)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, "utf-8")
    return snapshot


def load_tiny(folder: Path, *, batch_tokens: int = 8192, device: str = "cpu") -> Model:
    """Load a checkpoint as the program does."""
    return load_model(str(folder), LoadOptions(device=device, batch_tokens=batch_tokens))


def edit_json(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes a key out."""
    stored = json.loads(file.read_text("utf-8")) | changes
    file.write_text(
        json.dumps({key: value for key, value in stored.items() if value is not None}), "utf-8"
    )


def make_prompt(
    text: str, *, choices: Mapping[str, str] | None = None, turns: bool = True
) -> Prompt:
    """Return a prompt whose id follows from its text; ``turns`` says whether a chat can be sent."""
    task = Task.GENERATE if choices is None else Task.CHOICES
    return Prompt(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        probe_set="test",
        probe_set_digest="0" * 16,
        template_id="t",
        pair_id="p",
        axis=None,
        group=None,
        language="en",
        task=task,
        messages=(Message("user", text),) if turns and text else (),
        plain=text,
        choices=choices or {},
    )


def sample_requests(
    texts: Sequence[str], decoding: Decoding, *, samples: int = 1, seed: int = 0
) -> list[GenerationRequest]:
    """Return ``samples`` requests per text, with ids that say which they are."""
    return [
        GenerationRequest(f"{text}|{index}|{seed}", make_prompt(text), decoding, index, seed)
        for text in texts
        for index in range(samples)
    ]


def choice_requests(context: str, choices: Sequence[str]) -> list[LikelihoodRequest]:
    """Return one request per choice after a context; an empty context: texts that stand alone."""
    prompt = make_prompt(context, choices={choice: choice for choice in choices})
    return [LikelihoodRequest(f"{context}|{choice}", prompt, choice) for choice in choices]
