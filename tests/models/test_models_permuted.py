"""XLNet's likelihoods are those of one token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from permuted_cases import Loader, all_requests, keep_models, next_logits, parts
from tiny_checkpoints import SENTENCES, choice_requests
from tiny_masked import write_permuted_checkpoint

from llmaudit.models import permuted as permuted_module
from llmaudit.records import LikelihoodRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_permuted_checkpoint(tmp_path_factory.mktemp("xlnet"))


@pytest.fixture(scope="module")
def load(folder: Path) -> Loader:
    return keep_models(folder)


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
