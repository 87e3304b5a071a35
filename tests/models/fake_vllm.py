"""The parts of vLLM's offline interface that the engine uses, computed by plain transformers.

Made after vLLM 0.32: what it validates, what it leaves out and the forms of its outputs. Tests in
``test_models_vllm.py`` hold the same things against vLLM itself where that is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.vllm import VLLMModel


class RequestOutputKind(Enum):
    """How often outputs come."""

    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


@dataclass(kw_only=True)
class SamplingParams:
    """The fields that are used; any other name is a TypeError, as it is in vLLM."""

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop_token_ids: list[int] = field(default_factory=list)
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    detokenize: bool = True
    output_kind: RequestOutputKind = RequestOutputKind.CUMULATIVE

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}.")


@dataclass
class Running:
    """One request within the engine."""

    name: str
    prompt: list[int]
    params: SamplingParams
    tokens: list[int] = field(default_factory=list)
    logprobs: list[dict[int, Any]] = field(default_factory=list)
    prompt_logprobs: list[dict[int, Any] | None] | None = None
    reason: str | None = None

    def output(self) -> Any:
        """Return the request as it stands, in the form of a ``RequestOutput``."""
        known = self.logprobs if self.params.logprobs is not None else None
        sample = SimpleNamespace(
            token_ids=list(self.tokens), logprobs=known, finish_reason=self.reason, text=""
        )
        return SimpleNamespace(
            request_id=self.name,
            outputs=[sample],
            prompt_logprobs=self.prompt_logprobs,
            finished=self.reason is not None,
        )


class Engine:
    """Continuous batching of one token per request and step; no tokenizer, so no end of its own.

    ``script`` gives the tokens that follow a prompt, in place of what the network says. ``fault``
    is called with the prompts of each step, and raises as it likes. ``edit`` may change an output.
    """

    def __init__(self, folder: str, dtype: str, max_model_len: int, most: int) -> None:
        from transformers import AutoModelForCausalLM

        make: Any = AutoModelForCausalLM.from_pretrained
        self.network = make(folder, dtype=getattr(torch, dtype)).eval()
        self.max_model_len, self.most = max_model_len, most
        self.requests: list[Running] = []
        self.asked: list[Running] = []
        self.steps = 0
        self.script: dict[tuple[int, ...], list[int]] = {}
        self.fault: Callable[[list[list[int]]], None] = lambda prompts: None
        self.edit: Callable[[Any], None] = lambda output: None

    def add_request(self, name: str, prompt: dict[str, Any], params: SamplingParams) -> str:
        """Take a request; what vLLM refuses is refused."""
        assert prompt["type"] == "token"
        tokens = prompt["prompt_token_ids"]
        if not tokens:
            raise ValueError("The decoder prompt cannot be empty")
        if len(tokens) >= self.max_model_len:
            raise ValueError(f"The decoder prompt (length {len(tokens)}) is too long")
        assert name not in {one.name for one in self.requests}
        running = Running(name, list(tokens), params)
        self.requests.append(running)
        self.asked.append(running)
        return f"{name}-0a1b2c3d"

    def abort_request(self, names: Sequence[str]) -> None:
        """Forget requests; those that are not there do not matter."""
        self.requests = [one for one in self.requests if one.name not in names]

    def step(self) -> list[Any]:
        """Give the next token to the first requests; return those that are finished."""
        batch = self.requests[: self.most]
        self.steps += 1
        self.fault([one.prompt for one in batch])
        for one in batch:
            self._advance(one)
        self.requests = [one for one in self.requests if one.reason is None]
        outputs = [one.output() for one in batch if one.reason is not None]
        for output in outputs:
            self.edit(output)
        return outputs

    def _advance(self, one: Running) -> None:
        with torch.inference_mode():
            ids = torch.tensor([one.prompt + one.tokens])
            logprobs = self.network(input_ids=ids).logits[0].float().log_softmax(-1)
        if one.params.prompt_logprobs is not None and one.prompt_logprobs is None:
            places = enumerate(one.prompt[1:])
            known = [{token: _logprob(logprobs[place], token)} for place, token in places]
            one.prompt_logprobs = [None, *known]
        token = self._choose(one, logprobs[-1])
        one.tokens.append(token)
        one.logprobs.append({token: _logprob(logprobs[-1], token)})
        if token in one.params.stop_token_ids:
            one.reason = "stop"
        elif len(one.tokens) == one.params.max_tokens:
            one.reason = "length"

    def _choose(self, one: Running, logprobs: torch.Tensor) -> int:
        script = self.script.get(tuple(one.prompt))
        if script is not None:
            return script[len(one.tokens)]
        if one.params.temperature == 0:
            return int(logprobs.argmax())
        assert one.params.seed is not None
        generator = torch.Generator().manual_seed(one.params.seed)
        noise = torch.empty(len(one.tokens) + 1, len(logprobs)).exponential_(generator=generator)
        return int((logprobs / one.params.temperature - noise[-1].log()).argmax())


def _logprob(row: torch.Tensor, token: int) -> Any:
    return SimpleNamespace(logprob=float(row[token]))


class LLM:
    """Keeps what it was made with; ``longest`` is the context that the memory allows."""

    longest = 10**6
    failure: Exception | None = None

    def __init__(self, model: str, **settings: Any) -> None:
        from transformers import AutoConfig

        if self.failure is not None:
            raise self.failure
        self.settings = {"model": model, **settings}
        own = getattr(AutoConfig.from_pretrained(model), "max_position_embeddings", 2048)
        length = min(own, self.longest)
        self.model_config = SimpleNamespace(
            max_model_len=length, architecture="FakeForCausalLM", dtype=settings["dtype"]
        )
        self.llm_engine = Engine(model, settings["dtype"], length, settings["max_num_seqs"])


def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put the stand-in where ``import vllm`` finds it, and return the package."""

    def tokens_input(prompt_token_ids: list[int]) -> dict[str, Any]:
        return {"type": "token", "prompt_token_ids": prompt_token_ids}

    class Limited(LLM):
        """A class of its own, so that a test may change it."""

    parts: dict[str, dict[str, Any]] = {
        "vllm": {"LLM": Limited, "SamplingParams": SamplingParams, "__version__": "0.0"},
        "vllm.inputs": {"tokens_input": tokens_input},
        "vllm.sampling_params": {"RequestOutputKind": RequestOutputKind},
        "vllm.platforms": {"current_platform": SimpleNamespace(device_type="cpu")},
        "vllm.envs": {"VLLM_BATCH_INVARIANT": False},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    return sys.modules["vllm"]


def load(folder: Path, **options: Any) -> VLLMModel:
    """Load a checkpoint with ``--engine vllm``."""
    model = load_model(str(folder), LoadOptions(**{"engine": "vllm", **options}))
    assert isinstance(model, VLLMModel)
    return model
