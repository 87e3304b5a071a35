"""Texts in trees: every path spells its text, nothing is read twice, and no number changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import BROKEN, choice_requests, load_tiny, write_checkpoint

from llmaudit.models import trees
from llmaudit.models.causal import CausalModel
from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.trees import plant, regrow, tree_batches

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=9).map(tuple)
TREES = ("llama", "gpt2", "gpt_neox", "falcon-rotary", "mistral", "opt", "qwen2", "mixtral")
PLAIN = ("bloom", "falcon-alibi", "gpt_neo", "mpt", "lfm2", "gemma2")
"""Distances, windows or states come from elsewhere than the mask; gemma2 caps its logits."""


def _rows(texts: Sequence[tuple[int, ...]], continuation: int = 1) -> list[LikelihoodRow]:
    requests = choice_requests("any", [str(number) for number in range(len(texts))])
    return [
        LikelihoodRow(request, ids[: len(ids) - continuation + 1], (*ids, 7)[-continuation:])
        for request, ids in zip(requests, texts, strict=True)
    ]


@settings(deadline=None)
@given(st.lists(IDS, min_size=1, max_size=40))
def test_every_path_spells_its_text_and_sees_only_itself(texts: list[tuple[int, ...]]) -> None:
    rows = _rows(texts)
    planted = plant(rows)
    assert sorted(id(row) for tree in planted for row, _ in tree.rows) == sorted(map(id, rows))
    for tree in planted:
        assert len(tree.tokens) == len(tree.depths) == len(tree.ends)
        for row, path in tree.rows:
            assert tuple(tree.tokens[node] for node in path) == row.input_ids
            assert [tree.depths[node] for node in path] == list(range(len(path)))
            leaf = path[-1]
            seen = {node for node in range(leaf + 1) if leaf < tree.ends[node]}
            assert seen == set(path)


@settings(deadline=None)
@given(st.lists(IDS, min_size=1, max_size=12))
def test_a_tree_has_one_node_for_each_beginning(texts: list[tuple[int, ...]]) -> None:
    beginnings = {ids[:end] for ids in texts for end in range(1, len(ids) + 1)}
    (tree,) = plant(_rows(texts))
    assert len(tree.tokens) == len(beginnings)


def test_trees_keep_to_their_size_and_batches_to_their_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trees, "TREE_NODES", 10)
    texts = [(start, *range(length)) for start in range(6) for length in (3, 5, 12)]
    rows = _rows(texts)
    for tree in plant(rows):
        assert len(tree.tokens) <= 10 or len(tree.rows) == 1
    batches = list(tree_batches(rows, 30))
    assert sorted(id(row) for batch in batches for row in batch) == sorted(map(id, rows))
    for batch in batches:
        again = regrow(batch)
        assert len(again) == 1 or len(again) * max(len(tree.tokens) for tree in again) <= 30
    assert list(tree_batches(rows[::-1], 30)) == batches
    assert [len(tree.tokens) for batch in batches for tree in regrow(batch)] == sorted(
        (len(tree.tokens) for tree in plant(rows)), reverse=True
    )


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


def _network(checkpoints: Path, architecture: str, **settings: Any) -> Any:
    folder = write_checkpoint(
        checkpoints / f"{architecture}{len(settings)}", architecture, **settings
    )
    model = load_tiny(folder)
    assert isinstance(model, CausalModel)
    return model._network


@pytest.mark.parametrize("architecture", [*TREES, *PLAIN])
def test_trees_are_used_exactly_where_the_mask_decides(
    architecture: str, checkpoints: Path
) -> None:
    network = _network(checkpoints, architecture)
    assert network.plain_head is (architecture != "gemma2")
    assert network.takes_trees is (architecture in TREES)


def test_a_broken_token_spoils_no_other_text_of_its_tree(tmp_path: Path) -> None:
    model = load_tiny(write_checkpoint(tmp_path / "llama", "llama", broken_token=True))
    requests = choice_requests("The nurse", ["was late", f"was {BROKEN} late", "was kind"])
    spoilt = {one.choice: one for one in model.likelihood(requests)}
    assert [one.logprob is None for one in spoilt.values()] == [False, True, False]


def test_probabilities_do_not_depend_on_how_many_positions_reach_the_head(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from llmaudit.models import forward

    network = _network(checkpoints, "llama", seed=3)
    tokens = torch.tensor([[1, 5, 9, 13, 17]])
    rows, columns = torch.zeros(4, dtype=torch.long), torch.arange(4)
    which, targets = [0, 1, 1, 3], [5, 9, 2, 17]
    with torch.inference_mode():
        logits = network.network(input_ids=tokens).logits[0].double().log_softmax(-1)
        for size in (1, 3, 100):
            monkeypatch.setattr(forward, "HEAD_ROWS", size)
            found = network.logprobs_at(tokens, rows, columns, which, targets)
            assert torch.allclose(found, logits[which, targets], atol=1e-5)


def test_sixteen_bits_round_no_choice(tmp_path: Path) -> None:
    """The log-odds of two choices of one token are exact, given the states that the head reads."""
    import torch

    folder = write_checkpoint(tmp_path / "llama", "llama", seed=5)
    model = load_tiny(folder, dtype="bfloat16")
    assert isinstance(model, CausalModel)
    network = model._network
    tokens = torch.tensor([[1, 5, 9, 13]])
    row, column = torch.zeros(1, dtype=torch.long), torch.tensor([3])
    targets = [2, 17, 40, 41]
    with torch.inference_mode():
        found = network.logprobs_at(tokens, row, column, [0] * len(targets), targets)
        seen: list[torch.Tensor] = []
        head = network.network.get_output_embeddings()
        handle = head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        network.network(input_ids=tokens)
        handle.remove()
        exact = seen[0][0, 3].double() @ head.weight[targets].double().T
    assert (found <= 0).all()
    assert torch.allclose(found - found[0], exact - exact[0], atol=1e-3)
