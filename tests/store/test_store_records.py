"""What is stored comes back as it was, once, in one order, and never changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_records import (
    ERROR,
    ODD_TEXT,
    make_facts,
    make_generation,
    make_likelihood,
    make_prompt,
    make_score,
)

from llmaudit.errors import StoreError
from llmaudit.records import Generation, Likelihood, RequestError, Score
from llmaudit.store import RunStore

IDENTITY = {"seed": 0, "suite": "quick", "sets": [{"id": "a", "digest": "0123"}]}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a run directory that does not exist yet."""
    return tmp_path / "runs" / "one"


@pytest.fixture
def store(directory: Path) -> Iterator[RunStore]:
    """Return a new, empty store, open for writing."""
    with RunStore.create(directory, IDENTITY) as opened:
        yield opened


def _fill(store: RunStore, order: int = 1) -> None:
    """Store a little of everything, forwards (1) or backwards (-1)."""
    numbers = list(range(7))[::order]
    prompts = [make_prompt(n) for n in numbers]
    store.add_prompts(prompts, {p.id: f"<user>{p.plain}" for p in prompts})
    store.add_model_facts(make_facts())
    store.add_generations([make_generation(n) for n in numbers])
    store.add_likelihoods([make_likelihood(n) for n in numbers])
    store.add_scores([make_score(n) for n in numbers])
    store.add_scores([make_score(n, scorer="refusal") for n in numbers])


def test_everything_comes_back_equal_after_reopening(directory: Path) -> None:
    with RunStore.create(directory, IDENTITY) as store:
        _fill(store, -1)
    assert sorted(p.name for p in directory.iterdir()) == ["run.lock", "run.sqlite"]
    for read_only in (True, False):
        with RunStore.open(directory, read_only=read_only) as store:
            assert store.identity == IDENTITY
            assert store.model_facts() == make_facts()
            assert list(store.prompts()) == [make_prompt(n) for n in range(7)]
            assert store.sent() == {make_prompt(n).id: f"<user>{ODD_TEXT}" for n in range(7)}
            assert list(store.generations()) == [make_generation(n) for n in range(7)]
            assert list(store.likelihoods()) == [make_likelihood(n) for n in range(7)]
            refusals = [make_score(n, scorer="refusal") for n in range(7)]
            toxicities = [make_score(n) for n in range(7)]
            assert list(store.scores()) == refusals + toxicities
            assert list(store.scores("digest-toxicity")) == toxicities
            assert list(store.scores("unknown")) == []


def test_choices_keep_their_order(store: RunStore) -> None:
    prompt = dataclasses.replace(make_prompt(), choices=MappingProxyType({"b": "1", "a": "2"}))
    store.add_prompts([prompt], {prompt.id: ""})
    (back,) = store.prompts()
    assert list(back.choices) == ["b", "a"]


def test_ids_of_what_is_done(store: RunStore) -> None:
    assert store.done_request_ids() == frozenset()
    assert store.model_facts() is None
    _fill(store)
    requests = {f"g-{n:04}" for n in range(7)} | {f"l-{n:04}" for n in range(7)}
    assert store.done_request_ids() == requests
    assert store.scored_request_ids("digest-refusal") == {f"g-{n:04}" for n in range(7)}
    assert store.scored_request_ids("unknown") == frozenset()


def test_equal_records_are_stored_once(store: RunStore) -> None:
    prompt = make_prompt()
    assert store.add_prompts([prompt], {prompt.id: "sent"}) == 1
    assert store.add_prompts([prompt, make_prompt(1)], {prompt.id: "sent", "prompt-0001": ""}) == 1
    assert store.add_generations([make_generation(0), make_generation(0)]) == 1
    assert store.add_likelihoods([make_likelihood(0)]) == 1
    assert store.add_likelihoods([make_likelihood(n) for n in range(3)]) == 2
    assert store.add_scores([make_score(0)]) == 1
    assert store.add_scores([make_score(0)]) == 0
    assert store.add_model_facts(make_facts()) == 1
    assert store.add_model_facts(make_facts()) == 0


def test_an_equal_id_with_another_content_is_refused_and_nothing_of_the_batch_stored(
    store: RunStore,
) -> None:
    _fill(store)
    digest = store.content_digest()
    changed = dataclasses.replace(make_generation(0), text="another")
    with pytest.raises(StoreError, match=r"'g-0000' is stored already .*text is"):
        store.add_generations([make_generation(9), changed])
    with pytest.raises(StoreError, match=r"logprob is -0\.1, not -9"):
        store.add_likelihoods([dataclasses.replace(make_likelihood(0), logprob=-9.0)])
    with pytest.raises(StoreError, match="label is 'refusal', not None"):
        store.add_scores([dataclasses.replace(make_score(0), label=None)])
    with pytest.raises(StoreError, match="language is 'en', not 'fr'"):
        prompt = dataclasses.replace(make_prompt(0), language="fr")
        store.add_prompts([prompt], {prompt.id: f"<user>{prompt.plain}"})
    with pytest.raises(StoreError, match="another text was sent"):
        store.add_prompts([make_prompt(0)], {make_prompt(0).id: "other"})
    with pytest.raises(StoreError, match="name is 'tiny', not 'other'"):
        store.add_model_facts(make_facts(name="other"))
    assert store.content_digest() == digest


