"""Batches keep to their budget, lose nothing, and isolate what fails; the work done is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import choice_requests, load_tiny, sample_requests, write_checkpoint

from llmaudit.models.base import Model
from llmaudit.models.batching import run_isolating_failures, token_budget_batches
from llmaudit.models.causal import CausalModel
from llmaudit.models.groups import BatchLimits, group_rows
from llmaudit.models.likelihoods import LikelihoodRow
from llmaudit.models.prefixes import PASS_COST, shared_prefix
from llmaudit.records import Decoding

OPENING = "Write a short story about a person who moved to the"


@settings(deadline=None)
@given(st.lists(st.integers(1, 50)), st.integers(1, 200))
def test_token_budget_batches(lengths: list[int], budget: int) -> None:
    items = list(enumerate(lengths))
    batches = list(
        token_budget_batches(
            items, length=lambda item: item[1], budget=budget, order=lambda item: (item[0],)
        )
    )
    assert sorted(item for batch in batches for item in batch) == items
    many = sum(lengths) > 3 * budget
    for batch in batches:
        longest = max(length for _, length in batch)
        room = budget // 32 if many and batch is batches[0] else budget
        rest = room // 8 if batch is batches[-1] else 0
        assert len(batch) == 1 or longest * len(batch) <= room + rest
    longest_of = [batch[0][1] for batch in batches]
    assert longest_of == sorted(longest_of, reverse=True)
    again = token_budget_batches(
        reversed(items), length=lambda item: item[1], budget=budget, order=lambda item: (item[0],)
    )
    assert list(again) == batches


@settings(deadline=None)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.integers(1, 40))
def test_only_items_that_fail_alone_fail(count: int, broken: set[int], most: int) -> None:
    """A batch larger than ``most``, or with a broken item, raises as a full memory would."""

    def compute(batch: Sequence[int]) -> list[str]:
        if len(batch) > most or broken & set(batch):
            raise MemoryError("out of memory")
        return [f"{item} done" for item in batch]

    found = run_isolating_failures(range(count), compute, lambda item, error: f"{item} {error}")
    assert found == [
        f"{item} out of memory" if item in broken else f"{item} done" for item in range(count)
    ]


def _row(ids: Sequence[int], choice: int) -> LikelihoodRow:
    """Return a row that reads ``ids`` whole as its context, for a choice of one token."""
    (request,) = choice_requests(str(list(ids)), [str(choice)])
    return LikelihoodRow(request, tuple(ids), (choice,))


def _positions(batch: Sequence[tuple[int, ...]]) -> int:
    """Return the cost of running a batch, as the documentation of the plan states it."""
    shared, longest = shared_prefix(batch), max(map(len, batch))
    passes = 2 if shared else 1
    return shared + len(batch) * (longest - shared) + passes * PASS_COST


def _cheapest(ordered: list[tuple[int, ...]], limits: BatchLimits) -> int:
    """Return the least cost over every way to cut an ordered list, by trying them all."""
    costs = []
    for cuts in range(len(ordered)):
        for places in combinations(range(1, len(ordered)), cuts):
            bounds = [0, *places, len(ordered)]
            runs = [ordered[a:b] for a, b in pairwise(bounds)]
            if all(_fits(run, limits) for run in runs):
                costs.append(sum(map(_positions, runs)))
    return min(costs)


def _fits(run: list[tuple[int, ...]], limits: BatchLimits) -> bool:
    size = len(run) * max(map(len, run))
    return len(run) == 1 or (size <= limits.tokens and len(run) <= limits.reads)


_TAILS = st.lists(st.integers(0, 2), min_size=1, max_size=30).map(tuple)


@settings(deadline=None)
@given(
    st.sets(st.tuples(st.sampled_from([(), (7,) * 25, (7,) * 20 + (8,) * 20]), _TAILS), max_size=7),
    st.integers(60, 400),
    st.integers(2, 6),
)
def test_group_rows_finds_the_cheapest_cut(
    parts: set[tuple[tuple[int, ...], tuple[int, ...]]], tokens: int, reads: int
) -> None:
    sequences = sorted({head + tail for head, tail in parts})
    limits = BatchLimits(tokens, reads)
    rows = [_row(ids, 1) for ids in sequences]
    batches = group_rows(rows, limits)
    assert sorted(row.input_ids for batch in batches for row in batch) == sequences
    runs = [[row.input_ids for row in batch] for batch in batches]
    assert all(_fits(run, limits) for run in runs)
    if sequences:
        by_length = sorted(sequences, key=lambda ids: (-len(ids), ids))
        expected = min(_cheapest(sequences, limits), _cheapest(by_length, limits))
        assert sum(map(_positions, runs)) == expected
    again = group_rows(rows[::-1], limits)
    assert [[row.request.id for row in batch] for batch in again] == [
        [row.request.id for row in batch] for batch in batches
    ]


def test_rows_of_one_sequence_stay_together() -> None:
    rows = [_row([5] * 30, choice) for choice in range(4)] + [_row([6] * 30, 0)]
    batches = group_rows(rows, BatchLimits(tokens=40, reads=100))
    assert sorted(len(batch) for batch in batches) == [1, 4]


@dataclass
class _Work:
    """What went through a network: the shape of each pass, and positions at the output head."""

    passes: list[tuple[int, int]] = field(default_factory=list)
    head: list[int] = field(default_factory=list)


@contextmanager
def _counting(model: Model) -> Iterator[_Work]:
    """Count the passes of a model's network while the block runs."""
    assert isinstance(model, CausalModel)
    network: Any = model._network.network
    work = _Work()

    def note_pass(_module: Any, _inputs: Any, named: dict[str, Any]) -> None:
        work.passes.append(tuple(named["input_ids"].shape))

    def note_head(_module: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        work.head.append(inputs[0].shape[:-1].numel())

    handles = [
        network.register_forward_pre_hook(note_pass, with_kwargs=True),
        network.get_output_embeddings().register_forward_hook(note_head),
    ]
    try:
        yield work
    finally:
        for handle in handles:
            handle.remove()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp("llama"), "llama")
    model = load_tiny(folder, batch_tokens=2**16)
    list(model.likelihood(choice_requests(OPENING, ["town"])))  # so that trees have been tried
    return model


