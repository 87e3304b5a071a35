"""Every architecture samples the same text alone, in a batch of 64, and after a resume."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_checkpoints import ARCHITECTURES, SENTENCES, load_tiny, sample_requests, write_checkpoint

from llmaudit.models.base import Model
from llmaudit.records import Decoding, Generation, GenerationRequest

SAMPLED = Decoding(max_new_tokens=8, temperature=1.0)
PROMPTS = (
    *(" ".join(SENTENCES[0].split()[:words]) for words in (1, 3, 8)),
    *(" ".join(SENTENCES[1].split()[:words]) for words in (2, 6, 11)),
    *(" ".join(SENTENCES[0].split()[:4]) + f" {word}" for word in ("teacher", "bread")),
)


def texts(
    model: Model, requests: list[GenerationRequest], done: frozenset[str] = frozenset()
) -> dict[str, tuple[str | None, str | None]]:
    """Return text and finish by request, none of them an error."""
    results: list[Generation] = list(model.generate(requests, done=done))
    assert [one.error for one in results if one.error] == []
    assert len(results) == len(requests) - len(done)
    return {one.request_id: (one.text, one.finish) for one in results}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_alone_in_a_batch_of_64_and_after_a_resume(architecture: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, architecture)
    requests = sample_requests(PROMPTS, SAMPLED, samples=8)
    assert len(requests) == 64
    together = texts(load_tiny(folder, batch_tokens=64 * 64), requests)
    assert len(set(together.values())) > 32
    for request in requests[::21]:
        assert texts(load_tiny(folder), [request]) == {request.id: together[request.id]}
    done = frozenset(request.id for request in requests[::3])
    rest = {key: value for key, value in together.items() if key not in done}
    # Of a run that was stopped, the rest is asked for by a new process, in other batches too.
    for batch_tokens in (64 * 64, 200):
        assert texts(load_tiny(folder, batch_tokens=batch_tokens), requests, done) == rest