def test_prompts_need_the_text_that_was_sent(store: RunStore) -> None:
    with pytest.raises(StoreError, match="no sent text was given for the prompts prompt-0001"):
        store.add_prompts([make_prompt(0), make_prompt(1)], {"prompt-0000": ""})


@pytest.mark.parametrize(
    "record",
    [
        Generation("g", "p", 0, None),
        Generation("g", "p", 0, "text", error=ERROR),
        Generation("g", "p", -1, "text"),
        Generation("g", "p", 2**60, "text"),
        Generation("g", "p", 0, 5),  # type: ignore[arg-type]
        Generation("g", "p", 0, None, error=RequestError("odd", "")),  # type: ignore[arg-type]
        Likelihood("l", "p", "yes", None),
        Likelihood("l", "p", "yes", -1.0, error=ERROR),
        Likelihood("l", "p", "yes", math.nan),
        Likelihood("l", "p", "yes", -math.inf),
        Likelihood("l", "p", "yes", "-1"),  # type: ignore[arg-type]
        Score("s", "r", "toxicity", "d", None),
        Score("s", "r", "toxicity", "d", math.nan),
        Score("s", "r", "toxicity", "d", True),
    ],
)
def test_records_that_make_no_sense_are_refused(
    store: RunStore, record: Generation | Likelihood | Score
) -> None:
    digest = store.content_digest()
    add: Any = {
        Generation: store.add_generations,
        Likelihood: store.add_likelihoods,
        Score: store.add_scores,
    }[type(record)]
    with pytest.raises(StoreError):
        add([record])
    assert store.content_digest() == digest


def test_events_come_back_in_the_order_in_which_they_happened(store: RunStore) -> None:
    digest = store.content_digest()
    store.add_event("session_started", {"pid": 1, "nested": {"x": [1.5, None]}})
    store.add_event("session_finished")
    first, second = store.events()
    assert (first.kind, first.data) == ("session_started", {"pid": 1, "nested": {"x": [1.5, None]}})
    assert (second.kind, second.data) == ("session_finished", {})
    assert first.number < second.number
    assert first.time <= second.time
    assert first.time.endswith("+00:00")
    assert store.content_digest() == digest


@pytest.mark.parametrize("data", [{"x": math.nan}, {"x": object()}, {"x": {1, 2}}])
def test_events_that_are_no_json_are_refused(store: RunStore, data: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="event 'odd' cannot be stored as JSON"):
        store.add_event("odd", data)
    assert list(store.events()) == []


def test_an_identity_that_is_no_json_is_refused(directory: Path) -> None:
    with pytest.raises(StoreError, match="identity cannot be stored as JSON"):
        RunStore.create(directory, {"x": math.inf})
    with RunStore.create(directory, IDENTITY) as store:
        assert store.identity == IDENTITY


def test_the_digest_does_not_depend_on_order_or_sessions(tmp_path: Path) -> None:
    digests = []
    for name, order in (("one", 1), ("two", -1)):
        with RunStore.create(tmp_path / name, IDENTITY) as store:
            _fill(store, order)
            store.add_event("session", {"order": order})
            digests.append(store.content_digest())
    assert digests[0] == digests[1]
    with RunStore.open(tmp_path / "one", read_only=True) as store:
        assert store.content_digest() == digests[0]
    with RunStore.create(tmp_path / "three", {"seed": 1}) as store:
        _fill(store)
        assert store.content_digest() != digests[0]


def test_the_digest_follows_every_kind_of_record(store: RunStore) -> None:
    seen = {store.content_digest()}
    prompt = make_prompt()
    adds: list[Callable[[], int]] = [
        lambda: store.add_prompts([prompt], {prompt.id: "sent"}),
        lambda: store.add_model_facts(make_facts()),
        lambda: store.add_generations([make_generation(1)]),
        lambda: store.add_likelihoods([make_likelihood(1)]),
        lambda: store.add_scores([make_score(1)]),
    ]
    for add in adds:
        assert add() == 1
        assert store.content_digest() not in seen
        seen.add(store.content_digest())


def test_the_digest_leaves_out_tracebacks_only(tmp_path: Path) -> None:
    digests = []
    for name, message, traceback in (
        ("one", "broken", "at line 1"),
        ("two", "broken", "at line 2"),
        ("three", "otherwise", "at line 1"),
    ):
        error = dataclasses.replace(ERROR, message=message, traceback=traceback)
        with RunStore.create(tmp_path / name, IDENTITY) as store:
            store.add_generations([Generation("g", "p", 0, None, error=error)])
            digests.append(store.content_digest())
    assert digests[0] == digests[1] != digests[2]


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(st.characters(codec=None), max_size=50),
    value=st.floats(allow_nan=False, allow_infinity=False),
    tokens=st.integers(0, 2**53 - 1),
)
def test_any_text_and_number_comes_back(
    store: RunStore, text: str, value: float, tokens: int
) -> None:
    number = len(store.done_request_ids())
    generation = Generation(f"g-{number}", text, tokens, text, text, tokens, tokens)
    likelihood = Likelihood(f"l-{number}", text, text, value, tokens)
    store.add_generations([generation])
    store.add_likelihoods([likelihood])
    assert generation in list(store.generations())
    assert likelihood in list(store.likelihoods())