def _length(model: Model, text: str) -> int:
    (found,) = model.generate(sample_requests([text], Decoding(1, 0.0)))
    return found.prompt_tokens


def test_one_prefill_serves_all_samples_of_a_prompt(model: Model) -> None:
    length = _length(model, OPENING)
    with _counting(model) as work:
        results = list(model.generate(sample_requests([OPENING], Decoding(3, 1.0), samples=5)))
    assert len(results) == 5
    assert work.passes[0] == (1, length)
    assert work.head[0] == 1
    assert all(shape[1] == 1 and shape[0] <= 5 for shape in work.passes[1:])
    assert len(work.passes) <= 3


def test_a_shared_opening_is_read_once(model: Model) -> None:
    texts = [f"{OPENING} {word}" for word in ("town", "north", "oven", "letter")]
    lengths, shared = [_length(model, text) for text in texts], _length(model, OPENING)
    with _counting(model) as work:
        list(model.generate(sample_requests(texts, Decoding(1, 1.0))))
    assert work.passes == [(1, shared), (4, max(lengths) - shared)]
    assert work.head == [1, 4]


def test_choices_of_one_token_share_one_sequence(model: Model) -> None:
    requests = choice_requests(OPENING, ["town", "and", "the"])
    with _counting(model) as work:
        results = list(model.likelihood(requests))
    assert [one.tokens for one in results] == [1, 1, 1]
    assert work.passes == [(1, _length(model, OPENING))]
    assert work.head == [1, 1]  # one position for the network's own pass, one that is read


def test_the_head_sees_only_positions_that_are_read(model: Model) -> None:
    requests = choice_requests(OPENING, ["was late for the long meeting", "bakes bread"])
    with _counting(model) as work:
        results = list(model.likelihood(requests))
    both_start_here = 1
    assert work.head[-1] == sum(one.tokens for one in results) - both_start_here


def test_finished_rows_leave_the_batch(model: Model) -> None:
    requests = sample_requests([OPENING], Decoding(80, 2.0), samples=24)
    with _counting(model) as work:
        results = list(model.generate(requests))
    rows = [shape[0] for shape in work.passes[1:]]
    assert rows == sorted(rows, reverse=True)
    needed = sum(one.new_tokens for one in results)
    assert needed <= sum(rows) < 24 * max(one.new_tokens for one in results)


def test_equal_prompts_are_read_once(model: Model) -> None:
    with _counting(model) as work:
        list(model.generate(sample_requests([OPENING] * 3, Decoding(1, 1.0))))
    assert work.passes == [(1, _length(model, OPENING))]


def test_a_batch_of_requests_that_are_all_done_is_not_run(model: Model) -> None:
    requests = sample_requests([OPENING], Decoding(1, 1.0))
    with _counting(model) as work:
        assert list(model.generate(requests, done={requests[0].id})) == []
    assert work.passes == []
