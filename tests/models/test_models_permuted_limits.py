"""What XLNet cannot take is refused or recorded, and a 16-bit network comes near to float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from permuted_cases import (
    PROMPTS,
    SAMPLED,
    Loader,
    all_requests,
    build,
    gap_requests,
    keep_models,
    parts,
    texts_of,
)
from tiny_checkpoints import SENTENCES, choice_requests, make_prompt, sample_requests
from tiny_masked import break_token, standing_requests, train_unigram, write_permuted_checkpoint

from llmaudit.errors import ModelError
from llmaudit.models.base import Model
from llmaudit.models.permuted import LIKELIHOOD_DEFINITION, PermutedModel
from llmaudit.records import Capability, ErrorKind, LikelihoodRequest, ModelFacts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_permuted_checkpoint(tmp_path_factory.mktemp("xlnet"))


@pytest.fixture(scope="module")
def load(folder: Path) -> Loader:
    return keep_models(folder)


def test_what_the_network_would_forget_is_kept(tmp_path: Path) -> None:
    """A configuration made for training cuts the memory to a few tokens."""
    short = write_permuted_checkpoint(tmp_path / "a", mem_len=4, reuse_len=2)
    whole = write_permuted_checkpoint(tmp_path / "b")
    requests = sample_requests(PROMPTS, SAMPLED)
    tokenizer, network = parts(short)
    other = PermutedModel(network, parts(whole)[0], build(whole).facts)
    other._encoder = build(whole)._encoder
    assert network.transformer.mem_len is None
    network.load_state_dict(parts(whole)[1].state_dict())
    assert texts_of(list(other.generate(requests))) == texts_of(
        list(build(whole).generate(requests))
    )
    assert tokenizer is not None


@pytest.mark.parametrize("settings", [{"attn_type": "uni"}, {"bi_data": True}])
def test_other_ways_of_reading_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    folder = write_permuted_checkpoint(tmp_path, **settings)
    with pytest.raises(ModelError, match="attn_type 'bi' and bi_data false"):
        build(folder)


def test_another_network_is_refused(folder: Path) -> None:
    tokenizer, network = parts(folder)
    facts = ModelFacts("tiny", "x", "0" * 16, "permuted")
    with pytest.raises(ModelError, match="cannot be audited"):
        PermutedModel(torch.nn.Linear(1, 1), tokenizer, facts)
    tokenizer = train_unigram("unigram")
    with pytest.raises(ModelError, match="to begin a text with"):
        PermutedModel(network, tokenizer, facts)


def test_texts_longer_than_the_context_are_too_long(folder: Path) -> None:
    """The shipped XLNets name no context length; where one is named, it holds."""
    model = build(folder, context=40)
    long = " ".join(SENTENCES)
    samples = {
        one.request_id: one for one in model.generate(sample_requests([long, "My"], SAMPLED))
    }
    error = samples[f"{long}|0|0"].error
    assert error is not None
    assert error.kind is ErrorKind.TOO_LONG
    assert samples["My|0|0"].error is None
    (scored,) = model.likelihood(choice_requests(long, ["yes"]))
    assert scored.error is not None
    assert scored.error.kind is ErrorKind.TOO_LONG
    assert list(model.generate(sample_requests([long], SAMPLED), done={f"{long}|0|0"})) == []


def test_choices_that_cannot_be_scored_are_unsupported(load: Loader) -> None:
    (empty,) = load().likelihood(standing_requests([""]))
    assert empty.error is not None
    assert empty.error.kind is ErrorKind.UNSUPPORTED
    assert "no tokens" in empty.error.message
    unknown = LikelihoodRequest("id", make_prompt("Is it", choices={"yes": "yes"}), "perhaps")
    (found,) = load().likelihood([unknown])
    assert found.error is not None
    assert "'perhaps'" in found.error.message
    assert list(load().likelihood([unknown], done={"id"})) == []


def test_a_broken_token_fails_only_the_texts_it_is_in(tmp_path: Path) -> None:
    folder = write_permuted_checkpoint(tmp_path)
    break_token(folder, "<eop>")
    model = build(folder)
    requests = [
        *choice_requests("The nurse", ["said that"]),
        *choice_requests("The <eop> nurse", ["said that"]),
    ]
    found = {one.request_id: one for one in model.likelihood(requests)}
    assert found[requests[0].id].error is None
    error = found[requests[1].id].error
    assert error is not None
    assert error.kind is ErrorKind.NAN_LOGITS
    texts = ["The nurse", "The <eop> nurse", "My neighbour bakes bread"]
    samples = {one.request_id: one for one in model.generate(sample_requests(texts, SAMPLED))}
    failed = {key for key, one in samples.items() if one.error is not None}
    assert failed == {"The <eop> nurse|0|0"}


@pytest.mark.parametrize("most", [1, 3])
def test_a_full_memory_halves_the_batch_and_goes_on(most: int, folder: Path, load: Loader) -> None:
    samples = sample_requests(PROMPTS, SAMPLED, samples=5)
    texts = texts_of(list(load().generate(samples)))
    logprobs = {one.request_id: one.logprob for one in load().likelihood(all_requests())}
    model = build(folder)

    def fault(_module: Any, _inputs: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[0] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    model._network.network.register_forward_pre_hook(fault, with_kwargs=True)
    assert texts_of(list(model.generate(samples))) == texts
    for one in model.likelihood(all_requests()):
        assert one.logprob == pytest.approx(logprobs[one.request_id], abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_come_near_to_float32(dtype: torch.dtype, folder: Path, load: Loader) -> None:
    tokenizer, network = parts(folder, dtype=dtype)
    model = PermutedModel(network, tokenizer, load().facts)
    whole = {one.request_id: one.logprob for one in load().likelihood(all_requests())}
    for one in model.likelihood(all_requests()):
        assert one.error is None
        assert one.logprob == pytest.approx(whole[one.request_id], abs=0.15 * one.tokens)
    assert all(one.error is None for one in model.generate(sample_requests(PROMPTS, SAMPLED)))
    assert all(one.error is None for one in model.generate(gap_requests(SAMPLED)))


def test_a_permuted_model_is_a_model(load: Loader) -> None:
    assert isinstance(load(), Model)
    assert load().capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}
    assert load().format_prompt(make_prompt("My")) == "My"
    assert LIKELIHOOD_DEFINITION.startswith("Permuted: the sum of ln p")
