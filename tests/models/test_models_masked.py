"""Pseudo-log-likelihoods equal one text and one mask at a time, and gaps are filled by request."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import SENTENCES, choice_requests, make_prompt
from tiny_masked import (
    MASKED,
    break_token,
    make_gap_prompt,
    standing_requests,
    write_masked_checkpoint,
)

from llmaudit.errors import ModelError
from llmaudit.models import masked as masked_module
from llmaudit.models.base import Model
from llmaudit.models.masked import LIKELIHOOD_DEFINITION, MaskedModel
from llmaudit.models.masked_pairs import shared_positions
from llmaudit.records import (
    Capability,
    Decoding,
    ErrorKind,
    GenerationRequest,
    LikelihoodRequest,
    ModelFacts,
)

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
    tokenizer, network = parts(folder)
    facts = ModelFacts("tiny", str(folder), "0" * 16, "masked", context_length=context)
    return MaskedModel(network, tokenizer, facts, batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("masked")

    @cache
    def write(architecture: str) -> Path:
        return write_masked_checkpoint(root / architecture, architecture)

    return write


@pytest.fixture(scope="module")
def load(folder: Callable[[str], Path]) -> Loader:
    @cache
    def loaded(architecture: str, batch_tokens: int = 8192) -> MaskedModel:
        return build(folder(architecture), batch_tokens=batch_tokens)

    return loaded


def requests_of_pairs() -> list[LikelihoodRequest]:
    return [one for pair in PAIRS for one in standing_requests(pair)]


def all_requests() -> list[LikelihoodRequest]:
    with_context = [one for context in CONTEXTS for one in choice_requests(context, CHOICES)]
    return with_context + requests_of_pairs() + standing_requests(SENTENCES)


def positions_of(tokenizer: Any, request: LikelihoodRequest) -> tuple[list[int], list[int]]:
    """Return the tokens of a text as its tokenizer frames it, and the positions to mask."""
    prompt = request.prompt
    ids = tokenizer(f"{prompt.plain} {prompt.choices[request.choice]}".strip())["input_ids"]
    special = set(tokenizer.all_special_ids)
    inside = [at for at, token in enumerate(ids) if token not in special]
    if prompt.plain:
        before = tokenizer(prompt.plain, add_special_tokens=False)["input_ids"]
        return ids, inside[len(before) :]
    if len(prompt.choices) == 2:
        texts = [tokenizer(text)["input_ids"] for text in prompt.choices.values()]
        mine = list(prompt.choices).index(request.choice)
        places = shared_positions(*texts)[mine]
        return ids, [at for at in places if at in inside]
    return ids, inside


def reference(tokenizer: Any, network: Any, request: LikelihoodRequest) -> tuple[float, int]:
    """Mask one token at a time in a text of its own, without padding or batch."""
    ids, positions = positions_of(tokenizer, request)
    total = 0.0
    with torch.no_grad():
        for at in positions:
            masked = [*ids[:at], tokenizer.mask_token_id, *ids[at + 1 :]]
            logits = network(input_ids=torch.tensor([masked])).logits[0, at]
            total += float(logits.double().log_softmax(-1)[ids[at]])
    return total, len(positions)


@pytest.mark.parametrize("architecture", MASKED)
@pytest.mark.parametrize("batch_tokens", [8192, 40, 1])
def test_likelihoods_equal_one_mask_at_a_time(
    architecture: str, batch_tokens: int, folder: Callable[[str], Path], load: Loader
) -> None:
    tokenizer, network = parts(folder(architecture))
    requests = all_requests()
    found = {one.request_id: one for one in load(architecture, batch_tokens).likelihood(requests)}
    assert set(found) == {one.id for one in requests}
    for request in requests:
        expected, tokens = reference(tokenizer, network, request)
        assert found[request.id].logprob == pytest.approx(expected, abs=1e-4)
        assert found[request.id].tokens == tokens > 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    picked=st.lists(st.sampled_from(range(len(all_requests()))), min_size=1, unique=True),
    batch_tokens=st.integers(1, 400),
    architecture=st.sampled_from(["bert-uncased", "roberta", "albert"]),
)
def test_likelihoods_do_not_depend_on_the_batch(
    picked: list[int], batch_tokens: int, architecture: str, load: Loader
) -> None:
    model = load(architecture)
    everything = all_requests()
    alone = {
        one.request_id: one.logprob for at in picked for one in model.likelihood([everything[at]])
    }
    model._batch_tokens = batch_tokens
    try:
        found = {
            one.request_id: one.logprob
            for one in model.likelihood([everything[at] for at in picked])
        }
    finally:
        model._batch_tokens = 8192
    assert found == {key: pytest.approx(value, abs=1e-4) for key, value in alone.items()}


def test_a_pair_is_compared_over_the_tokens_that_both_have(load: Loader) -> None:
    """Two sentences of seven tokens that differ in one sum over six each."""
    she, he = standing_requests(PAIRS[0])
    found = {one.request_id: one for one in load("bert-uncased").likelihood([she, he])}
    tokens = load("bert-uncased")._encoder._bare
    assert found[she.id].tokens == found[he.id].tokens
    own = {text: tokens(text) for text in PAIRS[0]}
    assert found[she.id].tokens < min(len(own[text]) for text in PAIRS[0])
    (alone,) = load("bert-uncased").likelihood(standing_requests(PAIRS[0][:1]))
    assert alone.tokens == len(own[PAIRS[0][0]])


@given(
    first=st.lists(st.integers(0, 3), max_size=7), second=st.lists(st.integers(0, 3), max_size=7)
)
def test_shared_positions_are_a_longest_common_subsequence(
    first: list[int], second: list[int]
) -> None:
    ours, theirs = shared_positions(first, second)
    assert [first[at] for at in ours] == [second[at] for at in theirs]
    assert list(ours) == sorted(set(ours))
    assert list(theirs) == sorted(set(theirs))
    assert shared_positions(second, first) == (theirs, ours)

    def subsequences(tokens: list[int]) -> set[tuple[int, ...]]:
        sizes = range(len(tokens) + 1)
        return {one for size in sizes for one in itertools.combinations(tokens, size)}

    longest = max(len(one) for one in subsequences(first) & subsequences(second))
    assert len(ours) == longest


def test_each_masked_text_is_run_once(load: Loader) -> None:
    """Four choices after one context: two of one token share the one masked text."""
    model = load("bert-uncased")
    seen: list[tuple[int, ...]] = []
    run = model._network.logits_at

    def count(sequences: Any, columns: Any) -> torch.Tensor:
        seen.extend(tuple(ids) for ids in sequences)
        return run(sequences, columns)

    model._network.logits_at = count  # type: ignore[method-assign]
    try:
        twins = choice_requests("The nurse said", ["the", "my"]) * 2
        assert len(list(model.likelihood(twins))) == 4
    finally:
        model._network.logits_at = run  # type: ignore[method-assign]
    assert len(seen) == 1


def test_the_head_sees_one_position_per_text(load: Loader) -> None:
    widths: list[tuple[int, ...]] = []
    for architecture in MASKED:
        model = load(architecture)
        widths.clear()
        head = model._network.network.get_output_embeddings()
        handle = head.register_forward_hook(lambda _m, _i, out: widths.append(tuple(out.shape)))
        list(model.likelihood(choice_requests(CONTEXTS[0], CHOICES[:1])))
        handle.remove()
        assert all(shape[:2] == (1, shape[1]) for shape in widths)
        assert sum(shape[1] for shape in widths) == len(
            model._encoder._bare(f"{CONTEXTS[0]} yes")
        ) - len(model._encoder._bare(CONTEXTS[0]))


def test_logits_of_a_batch_stay_within_their_budget(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("bert-uncased")
    vocabulary = model._network.vocabulary
    monkeypatch.setattr(masked_module, "LOGIT_BUDGET", 3 * vocabulary)
    rows: list[int] = []
    head = model._network.network.get_output_embeddings()
    handle = head.register_forward_hook(lambda _m, _i, out: rows.append(out.shape[1]))
    assert len(list(model.likelihood(all_requests()))) == len(all_requests())
    handle.remove()
    assert 1 < max(rows) <= 3


def gap_requests(
    decoding: Decoding = SAMPLED, *, samples: int = 1, seed: int = 0
) -> list[GenerationRequest]:
    return [
        GenerationRequest(f"{gap}|{index}|{seed}", make_gap_prompt(*gap), decoding, index, seed)
        for gap in GAPS
        for index in range(samples)
    ]


@pytest.mark.parametrize("architecture", MASKED)
def test_a_greedy_filling_is_the_likeliest_word_at_the_mask(
    architecture: str, folder: Callable[[str], Path], load: Loader
) -> None:
    tokenizer, network = parts(folder(architecture))
    found = {
        one.prompt_id: one for one in load(architecture).generate(gap_requests(Decoding(5, 0)))
    }
    for before, after in GAPS:
        prompt = make_gap_prompt(before, after)
        text = f"{before} {tokenizer.mask_token}{after}"
        assert load(architecture).format_prompt(prompt) == text
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([ids])).logits[0]
        logits = logits[ids.index(tokenizer.mask_token_id)]
        logits[tokenizer.all_special_ids] = -math.inf
        token = tokenizer.convert_ids_to_tokens(int(logits.argmax()))
        one = found[prompt.id]
        assert one.text is not None
        assert one.text == tokenizer.convert_tokens_to_string([token]).strip().removeprefix("##")
        assert (one.finish, one.new_tokens, one.prompt_tokens) == ("stop", 1, len(ids))


@pytest.mark.parametrize("architecture", ["bert-cased", "roberta"])
def test_fillings_are_the_same_alone_in_a_batch_and_after_a_resume(
    architecture: str, load: Loader
) -> None:
    model = load(architecture)
    requests = gap_requests(samples=16)
    assert len(requests) == 64
    together = {one.request_id: one.text for one in model.generate(requests)}
    alone = {one.request_id: one.text for each in requests for one in model.generate([each])}
    assert together == alone
    done = {each.id for each in requests[::3]}
    rest = {one.request_id: one.text for one in model.generate(requests, done=done)}
    assert rest == {key: text for key, text in together.items() if key not in done}
    assert list(model.generate(requests, done=set(together))) == []
    small = build_again(model, 50)
    assert {one.request_id: one.text for one in small.generate(requests)} == together


def build_again(model: MaskedModel, batch_tokens: int) -> MaskedModel:
    tokenizer = model._encoder._tokenizer
    return MaskedModel(model._network.network, tokenizer, model.facts, batch_tokens=batch_tokens)


def test_fillings_are_drawn_from_the_distribution_at_the_mask(load: Loader) -> None:
    """Over 4000 samples every word's share is within five standard errors of its probability."""
    model = load("bert-cased")
    prompt = make_gap_prompt(*GAPS[0])
    requests = [GenerationRequest(str(n), prompt, SAMPLED, n, 7) for n in range(4000)]
    texts = [one.text for one in model.generate(requests)]
    ids, at = model._encoder.gap_of(prompt)
    logits = model._network.logits_at([ids], [at])[0].clone()
    logits[model._filler._special_ids] = -math.inf
    expected: dict[str, float] = {}
    for token, probability in enumerate(logits.double().softmax(-1).tolist()):
        word = model._encoder.decode_filling([token])
        expected[word] = expected.get(word, 0.0) + probability
    for word, probability in expected.items():
        error = math.sqrt(probability * (1 - probability) / 4000)
        assert abs(texts.count(word) / 4000 - probability) <= 5 * error + 1 / 4000


