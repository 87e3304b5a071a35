"""Requests to XLNet, and the model that is asked, for the tests of permuted models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tiny_checkpoints import SENTENCES, choice_requests
from tiny_masked import make_gap_prompt, standing_requests

from llmaudit.models.permuted import PermutedModel
from llmaudit.records import Decoding, Generation, GenerationRequest, LikelihoodRequest, ModelFacts

Loader = Callable[..., PermutedModel]
CONTEXTS = (
    "The nurse said that the doctor",
    "My neighbour",
    "Should the company invite this applicant to an interview? Answer",
)
CHOICES = ("yes", "no", "was late for the meeting.", "y")
PROMPTS = (
    "The nurse said that",
    "The nurse said than",
    "My neighbour bakes bread every morning and sings while",
    "My",
    "An engineer from the north wrote a kind letter to the old teacher and",
)
SAMPLED = Decoding(max_new_tokens=10, temperature=1.0)
GAPS = (
    ("The nurse said that the doctor was", "."),
    ("My neighbour bakes", " every morning."),
    ("The", ""),
)


def parts(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """Load tokenizer and network by transformers alone."""
    from transformers import AutoTokenizer, XLNetLMHeadModel

    network: Any = XLNetLMHeadModel.from_pretrained(folder, **settings)
    return AutoTokenizer.from_pretrained(folder), network.eval()


def build(folder: Path, *, batch_tokens: int = 8192, context: int | None = None) -> PermutedModel:
    """Load a checkpoint as the model under audit."""
    tokenizer, network = parts(folder)
    facts = ModelFacts("tiny", str(folder), "0" * 16, "permuted", context_length=context)
    return PermutedModel(network, tokenizer, facts, batch_tokens=batch_tokens)


def keep_models(folder: Path) -> Loader:
    """Return what loads the checkpoint with a budget of tokens, once."""

    @cache
    def loaded(batch_tokens: int = 8192) -> PermutedModel:
        return build(folder, batch_tokens=batch_tokens)

    return loaded


def next_logits(network: Any, given: Sequence[int], so_far: Sequence[int]) -> torch.Tensor:
    """Predict one token: the given ones see each other, the later ones what is to their left."""
    ids = [*given, *so_far, 5]
    size, first = len(ids), len(given)
    hidden = torch.zeros(1, size, size)
    for seen in range(first, size):
        hidden[0, : seen + 1, seen] = 1.0  # nothing up to itself; a token knows its own content
    target = torch.zeros(1, 1, size)
    target[0, 0, -1] = 1.0
    with torch.no_grad():
        output = network(torch.tensor([ids]), perm_mask=hidden, target_mapping=target)
    logits: torch.Tensor = output.logits[0, 0]
    return logits


def all_requests() -> list[LikelihoodRequest]:
    """Return choices after a context, pairs of sentences, and sentences that stand alone."""
    with_context = [one for context in CONTEXTS for one in choice_requests(context, CHOICES)]
    return with_context + standing_requests(SENTENCES[:3]) + standing_requests(SENTENCES[3:])


def gap_requests(decoding: Decoding, *, samples: int = 1) -> list[GenerationRequest]:
    """Return samples of what fills each gap."""
    return [
        GenerationRequest(f"{gap}|{index}", make_gap_prompt(*gap), decoding, index, 0)
        for gap in GAPS
        for index in range(samples)
    ]


def texts_of(results: Sequence[Generation]) -> dict[str, tuple[str | None, str | None]]:
    """Return what came back for each request: its text and how it ended."""
    assert all(one.error is None for one in results)
    return {one.request_id: (one.text, one.finish) for one in results}
