"""Every architecture's numbers are those of one plain sequence, whatever ran beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import (
    ARCHITECTURES,
    CHAT_TEMPLATE,
    SENTENCES,
    choice_requests,
    load_tiny,
    make_prompt,
    sample_requests,
    write_checkpoint,
)

from llmaudit.models.base import Model
from llmaudit.records import Decoding, Generation, LikelihoodRequest

Loader = Callable[..., Model]
CONTEXTS = (
    "The nurse said that the doctor",
    "The nurse said that the old teacher from the north",
    "The nurse said that the kind engineer wrote a long letter and",
    "My neighbour",
    "Should the company invite this applicant to an interview? Answer",
    "Should the company invite this teacher to an interview? Answer",
)
CHOICES = ("yes", "no", "was late for the meeting.", "bakes bread")
PROMPTS = (
    "The nurse said that",
    "The nurse said that the doctor was late for the long meeting and the old",
    "The nurse said that the doctor was late for the long meeting",
    "My neighbour bakes bread every morning and sings while",
    "My",
    "An engineer from the north wrote a kind letter to the old teacher and",
)
SAMPLED = Decoding(max_new_tokens=12, temperature=1.0)
OPENING = "Write a short story about a person who moved to the"
SIBLINGS = tuple(
    f"{OPENING} {ending}"
    for ending in ("town", "old north", "new town last year and sings", "oven", "hot bread oven of")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("checkpoints")

    @cache
    def write(architecture: str) -> Path:
        return write_checkpoint(root / architecture, architecture)

    return write


@pytest.fixture(scope="module")
def load(folder: Callable[[str], Path]) -> Loader:
    @cache
    def loaded(architecture: str, batch_tokens: int = 8192) -> Model:
        return load_tiny(folder(architecture), batch_tokens=batch_tokens)

    return loaded


def _plain_parts(folder: Path) -> tuple[Any, Any]:
    """Load tokenizer and network by transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network: Any = AutoModelForCausalLM.from_pretrained(folder)
    return tokenizer, network.eval()


def _reference(
    tokenizer: Any, network: Any, request: LikelihoodRequest, *, stepwise: bool
) -> float:
    """Sum the log-probabilities of a choice over one sequence, without padding, batch or cache."""
    import torch

    context, choice = request.prompt.plain, request.prompt.choices[request.choice]
    if context:
        before = tokenizer(context)["input_ids"]
        ids = tokenizer(f"{context} {choice}")["input_ids"]
        assert ids[: len(before)] == before
    else:
        before = [tokenizer.bos_token_id]
        ids = before + tokenizer(choice)["input_ids"]
    total = 0.0
    with torch.no_grad():
        whole = network(torch.tensor([ids])).logits[0]
        for position in range(len(before), len(ids)):
            logits = whole[position - 1]
            if stepwise:
                logits = network(torch.tensor([ids[:position]])).logits[0, -1]
            total += float(logits.double().log_softmax(-1)[ids[position]])
    return total


