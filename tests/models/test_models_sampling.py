"""The exponential race draws from the softmax, and its noise belongs to the request."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from tiny_checkpoints import sample_requests

from llmaudit.models.sampling import RequestNoise, sample_tokens
from llmaudit.records import Decoding

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, -30.0])
DRAWS = 4000


def _draws(decoding: Decoding, logits: torch.Tensor = LOGITS) -> NDArray[np.int64]:
    """Count how often each token is drawn by as many requests as ``DRAWS``."""
    requests = sample_requests(["prompt"], decoding, samples=DRAWS)
    noise = [RequestNoise(request) for request in requests]
    chosen = sample_tokens(logits.expand(DRAWS, -1), noise, 3, decoding)
    counts: NDArray[np.int64] = np.bincount(chosen.numpy(), minlength=len(logits))
    return counts


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_draws_follow_the_softmax(temperature: float) -> None:
    counts = _draws(Decoding(1, temperature))
    expected = torch.softmax(LOGITS.double() / temperature, 0).numpy() * DRAWS
    assert counts[4] == 0
    assert stats.chisquare(counts[:4], expected[:4] * DRAWS / expected[:4].sum()).pvalue > 0.01


def test_greedy_takes_the_largest_logit_and_needs_no_noise() -> None:
    chosen = sample_tokens(torch.stack([LOGITS, LOGITS.flip(0)]), [], 0, Decoding(1, 0.0))
    assert chosen.tolist() == [0, 4]


def test_top_p_keeps_the_smallest_set_that_holds_so_much() -> None:
    """Probabilities 0.5, 0.3, 0.15, 0.05: 0.75 needs two tokens, 0.81 three; 0.4 needs one."""
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()
    assert np.flatnonzero(_draws(Decoding(1, 1.0, 0.75), logits)).tolist() == [1, 3]
    assert np.flatnonzero(_draws(Decoding(1, 1.0, 0.81), logits)).tolist() == [0, 1, 3]
    assert np.flatnonzero(_draws(Decoding(1, 1.0, 0.4), logits)).tolist() == [1]
    counts = _draws(Decoding(1, 1.0, 0.75), logits)
    assert stats.binomtest(int(counts[1]), DRAWS, 0.5 / 0.8).pvalue > 0.01


def _at(noise: RequestNoise, step: int, tokens: int) -> NDArray[np.float64]:
    row = np.empty(tokens)
    noise.fill(row, step)
    return row


def test_noise_depends_on_seed_prompt_sample_and_step_only() -> None:
    first, again = (
        RequestNoise(sample_requests(["a"], Decoding(length, 1.0))[0]) for length in (1, 9)
    )
    assert np.array_equal(_at(first, 5, 100), _at(again, 5, 100))
    others = [
        _at(RequestNoise(sample_requests(["a"], Decoding(1, 1.0), seed=1)[0]), 5, 100),
        _at(RequestNoise(sample_requests(["b"], Decoding(1, 1.0))[0]), 5, 100),
        _at(RequestNoise(sample_requests(["a"], Decoding(1, 1.0), samples=2)[1]), 5, 100),
        _at(first, 6, 100),
    ]
    for other in others:
        assert not np.isclose(other, _at(first, 5, 100)).any()


def test_noise_is_standard_exponential() -> None:
    noise = _at(RequestNoise(sample_requests(["a"], Decoding(1, 1.0))[0]), 0, 5000)
    assert stats.kstest(noise, "expon").pvalue > 0.01


def test_a_batch_draws_what_each_row_draws_alone() -> None:
    requests = sample_requests(["a", "b", "c"], Decoding(1, 0.8, 0.9))
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    noise = [RequestNoise(request) for request in requests]
    together = sample_tokens(logits, noise, 2, requests[0].decoding).tolist()
    alone = [
        sample_tokens(logits[row : row + 1], noise[row : row + 1], 2, requests[0].decoding).item()
        for row in range(3)
    ]
    assert together == alone


@pytest.mark.parametrize("spread", [0.3, 6.0])
def test_nucleus_of_a_wide_vocabulary_is_the_one_of_a_full_sort(spread: float) -> None:
    logits = spread * torch.randn(4, 5000, generator=torch.Generator().manual_seed(3))
    requests = sample_requests([str(n) for n in range(4)], Decoding(1, 1.0, 0.9))
    noise = [RequestNoise(request) for request in requests]
    expected = []
    for row, its in zip(logits.double().numpy(), noise, strict=True):
        order = np.argsort(-row)
        shares = np.exp(row[order] - row.max()) / np.exp(row - row.max()).sum()
        inside = order[np.cumsum(shares) - shares < 0.9]
        race = row[inside] - np.log(_at(its, 0, len(row))[inside])
        expected.append(inside[race.argmax()])
        assert (len(inside) > 1024) == (spread < 1)  # one case within the likeliest, one beyond
    assert sample_tokens(logits, noise, 0, requests[0].decoding).tolist() == expected


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_unlikely_tokens_of_a_large_vocabulary_are_not_drawn(top_p: float) -> None:
    logits = torch.zeros(1, 50_000)
    logits[0, 7] = 60.0  # everything else together: 50,000 * e^-60
    (request,) = sample_requests(["a"], Decoding(1, 1.0, top_p))
    noise = [RequestNoise(request)]
    drawn = {int(sample_tokens(logits, noise, step, request.decoding)) for step in range(400)}
    assert drawn == {7}
