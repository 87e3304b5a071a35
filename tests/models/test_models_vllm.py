"""The vLLM engine's own logic, against a stand-in for vLLM that transformers computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_vllm
import pytest
from tiny_checkpoints import (
    BROKEN,
    CONTEXT,
    SENTENCES,
    by_id,
    choice_requests,
    load_tiny,
    make_prompt,
    sample_requests,
)

from llmaudit.models.vllm import VLLMModel, request_seed
from llmaudit.records import Decoding, ErrorKind, GenerationRequest, LikelihoodRequest

GREEDY = Decoding(max_new_tokens=10, temperature=0.0)
SAMPLED = Decoding(max_new_tokens=10, temperature=1.0, top_p=0.9)
CHOICES = ("yes", "no, not this", "was late for the meeting.")


pytestmark = pytest.mark.usefixtures("kept_environment")


def engine_of(model: VLLMModel) -> fake_vllm.Engine:
    found = model._engine
    assert isinstance(found, fake_vllm.Engine)
    return found


def test_answers_and_likelihoods_are_those_of_transformers(
    vllm_model: VLLMModel, vllm_folder: Path
) -> None:
    plain = load_tiny(vllm_folder)
    requests = sample_requests([*SENTENCES, "My"], GREEDY)
    assert vllm_model.format_prompt(requests[0].prompt) == plain.format_prompt(requests[0].prompt)
    found, expected = by_id(vllm_model.generate(requests)), by_id(plain.generate(requests))
    assert found == expected
    assert {one.finish for one in found.values()} <= {"stop", "length"}
    choices = [one for text in (*SENTENCES, "") for one in choice_requests(text, CHOICES)]
    scored, reference = by_id(vllm_model.likelihood(choices)), by_id(plain.likelihood(choices))
    assert scored.keys() == reference.keys()
    for name, one in reference.items():
        assert scored[name].tokens == one.tokens
        assert scored[name].logprob == pytest.approx(one.logprob, abs=1e-4)


def test_samples_belong_to_their_requests(vllm_model: VLLMModel) -> None:
    requests = sample_requests(SENTENCES[:3], SAMPLED, samples=3)
    together = by_id(vllm_model.generate(requests))
    assert len({one.text for one in together.values()}) > 6
    for request in requests:
        (alone,) = vllm_model.generate([request])
        assert alone == together[request.id]
    asked = engine_of(vllm_model).asked
    first = asked[0].params
    assert first.seed == request_seed(requests[0])
    assert (first.temperature, first.top_p, first.max_tokens) == (1.0, 0.9, 10)
    assert not first.detokenize
    assert first.output_kind is fake_vllm.RequestOutputKind.FINAL_ONLY
    assert len({one.params.seed for one in asked}) == len(requests)


def test_a_seed_comes_from_run_prompt_and_sample_only() -> None:
    def seed(text: str, sample: int, run: int, decoding: Decoding = SAMPLED) -> int:
        return request_seed(GenerationRequest("id", make_prompt(text), decoding, sample, run))

    seeds = {seed("a", 0, 0), seed("b", 0, 0), seed("a", 1, 0), seed("a", 0, 1)}
    assert len(seeds) == 4
    assert all(0 <= one < 2**63 for one in seeds)
    assert seed("a", 0, 0) == seed("a", 0, 0, GREEDY)


def test_done_requests_are_left_out_and_results_stream(vllm_model: VLLMModel) -> None:
    engine = engine_of(vllm_model)
    requests = sample_requests(SENTENCES, GREEDY)
    short = sample_requests(["The"], Decoding(1, 0.0))
    results = vllm_model.generate([*requests, *short], done={requests[0].id, requests[1].id})
    assert next(results).request_id == short[0].id
    assert engine.steps == 1
    rest = by_id(results)
    assert rest.keys() == {one.id for one in requests[2:]}
    choices = choice_requests("The nurse", CHOICES)
    (one,) = vllm_model.likelihood([*choices], done={choices[0].id, choices[2].id})
    assert one.request_id == choices[1].id


def test_a_stream_that_is_closed_leaves_nothing_behind(vllm_model: VLLMModel) -> None:
    results = vllm_model.generate(sample_requests(["The"], Decoding(1, 0.0))
                             + sample_requests(SENTENCES, GREEDY))  # fmt: skip
    next(results)
    assert len(engine_of(vllm_model).requests) == len(SENTENCES)
    results.close()  # type: ignore[attr-defined]
    assert engine_of(vllm_model).requests == []


def test_no_more_is_handed_over_than_keeps_the_engine_busy(
    vllm_model: VLLMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmaudit.models.vllm_queue._WINDOW", 4)
    most: list[int] = []
    engine_of(vllm_model).fault = lambda prompts: most.append(len(prompts))
    assert len(list(vllm_model.generate(sample_requests(SENTENCES, GREEDY, samples=3)))) == 15
    assert max(most) == 4


def test_stop_and_length_and_an_empty_answer(vllm_model: VLLMModel, vllm_folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(vllm_folder)
    end, bread = tokenizer.eos_token_id, tokenizer(" bread")["input_ids"]
    requests = sample_requests(["a", "b", "c"], Decoding(len(bread), 0.0))
    scripts = {"a": [end], "b": bread, "c": [*bread[:-1], end]}
    for request in requests:
        ids = vllm_model._encoder.prompt_ids(request.prompt)
        engine_of(vllm_model).script[ids] = scripts[request.prompt.plain]
    empty, cut, ended = (by_id(vllm_model.generate(requests))[one.id] for one in requests)
    assert (empty.text, empty.finish, empty.new_tokens, empty.error) == ("", "stop", 0, None)
    assert (cut.text, cut.finish, cut.new_tokens) == (" bread", "length", len(bread))
    assert (ended.finish, ended.new_tokens) == ("stop", len(bread) - 1)


def test_what_does_not_fit_the_context_is_too_long(vllm_model: VLLMModel) -> None:
    assert vllm_model.facts.context_length == CONTEXT
    (one,) = vllm_model.generate(sample_requests(["The nurse"], Decoding(1, 0.0)))
    room = CONTEXT - one.prompt_tokens
    (fits,) = vllm_model.generate(sample_requests(["The nurse"], Decoding(room, 0.0)))
    (beyond,) = vllm_model.generate(sample_requests(["The nurse"], Decoding(room + 1, 0.0)))
    assert fits.error is None
    assert beyond.error is not None
    assert beyond.error.kind is ErrorKind.TOO_LONG
    assert (
        beyond.error.message == f"{CONTEXT + 1} tokens do not fit the model's context of {CONTEXT}"
    )


def test_a_likelihood_needs_room_for_one_token_more(vllm_model: VLLMModel) -> None:
    fitting = []
    for length in range(CONTEXT - 60, CONTEXT):
        request = choice_requests("The", ["a" * length])[0]
        context, continuation = vllm_model._encoder.choice_ids(request.prompt)[request.choice]
        (scored,) = vllm_model.likelihood([request])
        fits = len(context) + len(continuation) < CONTEXT
        fitting.append(fits)
        assert (scored.error is None) == fits
        if scored.error is not None:
            assert scored.error.kind is ErrorKind.TOO_LONG
    assert set(fitting) == {True, False}


def test_logits_that_are_not_finite_are_errors(vllm_model: VLLMModel) -> None:
    texts = ["The nurse", f"The {BROKEN} nurse"]
    sound, broken = sample_requests(texts, SAMPLED)
    found = by_id(vllm_model.generate([sound, broken]))
    assert found[sound.id].error is None
    assert found[broken.id].error.kind is ErrorKind.NAN_LOGITS
    assert found[broken.id].error.message == "logits were not finite at generated token 1"
    scored = list(vllm_model.likelihood(choice_requests(texts[1], ["yes"])))
    assert scored[0].logprob is None
    assert scored[0].error is not None
    assert scored[0].error.kind is ErrorKind.NAN_LOGITS


def test_a_choice_that_is_none_is_unsupported(vllm_model: VLLMModel) -> None:
    prompt = make_prompt("The nurse", choices={"b": ""})
    requests = [LikelihoodRequest(f"r-{label}", prompt, label) for label in "bc"]
    found = by_id(vllm_model.likelihood(requests))
    assert "has no tokens of its own" in found["r-b"].error.message
    assert "the prompt has no choice 'c'" in found["r-c"].error.message
    assert {one.error.kind for one in found.values()} == {ErrorKind.UNSUPPORTED}


def test_what_vllm_leaves_out_is_an_error(vllm_model: VLLMModel) -> None:
    def forget(output: Any) -> None:
        output.outputs[0].finish_reason = "abort"
        if output.prompt_logprobs:
            output.prompt_logprobs[-1] = None

    engine_of(vllm_model).edit = forget
    (one,) = vllm_model.generate(sample_requests(["The"], GREEDY))
    assert one.error is not None
    assert (one.text, one.error.message) == (None, "vLLM ended the answer with 'abort'")
    (scored,) = vllm_model.likelihood(choice_requests("The", ["nurse"]))
    assert scored.error is not None
    assert scored.error.kind is ErrorKind.EXCEPTION
    assert "gave no log-probability for token" in scored.error.message


def test_a_request_that_vllm_refuses_is_an_error(vllm_model: VLLMModel) -> None:
    requests = [*sample_requests(["The"], GREEDY), *sample_requests(["My"], Decoding(0, 0.0))]
    found = by_id(vllm_model.generate(requests))
    assert found[requests[0].id].error is None
    assert "max_tokens must be at least 1" in found[requests[1].id].error.message


def test_a_request_that_breaks_a_step_stands_alone_in_the_end(vllm_model: VLLMModel) -> None:
    requests = sample_requests(SENTENCES, GREEDY, samples=2)
    whole = by_id(vllm_model.generate(requests))
    bad = [list(vllm_model._encoder.prompt_ids(one.prompt)) for one in (requests[3], requests[9])]

    def fault(prompts: list[list[int]]) -> None:
        if any(one in bad for one in prompts):
            raise RuntimeError("CUDA out of memory")

    engine_of(vllm_model).fault = fault
    found = by_id(vllm_model.generate(requests))
    failed = {name for name, one in found.items() if one.error is not None}
    assert failed == {requests[index].id for index in (2, 3, 8, 9)}
    assert all(found[name].error.kind is ErrorKind.OUT_OF_MEMORY for name in failed)
    assert all(found[name] == whole[name] for name in found.keys() - failed)


def test_an_engine_that_only_fails_ends_the_run(vllm_model: VLLMModel) -> None:
    def fault(_prompts: list[list[int]]) -> None:
        raise RuntimeError("the device is gone")

    engine_of(vllm_model).fault = fault
    with pytest.raises(RuntimeError, match="the device is gone"):
        list(vllm_model.generate(sample_requests(SENTENCES, GREEDY)))
    assert engine_of(vllm_model).requests == []
    (one,) = vllm_model.generate(sample_requests(["The"], GREEDY))
    assert one.error is not None
    assert one.error.kind is ErrorKind.EXCEPTION