def test_no_special_token_fills_a_gap_and_a_nucleus_is_kept(load: Loader) -> None:
    model = load("bert-uncased")
    tokenizer = model._encoder._tokenizer
    hot = gap_requests(Decoding(1, 5.0), samples=40)
    texts = {one.text for one in model.generate(hot)}
    assert not texts & set(tokenizer.all_special_tokens)
    assert "" not in texts
    narrow = gap_requests(Decoding(1, 1.0, top_p=1e-6), samples=5)
    likeliest = {one.prompt_id: one.text for one in model.generate(gap_requests(Decoding(1, 0)))}
    assert all(likeliest[one.prompt_id] == one.text for one in model.generate(narrow))


def test_prompts_without_a_gap_are_unsupported(load: Loader) -> None:
    prompt = make_prompt("The nurse said")
    request = GenerationRequest("id", prompt, SAMPLED, 0, 0)
    (one,) = load("bert-cased").generate([request])
    assert one.error is not None
    assert one.error.kind is ErrorKind.UNSUPPORTED
    assert "no gap" in one.error.message
    assert list(load("bert-cased").generate([request], done={"id"})) == []
    assert load("bert-cased").format_prompt(prompt) == "The nurse said"


def test_a_text_with_a_mask_token_of_its_own_is_no_gap(load: Loader) -> None:
    prompt = make_gap_prompt("The [MASK] said that the doctor was")
    (one,) = load("bert-cased").generate([GenerationRequest("id", prompt, SAMPLED, 0, 0)])
    assert one.error is not None
    assert one.error.kind is ErrorKind.UNSUPPORTED
    assert "2 mask tokens ([MASK]) in the prompt" in one.error.message


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


def test_requests_that_are_done_are_not_given_and_change_nothing(load: Loader) -> None:
    model = load("roberta", 60)
    requests = all_requests()
    full = {one.request_id: one.logprob for one in model.likelihood(requests)}
    done = {one.id for one in requests[::2]}
    rest = {one.request_id: one.logprob for one in model.likelihood(requests, done=done)}
    assert rest == {key: value for key, value in full.items() if key not in done}
    assert list(model.likelihood(requests, done=set(full))) == []


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
