"""A real server, transformers' own ``transformers serve``, with and without faults before it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fault_proxy import Fault, FaultProxy
from openai_audits import audit_words, everything_in
from tiny_checkpoints import CHAT_TEMPLATE, make_prompt, sample_requests, write_checkpoint

from llmaudit.cli import main
from llmaudit.models.openai import ServerModel, load_server_model
from llmaudit.records import Capability, Decoding, GenerationRequest

DECODING = Decoding(max_new_tokens=6, temperature=1.0)
SECRET = "sk-very-secret-0123456789"  # noqa: S105


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers, or fail with what it said."""
    deadline = time.monotonic() + 180
    while True:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_checkpoint(folder / "tiny", start=True, chat_template=CHAT_TEMPLATE)
    settings = folder / "tiny" / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"do_sample": True}))
    return folder / "tiny"


@pytest.fixture(scope="module")
def served(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the server on a tiny checkpoint; return its base address."""
    pytest.importorskip("fastapi", reason="transformers serve needs fastapi, uvicorn and openai")
    cache = tmp_path_factory.mktemp("hub")
    log = checkpoint.parent / "log.txt"
    port = free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(checkpoint)]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=said,
            stderr=said,
            env=os.environ | environment,
        ) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def model(checkpoint: Path, served: str) -> ServerModel:
    return load_server_model(str(checkpoint), served, concurrency=4, request_timeout=60)


def test_what_a_real_server_can_do_is_found_out(model: ServerModel, served: str) -> None:
    assert model.capabilities == {Capability.GENERATE}
    assert model.facts.kind == "server"
    assert model.facts.source.endswith(f" at {served.removeprefix('http://').removesuffix('/v1')}")
    assert model.facts.chat_format.startswith("chat turns")
    assert "Unexpected fields" in model.facts.no_likelihood
    notes = " ".join(model.facts.notes)
    assert "its own settings of these hold" in notes
    assert "A seed was sent" in notes


def test_a_real_server_answers_chats_and_texts(model: ServerModel, checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    turns = make_prompt("Who is late?")
    text = make_prompt("The nurse said", turns=False)
    requests = [GenerationRequest(p.id, p, DECODING, 0, 0) for p in (turns, text)]
    found = {one.prompt_id: one for one in model.generate(requests)}
    filled: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who is late?"}], add_generation_prompt=True
    )
    assert found[turns.id].prompt_tokens == len(filled["input_ids"])
    assert found[text.id].prompt_tokens == len(tokenizer("The nurse said")["input_ids"])
    for one in found.values():
        assert one.error is None
        assert 0 < one.new_tokens <= 6
        assert one.finish == ("length" if one.new_tokens == 6 else "stop")


def test_a_real_server_behind_faults_answers_all_the_same(
    checkpoint: Path, served: str, model: ServerModel
) -> None:
    faults = [Fault.TOO_MANY, Fault.BROKEN, Fault.RESET, Fault.CUT_BODY, Fault.CUT_JSON]
    requests = sample_requests(["The nurse said", "An engineer"], DECODING, samples=4)
    with FaultProxy(served) as proxy:
        behind = load_server_model(str(checkpoint), proxy.url, concurrency=2, request_timeout=60)
        proxy.plan(faults)
        proxy.plan([Fault.EMPTY_CHOICES])
        found = list(behind.generate(requests))
        assert len(proxy.met) == 6
    assert len(found) == len(requests)
    failed = [one for one in found if one.error is not None]
    assert [one.error and one.error.message for one in failed] == ["the reply's choices are empty"]
    assert behind.facts.digest != model.facts.digest


def test_a_whole_run_with_a_real_server_behind_faults(
    checkpoint: Path, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FaultProxy(served) as proxy:
        proxy.plan([Fault.TOO_MANY, Fault.CUT_BODY])
        words = audit_words(tmp_path, str(checkpoint), proxy.url)
        done = CliRunner().invoke(main, words, prog_name="llmaudit")
        assert {headers.get("Authorization") for _, headers in proxy.seen} == {f"Bearer {SECRET}"}
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert done.exit_code == {"fail": 1, "inconclusive": 3}[results["verdict"]]
    assert (tmp_path / "run" / "report.html").is_file()
    assert results["counts"]["generations"] == 4
    assert results["counts"]["errors"] == 0
    assert results["model"]["kind"] == "server"
    findings = {one["check"]: one for one in results["findings"]}
    assert findings["hiring-gender"]["verdict"] == "not tested"
    assert findings["hiring-gender"]["reason"].startswith("The server gives no log-probabilities")
    assert SECRET not in everything_in(tmp_path) + done.output
