"""What a masked model cannot take is refused or recorded, and full memory halves the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from masked_cases import (
    SAMPLED,
    Loader,
    all_requests,
    build,
    gap_requests,
    keep_folders,
    keep_models,
    parts,
)
from tiny_checkpoints import SENTENCES, choice_requests, make_prompt
from tiny_masked import break_token, make_gap_prompt, standing_requests, write_masked_checkpoint

from llmaudit.errors import ModelError
from llmaudit.models.base import Model
from llmaudit.models.masked import LIKELIHOOD_DEFINITION, MaskedModel
from llmaudit.records import Capability, ErrorKind, GenerationRequest, LikelihoodRequest, ModelFacts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return keep_folders(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def load(folder: Callable[[str], Path]) -> Loader:
    return keep_models(folder)


@pytest.mark.parametrize(("architecture", "room"), [("bert-cased", 96), ("roberta", 94)])
def test_a_text_may_fill_the_positions_and_no_more(
    architecture: str, room: int, load: Loader
) -> None:
    """RoBERTa counts its 96 positions from the one after its padding's, number 1."""
    model = load(architecture)
    texts: dict[int, str] = {}
    text = "The nurse said that"
    while room + 1 not in texts:
        text += " the"
        texts[len(model._encoder._bare(text)) + 3] = text  # two special tokens, and the choice
    fits, over = room, room + 1
    found = {
        count: next(iter(model.likelihood(choice_requests(texts[count], ["the"]))))
        for count in (fits, over)
    }
    assert found[fits].error is None
    error = found[over].error
    assert error is not None
    assert error.kind is ErrorKind.TOO_LONG
    assert error.message == f"{room + 1} tokens do not fit the model's context of {room}"
    gap = GenerationRequest("id", make_gap_prompt(texts[over]), SAMPLED, 0, 0)
    (one,) = model.generate([gap])
    assert one.error is not None
    assert one.error.kind is ErrorKind.TOO_LONG


def test_the_facts_may_name_a_shorter_context(folder: Callable[[str], Path]) -> None:
    model = build(folder("bert-cased"), context=6)
    (one,) = model.likelihood(choice_requests("The nurse said that the", ["doctor"]))
    assert one.error is not None
    assert one.error.message.endswith("context of 6")


def test_a_broken_token_fails_only_the_texts_it_is_in(tmp_path: Path) -> None:
    folder = write_masked_checkpoint(tmp_path, "bert-cased")
    break_token(folder, "bread")
    model = build(folder)
    requests = [
        *choice_requests("The nurse", ["said that", "bread"]),
        *choice_requests("My bread", ["said that"]),
    ]
    found = {one.request_id: one for one in model.likelihood(requests)}
    # A token that is only ever masked is never read.
    assert [found[one.id].error is None for one in requests] == [True, True, False]
    error = found[requests[2].id].error
    assert error is not None
    assert error.kind is ErrorKind.NAN_LOGITS
    gaps = [make_gap_prompt("My bread is"), make_gap_prompt("My letter is")]
    samples = [GenerationRequest(str(n), gap, SAMPLED, 0, 0) for n, gap in enumerate(gaps)]
    filled = {one.request_id: one for one in model.generate(samples)}
    assert filled["0"].error is not None
    assert filled["0"].error.kind is ErrorKind.NAN_LOGITS
    assert filled["1"].error is None


@pytest.mark.parametrize("most", [1, 3])
def test_a_full_memory_halves_the_batch_and_goes_on(
    most: int, folder: Callable[[str], Path]
) -> None:
    model = build(folder("distilbert"))
    logprobs = {one.request_id: one.logprob for one in model.likelihood(all_requests())}
    texts = {one.request_id: one.text for one in model.generate(gap_requests(samples=3))}

    def fault(_module: Any, _inputs: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[0] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    model._network.network.register_forward_pre_hook(fault, with_kwargs=True)
    for one in model.likelihood(all_requests()):
        assert one.logprob == pytest.approx(logprobs[one.request_id], abs=1e-4)
    assert {one.request_id: one.text for one in model.generate(gap_requests(samples=3))} == texts


def test_a_text_too_big_for_the_memory_is_recorded_as_that(folder: Callable[[str], Path]) -> None:
    model = build(folder("distilbert"))

    def fault(_module: Any, _inputs: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[1] > 12:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: out of memory")

    model._network.network.register_forward_pre_hook(fault, with_kwargs=True)
    requests = choice_requests("The nurse", ["yes"]) + choice_requests(SENTENCES[0], [SENTENCES[1]])
    found = {one.request_id: one for one in model.likelihood(requests)}
    assert found[requests[0].id].error is None
    error = found[requests[1].id].error
    assert error is not None
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert "Traceback" in error.traceback


def test_choices_that_cannot_be_scored_are_recorded(load: Loader) -> None:
    model = load("bert-cased")
    (empty,) = model.likelihood(standing_requests([""]))
    assert empty.error is not None
    assert empty.error.kind is ErrorKind.UNSUPPORTED
    strangers = standing_requests(["nurse", "bread"])
    for one in model.likelihood(strangers):
        assert one.error is not None
        assert "no tokens to sum over" in one.error.message
    unknown = LikelihoodRequest("id", make_prompt("Is it", choices={"yes": "yes"}), "perhaps")
    (found,) = model.likelihood([unknown])
    assert found.error is not None
    assert "'perhaps'" in found.error.message
    assert list(model.likelihood([unknown], done={"id"})) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_come_near_to_float32(
    dtype: torch.dtype, folder: Callable[[str], Path]
) -> None:
    tokenizer, network = parts(folder("bert-cased"))
    facts = ModelFacts("tiny", "x", "0" * 16, "masked")
    whole = {
        one.request_id: one.logprob
        for one in MaskedModel(network, tokenizer, facts).likelihood(all_requests())
    }
    tokens = {
        one.request_id: one
        for one in MaskedModel(network.to(dtype), tokenizer, facts).likelihood(all_requests())
    }
    for key, one in tokens.items():
        assert one.error is None
        assert one.logprob == pytest.approx(whole[key], abs=0.15 * one.tokens)


def test_a_tokenizer_without_a_mask_and_a_network_without_a_head_are_refused(
    folder: Callable[[str], Path],
) -> None:
    tokenizer, network = parts(folder("bert-cased"))
    facts = ModelFacts("tiny", "x", "0" * 16, "masked")
    with pytest.raises(ModelError, match="no output head"):
        MaskedModel(network.bert, tokenizer, facts)
    tokenizer.mask_token = None
    with pytest.raises(ModelError, match="no mask token"):
        MaskedModel(network, tokenizer, facts)


def test_a_masked_model_is_a_model(load: Loader) -> None:
    model = load("bert-cased")
    assert isinstance(model, Model)
    assert model.capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}
    assert LIKELIHOOD_DEFINITION.startswith("Masked: the pseudo-log-likelihood")
