"""XLNet's samples do not depend on the batch, and its fillings are predicted from both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from permuted_cases import (
    GAPS,
    PROMPTS,
    SAMPLED,
    Loader,
    gap_requests,
    keep_models,
    next_logits,
    parts,
    texts_of,
)
from tiny_checkpoints import make_prompt, sample_requests
from tiny_masked import make_gap_prompt, write_permuted_checkpoint

from llmaudit.records import Decoding, ErrorKind, GenerationRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_permuted_checkpoint(tmp_path_factory.mktemp("xlnet"))


@pytest.fixture(scope="module")
def load(folder: Path) -> Loader:
    return keep_models(folder)


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
