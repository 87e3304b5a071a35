"""A pytest plug-in: what several tests of models begin with.

The program is imported inside the fixtures: plug-ins load before coverage is measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from llmaudit.models.vllm import VLLMModel


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty hub cache, and a hub address where nobody listens; return the cache."""
    cache = tmp_path / "hub"
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    return cache


@pytest.fixture
def kept_environment() -> Iterator[None]:
    """Take back what is set in the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def vllm_package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put the stand-in for vLLM in its place."""
    import fake_vllm

    return fake_vllm.install(monkeypatch)


@pytest.fixture(scope="module")
def vllm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny checkpoint that chats and has a token without finite logits."""
    from tiny_checkpoints import CHAT_TEMPLATE, write_checkpoint

    folder = tmp_path_factory.mktemp("vllm")
    return write_checkpoint(folder, seed=3, broken_token=True, chat_template=CHAT_TEMPLATE)


@pytest.fixture
def vllm_model(vllm_package: ModuleType, vllm_folder: Path) -> VLLMModel:
    """Return that checkpoint, loaded by the stand-in."""
    import fake_vllm

    return fake_vllm.load(vllm_folder)
