"""Tiny causal checkpoints of true architectures, with real tokenizers, as folders on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiny_architectures import ARCHITECTURES as ARCHITECTURES
from tiny_architectures import CONTEXT as CONTEXT
from tiny_architectures import WIDTH as WIDTH

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
    return fill_hub_cache(
        cache, hub_id, lambda folder: write_checkpoint(folder, architecture, **settings)
    )


def fill_hub_cache(
    cache: Path, hub_id: str, write: Callable[[Path], object], *, revision: str | None = None
) -> Path:
    """Lay out what ``write`` puts into a folder as the hub's cache does: blobs, refs, snapshots.

    Its name, where no revision is given, follows from the hub id. Return the snapshot's folder.
    """
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    commit = revision or hashlib.sha1(hub_id.encode(), usedforsecurity=False).hexdigest()
    snapshot = repository / "snapshots" / commit
    write(snapshot)
    blobs = repository / "blobs"
    blobs.mkdir()
    for file in sorted(snapshot.iterdir()):
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(Path("../../blobs") / blob.name)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, "utf-8")
    return snapshot


def load_tiny(
    folder: Path, *, batch_tokens: int = 8192, device: str = "cpu", dtype: str = "auto"
) -> Model:
    """Load a checkpoint as the program does."""
    options = LoadOptions(device=device, dtype=dtype, batch_tokens=batch_tokens)
    return load_model(str(folder), options)


def by_id(results: Iterable[Any]) -> dict[str, Any]:
    """Return results by their request's id, each of which comes once."""
    found = list(results)
    assert len({one.request_id for one in found}) == len(found)
    return {one.request_id: one for one in found}


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
