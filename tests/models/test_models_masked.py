"""Pseudo-log-likelihoods equal one text and one mask at a time, whatever the batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from masked_cases import (
    CHOICES,
    CONTEXTS,
    PAIRS,
    Loader,
    all_requests,
    keep_folders,
    keep_models,
    parts,
)
from tiny_checkpoints import choice_requests
from tiny_masked import MASKED, standing_requests

from llmaudit.models import masked as masked_module
from llmaudit.models.masked_pairs import shared_positions
from llmaudit.records import LikelihoodRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return keep_folders(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def load(folder: Callable[[str], Path]) -> Loader:
    return keep_models(folder)


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


def test_requests_that_are_done_are_not_given_and_change_nothing(load: Loader) -> None:
    model = load("roberta", 60)
    requests = all_requests()
    full = {one.request_id: one.logprob for one in model.likelihood(requests)}
    done = {one.id for one in requests[::2]}
    rest = {one.request_id: one.logprob for one in model.likelihood(requests, done=done)}
    assert rest == {key: value for key, value in full.items() if key not in done}
    assert list(model.likelihood(requests, done=set(full))) == []
