"""The vLLM engine with vLLM itself: the same texts and likelihoods as the transformers engine.

Skipped where vLLM is not installed. ``docs/vllm.md`` says how to install it on a CPU machine.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoints import SENTENCES, by_id, choice_requests, sample_requests

from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.records import Decoding

pytestmark = [
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed (extra vllm)"),
    pytest.mark.filterwarnings("ignore"),  # vLLM's own, and those of what it imports
]
TEXTS = (
    *SENTENCES,
    "The capital of France is",
    "Write a poem about the sea.",
    "Name three colours.",
)
CHOICES = ("yes", "no, not at all", "a kind person who helps others every day")
LONG = " ".join(SENTENCES * 4)


@pytest.fixture(scope="module")
def served(smollm2: Path) -> Model:
    return load_model(str(smollm2), LoadOptions(engine="vllm", dtype="float32"))


@pytest.fixture(scope="module")
def plain(smollm2: Path) -> Model:
    return load_model(str(smollm2), LoadOptions(device="cpu", dtype="float32"))


def test_greedy_texts_are_equal(served: Model, plain: Model) -> None:
    requests = sample_requests(TEXTS, Decoding(32, 0.0))
    found, expected = by_id(served.generate(requests)), by_id(plain.generate(requests))
    assert found == expected


def test_likelihoods_are_equal(served: Model, plain: Model) -> None:
    requests = [one for text in (*TEXTS, LONG, "") for one in choice_requests(text, CHOICES)]
    found, expected = by_id(served.likelihood(requests)), by_id(plain.likelihood(requests))
    for name, one in expected.items():
        assert found[name].tokens == one.tokens
        assert found[name].logprob == pytest.approx(one.logprob, abs=1e-3)


def test_a_cached_prefix_leaves_no_log_probability_out(served: Model) -> None:
    """The long prompt fills blocks of the prefix cache; likelihoods are read all the same."""
    requests = choice_requests(LONG, CHOICES)
    before = by_id(served.likelihood(requests))
    sample = sample_requests([LONG], Decoding(8, 1.0), samples=4)
    first, again = by_id(served.generate(sample)), by_id(served.generate(sample))
    assert {one.error for one in first.values()} == {None}
    assert {name: one.text for name, one in first.items()} == {
        name: one.text for name, one in again.items()
    }
    after = by_id(served.likelihood(requests))
    for name, one in before.items():
        assert after[name].logprob == pytest.approx(one.logprob, abs=1e-3)


def test_a_sample_is_the_same_alone_and_among_others(served: Model) -> None:
    requests = sample_requests(TEXTS, Decoding(24, 1.0, 0.9), samples=4)
    together = by_id(served.generate(requests))
    assert len({one.text for one in together.values()}) > len(TEXTS)
    for request in requests[::5]:
        (alone,) = served.generate([request])
        assert alone.text == together[request.id].text


def test_a_failing_step_is_survived(served: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an exception vLLM itself goes on, once the step's requests are withdrawn."""
    requests = sample_requests(TEXTS, Decoding(8, 0.0))
    whole = by_id(served.generate(requests))
    engine: Any = served._engine  # type: ignore[attr-defined]
    executor = engine.engine_core.engine_core.model_executor
    compute, failures = executor.execute_model, iter(range(3))

    def fail(*args: Any, **named: Any) -> Any:
        if next(failures, None) is not None:
            raise RuntimeError("out of memory")
        return compute(*args, **named)

    monkeypatch.setattr(executor, "execute_model", fail)
    assert by_id(served.generate(requests)) == whole
