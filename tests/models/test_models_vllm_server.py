"""The server model against ``vllm serve``, and against the same weights in transformers.

Skipped unless ``LLMAUDIT_VLLM_PYTHON`` names an interpreter with vLLM (``docs/vllm.md``).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openai_audits import audit_words
from tiny_checkpoints import SENTENCES, by_id, make_prompt, sample_requests

from llmaudit.cli import main
from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.records import Capability, Decoding, LikelihoodRequest

PYTHON = os.environ.get("LLMAUDIT_VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="LLMAUDIT_VLLM_PYTHON names no interpreter")
NAME = "smollm2"
CHOICES = ("yes", "no, not at all", "a kind person who helps others every day")
START_SECONDS = 400


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, or fail with what it said."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-5000:]
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")[-5000:]
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.5)


@pytest.fixture(scope="module")
def served(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start vLLM's server on SmolLM2 in float32; return its base address."""
    port, log = free_port(), tmp_path_factory.mktemp("vllm") / "log.txt"
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(smollm2)]
    command += ["--served-model-name", NAME, "--dtype", "float32", "--enforce-eager"]
    command += ["--max-model-len", "2048", "--host", "127.0.0.1", "--port", str(port)]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | settings) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def model(served: str) -> Model:
    options = LoadOptions(base_url=served, concurrency=16, request_timeout=300)
    return load_model(f"openai:{NAME}", options)


@pytest.fixture(scope="module")
def plain(smollm2: Path) -> Model:
    return load_model(str(smollm2), LoadOptions(device="cpu", dtype="float32"))


def choices_after(text: str, *, turns: bool) -> list[LikelihoodRequest]:
    """Return one request per choice after a text that is or is not put as a chat."""
    labels = {choice: choice for choice in CHOICES}
    prompt = make_prompt(text, choices=labels, turns=turns)
    return [LikelihoodRequest(f"{text}|{one}|{turns}", prompt, one) for one in CHOICES]


def test_what_the_server_can_do_is_found_out(model: Model) -> None:
    assert model.capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}
    assert model.facts.kind == "server"
    assert model.facts.chat_format.startswith("chat turns")


def test_greedy_answers_are_those_of_transformers(model: Model, plain: Model) -> None:
    requests = sample_requests([*SENTENCES, "Name three colours."], Decoding(24, 0.0))
    found, expected = by_id(model.generate(requests)), by_id(plain.generate(requests))
    for name, one in expected.items():
        assert found[name].error is None
        assert found[name].text == one.text
        assert found[name].finish == one.finish
        assert found[name].prompt_tokens == one.prompt_tokens


def test_a_seed_gives_the_same_sample(model: Model) -> None:
    requests = sample_requests(SENTENCES[:2], Decoding(16, 1.0, 0.9), samples=3)
    first, again = by_id(model.generate(requests)), by_id(model.generate(requests))
    assert first == again
    assert len({one.text for one in first.values()}) > 3


@pytest.mark.parametrize("turns", [False, True])
def test_likelihoods_are_those_of_transformers(model: Model, plain: Model, turns: bool) -> None:
    texts = (*SENTENCES, "The nurse said")
    requests = [one for text in texts for one in choices_after(text, turns=turns)]
    found, expected = by_id(model.likelihood(requests)), by_id(plain.likelihood(requests))
    for name, one in expected.items():
        assert found[name].error is None
        assert found[name].tokens == one.tokens
        assert found[name].logprob == pytest.approx(one.logprob, abs=1e-3)


def test_a_text_that_stands_alone_is_measured_as_the_definition_says(
    model: Model, smollm2: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert "stands alone is preceded by <|endoftext|>" in model.facts.likelihood_definition
    tokenizer: Any = AutoTokenizer.from_pretrained(smollm2)
    network: Any = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    found = by_id(model.likelihood(choices_after("", turns=False)))
    for choice in CHOICES:
        ids = torch.tensor(tokenizer("<|endoftext|>" + choice)["input_ids"])
        with torch.inference_mode():
            logprobs = network(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
        expected = float(logprobs.gather(1, ids[1:, None]).sum())
        assert found[f"|{choice}|False"].logprob == pytest.approx(expected, abs=1e-3)


def test_a_whole_run(model: Model, served: str, tmp_path: Path) -> None:
    words = audit_words(tmp_path, NAME, served)
    done = CliRunner().invoke(main, words, prog_name="llmaudit")
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert done.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3}[results["verdict"]]
    assert results["counts"]["errors"] == 0
    assert results["model"]["kind"] == "server"
