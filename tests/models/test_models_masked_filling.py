"""What fills a gap is drawn from the distribution at the mask, request by request."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from masked_cases import GAPS, SAMPLED, Loader, gap_requests, keep_folders, keep_models, parts
from tiny_checkpoints import make_prompt
from tiny_masked import MASKED, make_gap_prompt

from llmaudit.models.masked import MaskedModel
from llmaudit.records import Decoding, ErrorKind, GenerationRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return keep_folders(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def load(folder: Callable[[str], Path]) -> Loader:
    return keep_models(folder)


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
