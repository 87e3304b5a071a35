"""XLNet's numbers are those of one token at a time; its samples do not depend on the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import SENTENCES, choice_requests, make_prompt, sample_requests
from tiny_masked import (
    break_token,
    make_gap_prompt,
    standing_requests,
    train_unigram,
    write_permuted_checkpoint,
)

from llmaudit.errors import ModelError
from llmaudit.models import permuted as permuted_module
from llmaudit.models.base import Model
from llmaudit.models.permuted import LIKELIHOOD_DEFINITION, PermutedModel
from llmaudit.records import (
    Capability,
    Decoding,
    ErrorKind,
    Generation,
    GenerationRequest,
    LikelihoodRequest,
    ModelFacts,
)

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_permuted_checkpoint(tmp_path_factory.mktemp("xlnet"))


def parts(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """Load tokenizer and network by transformers alone."""
    from transformers import AutoTokenizer, XLNetLMHeadModel

    network: Any = XLNetLMHeadModel.from_pretrained(folder, **settings)
    return AutoTokenizer.from_pretrained(folder), network.eval()


def build(folder: Path, *, batch_tokens: int = 8192, context: int | None = None) -> PermutedModel:
    tokenizer, network = parts(folder)
    facts = ModelFacts("tiny", str(folder), "0" * 16, "permuted", context_length=context)
    return PermutedModel(network, tokenizer, facts, batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def load(folder: Path) -> Loader:
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


def reference(tokenizer: Any, network: Any, request: LikelihoodRequest) -> tuple[float, int]:
    prompt = request.prompt
    start = [tokenizer.convert_tokens_to_ids("<eod>")]
    text = f"{prompt.plain} {prompt.choices[request.choice]}".strip()
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    before = tokenizer(prompt.plain, add_special_tokens=False)["input_ids"]
    assert whole[: len(before)] == before
    given, rest = start + before, whole[len(before) :]
    total = 0.0
    for at, token in enumerate(rest):
        logits = next_logits(network, given, rest[:at])
        total += float(logits.double().log_softmax(-1)[token])
    return total, len(rest)


def all_requests() -> list[LikelihoodRequest]:
    with_context = [one for context in CONTEXTS for one in choice_requests(context, CHOICES)]
    return with_context + standing_requests(SENTENCES[:3]) + standing_requests(SENTENCES[3:])


@pytest.mark.parametrize("batch_tokens", [8192, 120, 1])
def test_likelihoods_equal_one_token_at_a_time(
    batch_tokens: int, folder: Path, load: Loader
) -> None:
    tokenizer, network = parts(folder)
    requests = all_requests()
    found = {one.request_id: one for one in load(batch_tokens).likelihood(requests)}
    assert set(found) == {one.id for one in requests}
    for request in requests:
        expected, tokens = reference(tokenizer, network, request)
        assert found[request.id].logprob == pytest.approx(expected, abs=1e-4)
        assert found[request.id].tokens == tokens


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    picked=st.lists(st.sampled_from(range(len(all_requests()))), min_size=1, unique=True),
    batch_tokens=st.integers(1, 600),
)
def test_likelihoods_do_not_depend_on_the_batch(
    picked: list[int], batch_tokens: int, load: Loader
) -> None:
    model = load(8192)
    requests = [all_requests()[at] for at in picked]
    alone = {one.request_id: one.logprob for each in requests for one in model.likelihood([each])}
    model._batch_tokens = batch_tokens
    try:
        found = {one.request_id: one.logprob for one in model.likelihood(requests)}
    finally:
        model._batch_tokens = 8192
    assert found == {key: pytest.approx(value, abs=1e-4) for key, value in alone.items()}


def test_a_likelihood_is_a_probability(load: Loader) -> None:
    """The tokens that may come next have probabilities that sum to one."""
    model = load()
    tokenizer = model._encoder._tokenizer
    words = sorted(
        {tokenizer.decode([n]) for n in range(len(tokenizer))} - set(tokenizer.all_special_tokens)
    )
    total = 0.0
    for one in model.likelihood(choice_requests("The nurse said that the", [*words, ""])):
        if one.tokens == 1 and one.logprob is not None:
            total += 2.718281828459045**one.logprob
    assert 0 < total <= 1 + 1e-6


def test_choices_of_one_token_share_one_text(load: Loader) -> None:
    model = load()
    bare = model._encoder._bare
    words = [token[1:] for token in model._encoder._tokenizer.get_vocab() if len(token) > 1]
    one = [word for word in words if len(bare(f"The nurse {word}")) == len(bare("The nurse")) + 1]
    assert len(one) > 1
    shapes: list[tuple[int, ...]] = []
    heads: list[int] = []
    network = model._network.network
    handles = [
        network.register_forward_pre_hook(
            lambda _m, _i, named: shapes.append(tuple(named["input_ids"].shape)), with_kwargs=True
        ),
        network.get_output_embeddings().register_forward_hook(
            lambda _m, _i, out: heads.append(out.shape[1])
        ),
    ]
    rows = [each for each in model.likelihood(choice_requests("The nurse", one[:2])) if each.tokens]
    for handle in handles:
        handle.remove()
    assert [each.tokens for each in rows] == [1, 1]
    assert shapes == [(1, len(bare("The nurse")) + 2)]
    assert heads == [1]


def test_logits_of_a_batch_stay_within_their_budget(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load()
    longest = max(len(model._encoder._bare(text)) for text in SENTENCES)
    budget = longest + 5
    monkeypatch.setattr(permuted_module, "LOGIT_BUDGET", budget * model._network.vocabulary)
    rows: list[int] = []
    head = model._network.network.get_output_embeddings()
    handle = head.register_forward_hook(lambda _m, _i, out: rows.append(out.shape[1]))
    assert len(list(model.likelihood(all_requests()))) == len(all_requests())
    handle.remove()
    assert max(rows) <= budget


def texts_of(results: Sequence[Generation]) -> dict[str, tuple[str | None, str | None]]:
    assert all(one.error is None for one in results)
    return {one.request_id: (one.text, one.finish) for one in results}


def test_greedy_text_equals_one_token_at_a_time(folder: Path, load: Loader) -> None:
    tokenizer, network = parts(folder)
    model = load()
    for one in model.generate(sample_requests(PROMPTS, Decoding(8, 0.0))):
        given = list(model._encoder.prompt_ids(make_prompt(one.request_id.partition("|")[0])))
        assert tokenizer.convert_ids_to_tokens(given[0]) == "<eod>"
        tokens: list[int] = []
        while len(tokens) < 8:
            token = int(next_logits(network, given, tokens).argmax())
            if token in model._network.stop_ids:
                break
            tokens.append(token)
        assert one.text == tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        assert (one.new_tokens, one.prompt_tokens) == (len(tokens), len(given))
        assert one.finish == ("length" if len(tokens) == 8 else "stop")


def test_the_first_token_is_that_of_transformers(folder: Path, load: Loader) -> None:
    """Later ones differ: there every step lets the text so far see itself on both sides."""
    _, network = parts(folder)
    model = load()
    for one in model.generate(sample_requests(PROMPTS, Decoding(1, 0.0))):
        given = model._encoder.prompt_ids(make_prompt(one.request_id.partition("|")[0]))
        token = network.generate(
            torch.tensor([given]), do_sample=False, max_new_tokens=1, use_cache=False
        )[0, -1]
        assert one.text == model._encoder.decode([int(token)])


def test_samples_are_the_same_alone_in_a_batch_of_64_and_after_a_resume(load: Loader) -> None:
    model = load()
    requests = sample_requests(PROMPTS[:4], SAMPLED, samples=16)
    assert len(requests) == 64
    together = texts_of(list(model.generate(requests)))
    alone: dict[str, tuple[str | None, str | None]] = {}
    for request in requests:
        alone |= texts_of(list(model.generate([request])))
    assert together == alone
    assert len(set(together.values())) > 32
    assert texts_of(list(load(60).generate(requests[::-1]))) == together
    done = {each.id for each in requests[::3]}
    rest = texts_of(list(model.generate(requests, done=done)))
    assert rest == {key: text for key, text in together.items() if key not in done}
    assert list(model.generate(requests, done=set(together))) == []


def test_finished_rows_leave_the_batch(load: Loader) -> None:
    """Hot samples end at a stop token at different steps, and passes shrink as they do."""
    model = load()
    requests = sample_requests(PROMPTS[:1], Decoding(12, 3.0), samples=12)
    sizes: list[int] = []
    handle = model._network.network.register_forward_pre_hook(
        lambda _m, _i, named: sizes.append(named["input_ids"].shape[0]), with_kwargs=True
    )
    found = list(model.generate(requests))
    handle.remove()
    assert {one.finish for one in found} == {"stop", "length"}
    assert sizes[0] == 1
    assert sizes[-1] < sizes[1]
    assert sizes[1:] == sorted(sizes[1:], reverse=True)
    for one in found:
        assert "<" not in str(one.text)


def gap_requests(decoding: Decoding, *, samples: int = 1) -> list[GenerationRequest]:
    return [
        GenerationRequest(f"{gap}|{index}", make_gap_prompt(*gap), decoding, index, 0)
        for gap in GAPS
        for index in range(samples)
    ]


def test_a_greedy_filling_is_predicted_from_both_sides(folder: Path, load: Loader) -> None:
    tokenizer, network = parts(folder)
    model = load()
    found = {one.prompt_id: one for one in model.generate(gap_requests(Decoding(5, 0.0)))}
    for before, after in GAPS:
        prompt = make_gap_prompt(before, after)
        text = f"{before} <mask>{after}"
        assert model.format_prompt(prompt) == text
        ids = tokenizer(f"<eod>{text}", add_special_tokens=False)["input_ids"]
        at = ids.index(tokenizer.mask_token_id)
        hidden = torch.zeros(1, len(ids), len(ids))
        hidden[:, :, at] = 1.0
        target = torch.zeros(1, 1, len(ids))
        target[0, 0, at] = 1.0
        with torch.no_grad():
            logits = network(torch.tensor([ids]), perm_mask=hidden, target_mapping=target).logits
        logits[0, 0, tokenizer.all_special_ids] = float("-inf")
        token = tokenizer.convert_ids_to_tokens(int(logits[0, 0].argmax()))
        assert found[prompt.id].text == token.lstrip("▁")
        assert found[prompt.id].new_tokens == 1


def test_fillings_and_new_text_are_asked_together(load: Loader) -> None:
    model = load()
    gaps, prompts = gap_requests(SAMPLED, samples=8), sample_requests(PROMPTS, SAMPLED)
    together = texts_of(list(model.generate([*gaps, *prompts])))
    alone: dict[str, tuple[str | None, str | None]] = {}
    for each in [*prompts, *gaps]:
        alone |= texts_of(list(model.generate([each])))
    assert together == alone


def test_a_text_with_a_mask_token_of_its_own_is_no_gap(load: Loader) -> None:
    prompt = make_gap_prompt("The <mask> said that the doctor was")
    (one,) = load().generate([GenerationRequest("id", prompt, SAMPLED, 0, 0)])
    assert one.error is not None
    assert one.error.kind is ErrorKind.UNSUPPORTED


def test_an_empty_prompt_is_the_beginning_of_a_document(load: Loader) -> None:
    (found,) = load().generate(sample_requests([""], SAMPLED))
    assert found.error is None
    assert found.prompt_tokens == 1


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
