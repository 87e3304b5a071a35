"""Whatever goes wrong with a request is a recorded error of that request, never an empty answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoints import (
    BROKEN,
    CONTEXT,
    REFUSING_TEMPLATE,
    SENTENCES,
    choice_requests,
    load_tiny,
    make_prompt,
    sample_requests,
    write_checkpoint,
)

from llmaudit.models.base import Model
from llmaudit.models.causal import CausalModel
from llmaudit.records import Decoding, ErrorKind, Generation, GenerationRequest, LikelihoodRequest

DECODING = Decoding(max_new_tokens=6, temperature=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("broken"), broken_token=True, seed=3)


@pytest.fixture
def model(folder: Path) -> Model:
    return load_tiny(folder)


def _by_id(results: Any) -> dict[str, Any]:
    found = {one.request_id: one for one in results}
    for one in found.values():
        value = one.text if isinstance(one, Generation) else one.logprob
        assert (value is None) == (one.error is not None)
    return found


def _break(model: Model, fault: Callable[[torch.Tensor], None]) -> None:
    """Have ``fault`` look at the tokens of every pass, and raise as it likes."""
    assert isinstance(model, CausalModel)

    def look(_module: Any, _inputs: Any, named: dict[str, Any]) -> None:
        fault(named["input_ids"])

    model._network.network.register_forward_pre_hook(look, with_kwargs=True)


def test_only_prompts_with_the_broken_token_have_nan_logits(model: Model) -> None:
    texts = [*SENTENCES, f"The nurse {BROKEN} said", "The", f"{BROKEN} My neighbour"]
    requests = sample_requests(texts, DECODING, samples=2)
    found = _by_id(model.generate(requests))
    for request in requests:
        error = found[request.id].error
        if BROKEN in request.prompt.plain:
            assert error is not None
            assert error.kind is ErrorKind.NAN_LOGITS
            assert error.message == "logits were not finite at generated token 1"
        else:
            (alone,) = model.generate([request])
            assert error is None
            assert found[request.id].text == alone.text
    choices = [one for text in texts for one in choice_requests(text, ["yes", "no, not this"])]
    scored = _by_id(model.likelihood(choices))
    for choice in choices:
        error = scored[choice.id].error
        assert (error is not None) == (BROKEN in choice.prompt.plain)
        if error is not None:
            assert error.kind is ErrorKind.NAN_LOGITS
            assert choice.choice in error.message


def test_a_padding_token_with_a_broken_embedding_spoils_nothing(tmp_path: Path) -> None:
    """The end token pads in most programs; rows here are padded with tokens of their own."""
    from transformers import AutoModelForCausalLM

    whole = write_checkpoint(tmp_path, tie_word_embeddings=False)
    network: Any = AutoModelForCausalLM.from_pretrained(whole)
    with torch.no_grad():
        network.get_input_embeddings().weight[0] = float("nan")
    network.save_pretrained(whole)
    model = load_tiny(whole)
    requests = sample_requests(["The", *SENTENCES], Decoding(3, 0.0))
    assert all(one.error is None for one in model.generate(requests))
    scored = list(model.likelihood(choice_requests("The nurse", ["said", "was late for the"])))
    assert all(one.error is None for one in scored)


def test_a_template_that_refuses_a_prompt_fails_that_prompt(tmp_path: Path) -> None:
    model = load_tiny(write_checkpoint(tmp_path, chat_template=REFUSING_TEMPLATE))
    requests = sample_requests(["a kind word", "a forbidden word"], DECODING, samples=2)
    found = _by_id(model.generate(requests))
    assert [found[request.id].error is None for request in requests] == [True, True, False, False]
    error = found[requests[2].id].error
    assert error.kind is ErrorKind.EXCEPTION
    assert "no such word" in error.message
    assert "Traceback" in error.traceback
    scored = _by_id(model.likelihood(choice_requests("a forbidden word", ["yes"])))
    assert all("no such word" in one.error.message for one in scored.values())


@pytest.mark.parametrize(
    "attack",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__init__.__globals__ }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{% for i in range(10 ** 9) %}a{% endfor %}",
        "{{ undefined_name.attribute }}",
    ],
)
def test_a_hostile_chat_template_is_a_recorded_error(tmp_path: Path, attack: str) -> None:
    model = load_tiny(write_checkpoint(tmp_path, chat_template=attack))
    (found,) = model.generate(sample_requests(["hello"], DECODING))
    assert found.error is not None
    assert found.error.kind is ErrorKind.EXCEPTION


def test_prompts_longer_than_the_context_are_too_long(model: Model) -> None:
    text = " ".join(SENTENCES * 8)
    found = _by_id(model.generate(sample_requests([text, "The nurse"], DECODING)))
    error = found[f"{text}|0|0"].error
    assert error.kind is ErrorKind.TOO_LONG
    assert f"the model's context of {CONTEXT}" in error.message
    assert found["The nurse|0|0"].error is None
    (scored,) = model.likelihood(choice_requests(text, ["yes"]))
    assert scored.error is not None
    assert scored.error.kind is ErrorKind.TOO_LONG


def test_a_model_that_names_no_context_length_is_not_limited(tmp_path: Path) -> None:
    model = load_tiny(write_checkpoint(tmp_path, "bloom", seq_length=None))
    assert model.facts.context_length is None
    (found,) = model.generate(sample_requests([" ".join(SENTENCES * 8)], DECODING))
    assert found.error is None


def test_the_context_may_be_filled_to_its_last_token(model: Model) -> None:
    (one,) = model.generate(sample_requests(["The nurse"], Decoding(1, 0.0)))
    room = CONTEXT - one.prompt_tokens
    (full,) = model.generate(sample_requests(["The nurse"], Decoding(room, 1.0)))
    (over,) = model.generate(sample_requests(["The nurse"], Decoding(room + 1, 1.0)))
    assert full.error is None
    assert over.error is not None


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_full_memory_halves_the_batch_and_goes_on(folder: Path, model: Model, most: int) -> None:
    def fault(input_ids: torch.Tensor) -> None:
        if input_ids.shape[0] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    samples = sample_requests(SENTENCES, DECODING)
    choices = [one for text in SENTENCES for one in choice_requests(text, ["yes", "no, not so"])]
    texts = {key: one.text for key, one in _by_id(model.generate(samples)).items()}
    logprobs = {key: one.logprob for key, one in _by_id(model.likelihood(choices)).items()}
    _break(model, fault)
    halved = {key: one.text for key, one in _by_id(model.generate(samples)).items()}
    assert halved == texts
    for key, one in _by_id(model.likelihood(choices)).items():
        assert one.logprob == pytest.approx(logprobs[key], abs=1e-4)


def test_a_request_too_big_for_the_memory_is_recorded_as_that(model: Model) -> None:
    def fault(input_ids: torch.Tensor) -> None:
        if input_ids.shape[1] > 12:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: out of memory")

    _break(model, fault)
    found = _by_id(model.generate(sample_requests(["The nurse", SENTENCES[0] * 3], DECODING)))
    kinds = {key: one.error and one.error.kind for key, one in found.items()}
    assert set(kinds.values()) == {None, ErrorKind.OUT_OF_MEMORY}


def test_a_network_that_raises_on_one_prompt_fails_that_prompt(model: Model) -> None:
    assert isinstance(model, CausalModel)
    poison = model._encoder.prompt_ids(make_prompt(SENTENCES[2]))[-3:]

    def fault(input_ids: torch.Tensor) -> None:
        for row in input_ids.tolist():
            if tuple(row[-3:]) == poison or tuple(row[-4:-1]) == poison:
                raise ValueError("this prompt breaks the network")

    _break(model, fault)
    requests = sample_requests(SENTENCES, DECODING, samples=2)
    found = _by_id(model.generate(requests))
    failed = {key for key, one in found.items() if one.error}
    assert failed == {f"{SENTENCES[2]}|{index}|0" for index in (0, 1)}
    for key in failed:
        assert found[key].error.kind is ErrorKind.EXCEPTION
        assert found[key].error.message == "ValueError: this prompt breaks the network"
        assert "in fault" in found[key].error.traceback


def test_an_empty_answer_is_no_error(folder: Path) -> None:
    """A model whose head always prefers the end token says nothing, and that is an answer."""
    model = load_tiny(folder)
    assert isinstance(model, CausalModel)
    head = model._network.network.get_output_embeddings()

    def prefer_end(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        output[..., 0] = 1e4
        return output

    head.register_forward_hook(prefer_end)
    for temperature in (0.0, 1.0):
        for one in model.generate(sample_requests(SENTENCES, Decoding(5, temperature))):
            assert (one.text, one.finish, one.new_tokens, one.error) == ("", "stop", 0, None)


def test_an_answer_that_cannot_be_decoded_is_a_recorded_error(folder: Path) -> None:
    from tokenizers import decoders

    model = load_tiny(folder)
    assert isinstance(model, CausalModel)

    class Silent:
        def decode_chain(self, _tokens: list[str]) -> list[str]:
            raise ValueError("no words for these tokens")

    backend = model._encoder._tokenizer.backend_tokenizer
    backend.decoder = decoders.Decoder.custom(Silent())
    (found,) = model.generate(sample_requests(["The nurse"], DECODING))
    assert found.error is not None
    assert "no words for these tokens" in found.error.message


def test_choices_that_cannot_be_scored_are_unsupported(model: Model) -> None:
    (empty,) = model.likelihood(choice_requests("", [""]))
    assert empty.error is not None
    assert empty.error.kind is ErrorKind.UNSUPPORTED
    assert "no tokens" in empty.error.message
    prompt = make_prompt("Is it?", choices={"yes": "yes"})
    (unknown,) = model.likelihood([LikelihoodRequest("id", prompt, "perhaps")])
    assert unknown.error is not None
    assert unknown.error.kind is ErrorKind.UNSUPPORTED
    assert "'perhaps'" in unknown.error.message


def test_failures_of_done_requests_are_not_given_again(model: Model) -> None:
    text = " ".join(SENTENCES * 8)
    samples: list[GenerationRequest] = sample_requests([text], DECODING)
    choices = choice_requests(text, ["yes"])
    assert list(model.generate(samples, done={samples[0].id})) == []
    assert list(model.likelihood(choices, done={choices[0].id})) == []
