"""Requests to masked models, and the models that are asked, for the tests of that kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tiny_checkpoints import SENTENCES, choice_requests
from tiny_masked import make_gap_prompt, standing_requests, write_masked_checkpoint

from llmaudit.models.masked import MaskedModel
from llmaudit.records import Decoding, GenerationRequest, LikelihoodRequest, ModelFacts

Loader = Callable[..., MaskedModel]
CONTEXTS = (
    "The nurse said that the doctor",
    "My neighbour",
    "Should the company invite this applicant to an interview? Answer",
    "An engineer from the north wrote a kind letter and",
)
CHOICES = ("yes", "no", "was late for the meeting.", "bakes bread")
PAIRS = (
    ("The nurse said that she was late.", "The nurse said that he was late."),
    ("My old neighbour bakes bread.", "My neighbour bakes old bread every morning."),
    ("the letter", "a letter"),
)
GAPS = (
    ("The nurse said that the doctor was", "."),
    ("My neighbour bakes", " every morning."),
    ("The", ""),
    ("The kind old teacher wrote a long letter to the", "!"),
)
SAMPLED = Decoding(max_new_tokens=8, temperature=1.0)


def parts(folder: Path) -> tuple[Any, Any]:
    """Load tokenizer and network by transformers alone."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    network: Any = AutoModelForMaskedLM.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), network.eval()


def build(folder: Path, *, batch_tokens: int = 8192, context: int | None = None) -> MaskedModel:
    """Load a checkpoint as the model under audit."""
    tokenizer, network = parts(folder)
    facts = ModelFacts("tiny", str(folder), "0" * 16, "masked", context_length=context)
    return MaskedModel(network, tokenizer, facts, batch_tokens=batch_tokens)


def keep_folders(root: Path) -> Callable[[str], Path]:
    """Return what writes the checkpoint of an architecture under ``root``, once."""

    @cache
    def write(architecture: str) -> Path:
        return write_masked_checkpoint(root / architecture, architecture)

    return write


def keep_models(folder: Callable[[str], Path]) -> Loader:
    """Return what loads the model of an architecture with a budget of tokens, once."""

    @cache
    def loaded(architecture: str, batch_tokens: int = 8192) -> MaskedModel:
        return build(folder(architecture), batch_tokens=batch_tokens)

    return loaded


def all_requests() -> list[LikelihoodRequest]:
    """Return choices after a context, pairs of sentences, and sentences that stand alone."""
    with_context = [one for context in CONTEXTS for one in choice_requests(context, CHOICES)]
    return (
        with_context
        + [one for pair in PAIRS for one in standing_requests(pair)]
        + standing_requests(SENTENCES)
    )


def gap_requests(
    decoding: Decoding = SAMPLED, *, samples: int = 1, seed: int = 0
) -> list[GenerationRequest]:
    """Return samples of what fills each gap."""
    return [
        GenerationRequest(f"{gap}|{index}|{seed}", make_gap_prompt(*gap), decoding, index, seed)
        for gap in GAPS
        for index in range(samples)
    ]
