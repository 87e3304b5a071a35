"""Every shipped set is answered by every kind of model that can answer it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_probesets_shipped import SETS
from tiny_checkpoints import load_tiny, write_checkpoint
from tiny_masked import write_masked_checkpoint, write_permuted_checkpoint

from llmaudit.models.base import Model
from llmaudit.models.scripted import load_scripted_model
from llmaudit.probesets import fill_probe_set, limit_prompts, load_probe_set
from llmaudit.records import (
    GAP,
    Decoding,
    ErrorKind,
    GenerationRequest,
    LikelihoodRequest,
    Prompt,
    Task,
)

#: A tiny chat model: any template will do.
CHAT = "{% for turn in messages %}{{ turn['role'] }}: {{ turn['content'] }}\n{% endfor %}"
LIMIT = 2
#: Tiny networks with few positions cannot take long texts, which says nothing of a set.
HARMLESS = {None, ErrorKind.TOO_LONG}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Model]:
    folder = tmp_path_factory.mktemp("models")
    table = folder / "scripted.yaml"
    labels = {label for path in SETS for one in first_prompts(path) for label in one.choices}
    rules: dict[str, Any] = {"answers": [{"texts": ["Yes."]}]}
    rules["likelihoods"] = [{"logprobs": dict.fromkeys(sorted(labels), -1)}]
    table.write_text(json.dumps({"format": 1, "name": "s", **rules}), "utf-8")
    return {
        "scripted": load_scripted_model(table),
        "base": load_tiny(write_checkpoint(folder / "base")),
        "chat": load_tiny(write_checkpoint(folder / "chat", chat_template=CHAT)),
        "masked": load_tiny(write_masked_checkpoint(folder / "masked")),
        "permuted": load_tiny(write_permuted_checkpoint(folder / "permuted")),
    }


@cache
def first_prompts(path: Path) -> tuple[Prompt, ...]:
    """Return a few prompts of a set, siblings whole."""
    return limit_prompts(fill_probe_set(load_probe_set(path)), LIMIT)


def answer(model: Model, prompts: tuple[Prompt, ...]) -> dict[str, ErrorKind | None]:
    """Return what went wrong with each request, None where nothing did."""
    if prompts[0].task is Task.GENERATE:
        decoding = Decoding(max_new_tokens=2, temperature=1.0)
        generate = [GenerationRequest(one.id, one, decoding, 0, 0) for one in prompts]
        written = list(model.generate(generate))
        return {one.prompt_id: one.error.kind if one.error else None for one in written}
    choose = [
        LikelihoodRequest(f"{one.id} {label}", one, label)
        for one in prompts
        for label in one.choices
    ]
    chosen = list(model.likelihood(choose))
    return {one.request_id: one.error.kind if one.error else None for one in chosen}


@pytest.mark.parametrize("kind", ["scripted", "base", "chat", "masked", "permuted"])
@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_every_kind_of_model_answers(path: Path, kind: str, models: Mapping[str, Model]) -> None:
    prompts = first_prompts(path)
    if prompts[0].task is Task.CARRIER:
        return  # for scorers
    found = answer(models[kind], prompts)
    assert found
    if kind == "masked" and prompts[0].task is Task.GENERATE:
        for prompt in prompts:
            allowed = HARMLESS if GAP in prompt.tags else {ErrorKind.UNSUPPORTED}
            assert found[prompt.id] in allowed
    else:
        # XLNet's vocabulary is English: a run of unknown letters is one token, an answer included.
        foreign = kind == "permuted" and prompts[0].language != "en"
        assert set(found.values()) <= HARMLESS | ({ErrorKind.UNSUPPORTED} if foreign else set())