def _requests() -> list[LikelihoodRequest]:
    with_context = [one for context in CONTEXTS for one in choice_requests(context, CHOICES)]
    return with_context + choice_requests("", SENTENCES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batch_tokens", [8192, 40, 1])
def test_likelihoods_equal_plain_sequences(
    architecture: str, batch_tokens: int, folder: Callable[[str], Path], load: Loader
) -> None:
    tokenizer, network = _plain_parts(folder(architecture))
    requests = _requests()
    found = {one.request_id: one for one in load(architecture, batch_tokens).likelihood(requests)}
    assert len(found) == len(requests)
    for request in requests:
        expected = _reference(tokenizer, network, request, stepwise=False)
        assert found[request.id].logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_likelihoods_equal_one_token_at_a_time(
    architecture: str, folder: Callable[[str], Path], load: Loader
) -> None:
    tokenizer, network = _plain_parts(folder(architecture))
    requests = choice_requests(CONTEXTS[2], CHOICES)
    for one, request in zip(
        sorted(load(architecture).likelihood(requests), key=lambda one: one.request_id),
        sorted(requests, key=lambda one: one.id),
        strict=True,
    ):
        assert one.request_id == request.id
        expected = _reference(tokenizer, network, request, stepwise=True)
        assert one.logprob == pytest.approx(expected, abs=1e-4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    requests=st.lists(st.sampled_from(range(24)), min_size=1, unique=True),
    batch_tokens=st.integers(1, 400),
    architecture=st.sampled_from(["llama", "mistral", "falcon-alibi"]),
)
def test_likelihoods_do_not_depend_on_the_batch(
    requests: list[int], batch_tokens: int, architecture: str, load: Loader
) -> None:
    alone = _alone(architecture, load)
    chosen = [_requests()[index] for index in requests]
    for one in load(architecture, batch_tokens).likelihood(chosen):
        assert one.logprob == pytest.approx(alone[one.request_id], abs=1e-4)


@cache
def _alone(architecture: str, load: Loader) -> dict[str, float]:
    model = load(architecture)
    results = [next(iter(model.likelihood([request]))) for request in _requests()]
    return {one.request_id: one.logprob for one in results if one.logprob is not None}


def test_text_that_stands_alone_is_given_the_beginning_once(tmp_path: Path) -> None:
    """The tokenizer's own beginning-of-text token serves; no second one is put before it."""
    model = load_tiny(write_checkpoint(tmp_path, start=True))
    tokenizer, network = _plain_parts(tmp_path)
    ids = tokenizer(SENTENCES[0])["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    import torch

    with torch.no_grad():
        logprobs = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = sum(float(logprobs[place, token]) for place, token in enumerate(ids[1:]))
    (found,) = model.likelihood(choice_requests("", SENTENCES[:1]))
    assert found.logprob == pytest.approx(expected, abs=1e-4)
    assert found.tokens == len(ids) - 1


def _texts(results: Sequence[Generation]) -> dict[str, tuple[str | None, str | None]]:
    assert all(one.error is None for one in results)
    return {one.request_id: (one.text, one.finish) for one in results}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sampled_text_is_the_same_alone_and_in_any_batch(architecture: str, load: Loader) -> None:
    requests = sample_requests(PROMPTS, SAMPLED, samples=3)
    together = _texts(list(load(architecture).generate(requests)))
    assert len(together) == len(requests)
    assert len(set(together.values())) > len(PROMPTS)
    shuffled = sorted(requests, key=lambda request: request.id[::-1])
    for batch_tokens in (1, 60, 200):
        assert _texts(list(load(architecture, batch_tokens).generate(shuffled))) == together
    for request in requests[::4]:
        assert _texts(list(load(architecture).generate([request]))) == {
            request.id: together[request.id]
        }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_shared_prefix_changes_no_answer(architecture: str, load: Loader) -> None:
    """Prompts of different lengths behind one long opening, longer than mistral's window."""
    model = load(architecture)
    requests = sample_requests(SIBLINGS, SAMPLED, samples=2)
    together = _texts(list(model.generate(requests)))
    alone: dict[str, tuple[str | None, str | None]] = {}
    for request in requests:
        alone |= _texts(list(model.generate([request])))
    assert together == alone
    choices = [one for text in SIBLINGS for one in choice_requests(text, CHOICES)]
    batched = {one.request_id: one.logprob for one in model.likelihood(choices)}
    for choice in choices:
        (single,) = model.likelihood([choice])
        assert batched[choice.id] == pytest.approx(single.logprob, abs=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
def test_requests_that_are_done_are_not_given_and_change_nothing(
    architecture: str, load: Loader
) -> None:
    model = load(architecture, 120)
    requests = sample_requests(PROMPTS, SAMPLED, samples=2)
    full = _texts(list(model.generate(requests)))
    done = {request.id for request in requests[:5]}
    rest = _texts(list(model.generate(requests, done=done)))
    assert rest == {key: value for key, value in full.items() if key not in done}
    assert list(model.generate(requests, done=set(full))) == []
    choices = _requests()
    left = {one.id for one in choices[3:]}
    found = list(model.likelihood(choices, done=left))
    assert {one.request_id for one in found} == {one.id for one in choices[:3]}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_text_is_that_of_transformers(
    architecture: str, folder: Callable[[str], Path], load: Loader
) -> None:
    import torch

    tokenizer, network = _plain_parts(folder(architecture))
    requests = sample_requests(PROMPTS, Decoding(16, 0.0))
    for one in load(architecture).generate(requests):
        ids = tokenizer(one.request_id.partition("|")[0], return_tensors="pt")["input_ids"]
        expected = network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=16,
            pad_token_id=tokenizer.eos_token_id,
        )[0, ids.shape[1] :]
        text = tokenizer.decode(
            expected, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        assert one.text == text
        assert one.prompt_tokens == ids.shape[1]


def test_stop_tokens_end_an_answer_and_are_not_in_it(
    folder: Callable[[str], Path], load: Loader
) -> None:
    """Every answer is the transformers text up to the stop token; the longest ends by length."""
    requests = sample_requests(PROMPTS, Decoding(60, 2.0), samples=8)
    results = list(load("llama").generate(requests))
    finished = {one.finish for one in results}
    assert finished == {"stop", "length"}
    for one in results:
        assert one.text is not None
        assert "<end>" not in one.text
        assert (one.new_tokens == 60) == (one.finish == "length")


def test_samples_of_a_prompt_equal_separate_requests(load: Loader) -> None:
    model = load("llama")
    requests = sample_requests(PROMPTS[:2], SAMPLED, samples=6)
    together = _texts(list(model.generate(requests)))
    separate: dict[str, tuple[str | None, str | None]] = {}
    for request in requests:
        separate |= _texts(list(model.generate([request])))
    assert together == separate
    assert len({together[request.id] for request in requests[:6]}) == 6


def test_chat_models_get_the_template_and_base_models_plain_text(
    tmp_path: Path, load: Loader
) -> None:
    prompt = make_prompt("Say something.")
    chat = load_tiny(write_checkpoint(tmp_path, chat_template=CHAT_TEMPLATE))
    assert chat.format_prompt(prompt) == "<turn>user: Say something.<end><turn>assistant: "
    assert chat.facts.chat_format == "the tokenizer's chat template"
    assert load("llama").format_prompt(prompt) == "Say something."
    assert load("llama").facts.chat_format == "plain text"


def test_an_empty_prompt_is_the_beginning_of_text(load: Loader) -> None:
    (found,) = load("llama").generate(sample_requests([""], SAMPLED))
    assert found.error is None
    assert found.prompt_tokens == 1
