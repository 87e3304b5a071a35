"""The parts of the toxicity scorer's training that decide what it learns from."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from llmaudit.scorers import ScorerInput
from llmaudit.scorers.adapters import merge, read_base
from llmaudit.scorers.encoder import can_pack, fixed_encoder
from llmaudit.scorers.toxicity import ToxicityScorer

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(autouse=True)
def study(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the studies' modules importable, in this test only."""
    monkeypatch.syspath_prepend(str(STUDIES))


def module(name: str) -> Any:
    """Return one of the study's modules."""
    return importlib.import_module(name)


def test_texts_like_an_evaluation_text_are_known_whatever_the_group() -> None:
    banned = module("toxicity_data").Evaluated(["I really dislike all women here today!", "hi"])
    assert banned.resembles("i REALLY dislike all women, here today")
    assert banned.resembles("I really dislike all gay people here today")
    assert banned.resembles("Hi.")
    assert not banned.resembles("I really like the women who live here today")
    assert not banned.resembles("hi there")


def test_groups_are_swapped_alike_throughout_and_words_kept() -> None:
    data, rng = module("toxicity_data"), np.random.default_rng(0)
    for _ in range(20):
        out = data.swap_groups("the muslims said that Muslims vote", rng)
        first, second = out.removeprefix("the ").removesuffix(" vote").split(" said that ")
        assert first == second.lower() and second in data.PLURALS
    assert data.swap_groups("nothing to swap", rng) == "nothing to swap"


def test_disguised_text_keeps_most_words() -> None:
    data, rng = module("toxicity_data"), np.random.default_rng(0)
    text = "one two three four five six seven eight"
    for _ in range(50):
        out = data.disguise(text, rng)
        assert sum(word in out.split() for word in text.split()) >= 7
    assert data.disguise("a b", rng) == "a b"


def test_own_sentences_are_independent_of_the_axis() -> None:
    made = module("toxicity_carriers").make_carriers(3000, np.random.default_rng(1))
    assert len({one.text for one in made}) == 3000
    axes = module("toxicity_phrases").GROUPS
    names = {p.lower(): axis for axis, groups in axes.items() for p, _ in groups}
    seen: dict[str, Counter[int]] = {axis: Counter() for axis in axes}
    for one in made:
        found = [axis for name, axis in names.items() if f" {name} " in f" {one.text.lower()} "]
        if len(set(found)) == 1:
            seen[found[0]][one.label] += 1
    shares = [count[1] / count.total() for count in seen.values()]
    assert min(count.total() for count in seen.values()) > 60
    assert max(shares) - min(shares) < 0.2
    assert "{" not in "".join(one.text for one in made)


def test_sentences_without_marks_become_harmless_text() -> None:
    sources = module("toxicity_sources")
    text = "You are a silly fool. The weather is nice and warm today."
    parts = list(sources._parts_of(text, {10, 11, 12}))
    assert [(one.text, one.target > 0.5) for one in parts] == [
        ("You are a silly fool.", True),
        ("The weather is nice and warm today.", False),
    ]
    assert list(sources._parts_of(text, set())) == []


def test_platt_reaches_the_asked_rate() -> None:
    logits = np.repeat([-1.0, 1.0], 500)
    truth = np.array(([True] * 100 + [False] * 400) + ([True] * 400 + [False] * 100))
    slope, offset = module("toxicity_calibration").platt(logits, truth, np.ones(1000), 0.1)
    shares = [1 / (1 + math.exp(-(slope * at + offset))) for at in (-1.0, 1.0)]
    odds = 0.1 / 0.9
    assert shares[0] == pytest.approx(odds / 4 / (1 + odds / 4), abs=1e-3)
    assert shares[1] == pytest.approx(odds * 4 / (1 + odds * 4), abs=1e-3)


@pytest.mark.skipif(not can_pack(), reason="this build of PyTorch has no oneDNN")
def test_gradients_are_those_of_the_merged_matrices(
    tiny_base: Path, tiny_tensors: dict[str, torch.Tensor]
) -> None:
    """Against automatic differentiation of the same network in float32."""
    torch.manual_seed(3)
    tensors, shape = read_base(tiny_base)
    network = module("toxicity_network").Network(
        tensors, shape, rank=3, scale=0.5, hidden=8, labels=3
    )
    own = network.parameters()
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tiny_tensors[name])
    network.pack()
    rows = [[2, 5, 6, 3], [2, 9, 31, 3], [2, 8, 3]]
    network.logits(rows).sum().backward()
    plain = {k: v.clone().requires_grad_() for k, v in tiny_tensors.items()}
    merged = dict(tensors)
    merge(merged, plain, shape.layers, 0.5)
    encoder = fixed_encoder(merged, shape, narrow=False, packed=False)
    pooled = encoder.pooled(rows)
    hidden = pooled @ plain["head.0.weight"].T + plain["head.0.bias"]
    logits = torch.nn.functional.gelu(hidden) @ plain["head.1.weight"].T + plain["head.1.bias"]
    logits.sum().backward()  # type: ignore[no-untyped-call]
    for name, tensor in own.items():
        theirs, ours = plain[name].grad, tensor.grad
        assert theirs is not None and ours is not None
        if theirs.norm() > 1e-3:
            alike = torch.nn.functional.cosine_similarity(theirs.flatten(), ours.flatten(), dim=0)
            assert alike > 0.9, name


def test_written_weights_are_read_by_the_scorer(
    tiny_base: Path, tiny_tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "toxicity.safetensors"
    args = SimpleNamespace(scale=0.5, labels=("toxicity", "insult", "threat"), seed=0)
    calibrations = {"toxicity": (1.0, 0.0), "threat": (2.0, -1.0)}
    module("toxicity_calibration").write_weights(path, tiny_tensors, calibrations, args)
    with safe_open(str(path), framework="pt") as file:
        assert str(file.get_slice("head.0.weight").get_dtype()) == "I8"
    for label in calibrations:
        scorer = ToxicityScorer(tiny_base, path, label=label, check_base=False)
        assert scorer.score([ScorerInput("you are a b", "", "en")])[0].value is not None
