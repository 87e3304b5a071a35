"""What a run will cost, held against counts made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_adapters import CONFIGS, save_adapter, train_adapter
from tiny_checkpoints import write_checkpoint

from llmaudit.config import AuditConfig
from llmaudit.costing import (
    SetCost,
    Speed,
    cost_set,
    estimate_cost,
    estimate_seconds,
    measure_speed,
)
from llmaudit.errors import ModelError, UnknownNameError, UsageError
from llmaudit.models.local import (
    Geometry,
    PromptTokens,
    count_tokens,
    find_local,
    guess_tokens,
    is_here,
    read_geometry,
)
from llmaudit.models.memory import Memory
from llmaudit.models.registry import load_registry
from llmaudit.planning import make_plan
from llmaudit.records import Message, Prompt, Task

GIB = 2**30


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin on a machine where nothing has been fetched."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def config_of(**options: object) -> AuditConfig:
    """Return a configuration for this machine's processor."""
    return AuditConfig.model_validate({"model": "smollm2-135m", "device": "cpu", **options})


def test_generations_read_a_prompt_once_and_write_every_sample() -> None:
    config = config_of(samples=3, max_new_tokens=10, limit=5)
    sets = {planned.facts.id: planned for planned in make_plan(config).sets}
    planned = sets["toxicity-openings"]
    tokens = {prompt.id: PromptTokens(7, {}) for prompt in planned.prompts}
    assert cost_set(planned, tokens) == SetCost(
        "toxicity-openings", Task.GENERATE, 5, 3, 15, 0, 5 * 7, 15 * 10
    )


def test_choices_read_a_prompt_once_for_each_choice_and_write_nothing() -> None:
    config = config_of(limit=6)
    sets = {planned.facts.id: planned for planned in make_plan(config).sets}
    planned = sets["stereotype-pairs"]
    assert len(planned.prompts) == 6
    tokens = {
        prompt.id: PromptTokens(2, dict.fromkeys(prompt.choices, 9)) for prompt in planned.prompts
    }
    assert cost_set(planned, tokens) == SetCost(
        "stereotype-pairs", Task.CHOICES, 6, 1, 0, 12, 12 * (2 + 9), 0
    )


def test_time_is_two_operations_per_parameter_and_token() -> None:
    sets = (
        SetCost("a", Task.GENERATE, 1, 1, 1, 0, 1_000, 500),
        SetCost("b", Task.CHOICES, 1, 1, 0, 2, 3_000, 0),
    )
    # 2 x 1e6 x (4000 / 1e9 + 500 / 1e8) = 8 + 10
    assert estimate_seconds(sets, 10**6, Speed(1e9, 1e8)) == pytest.approx(18)


def test_memory_is_the_sum_of_what_is_known() -> None:
    assert Memory(4, 2, 1, 7).needed == 7
    assert Memory(4, 2, 1, 7).fits is True
    assert Memory(4, 2, 1, 6).fits is False
    assert Memory(4, None, None, 4).fits is True
    assert Memory(None, None, None, 100).needed is None
    assert Memory(None, None, None, 100).fits is None


def test_the_cache_of_smollm2() -> None:
    # 30 layers x keys and values x 3 heads of 64 numbers x 4 bytes: 46,080 a token.
    smollm = Geometry(30, 3, 64, 49_152, 576)
    assert smollm.cache_bytes(8_192, 4) == 46_080 * 8_192


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"model_type": "llama", "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3, "hidden_size": 576, "vocab_size": 49152,
             "dtype": "bfloat16"},
            Geometry(30, 3, 64, 49152, 576),
        ),
        (
            {"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768,
             "vocab_size": 50257},
            Geometry(12, 12, 64, 50257, 768),
        ),
        (
            {"model_type": "falcon", "num_hidden_layers": 32, "num_attention_heads": 71,
             "hidden_size": 4544, "vocab_size": 65024, "multi_query": True,
             "new_decoder_architecture": False},
            Geometry(32, 1, 64, 65024, 4544),
        ),
        ({"model_type": "nobody-knows-it"}, None),
    ],
)  # fmt: skip
def test_the_sizes_come_from_the_configuration(
    tmp_path: Path, config: dict[str, object], expected: Geometry | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_geometry(tmp_path) == expected


def prompt_of(chat: str, plain: str, **choices: str) -> Prompt:
    """Return a prompt with both forms."""
    turns = (Message("user", chat),) if chat else ()
    return Prompt(
        "p", "s", "d", "t", "q", None, None, "en", Task.CHOICES, turns, plain, choices=choices
    )


def test_four_characters_count_as_a_token() -> None:
    counts = guess_tokens([prompt_of("12345678", "1234", yes="Yes", no="No way")])
    assert counts == {"p": PromptTokens(2, {"yes": 1, "no": 2})}
    assert guess_tokens([prompt_of("", "12345")])["p"].sent == 2


@pytest.fixture
def word_model(tmp_path: Path) -> Path:
    """Return a folder with a tokenizer of words and a small network's weights."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path / "word-model"
    words = {word: place for place, word in enumerate(["?", "a", "b", "c", "user", "assistant"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="?"))  # noqa: S106
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    make: Any = PreTrainedTokenizerFast
    make(tokenizer_object=backend).save_pretrained(folder)
    config = {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 8, "vocab_size": 6}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {"a": np.zeros((3, 5), dtype=np.float32), "b": np.zeros(4, dtype=np.float32)}
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_the_models_own_tokenizer_counts(word_model: Path) -> None:
    counts = count_tokens(word_model, [prompt_of("ignored by a base model", "a b c", yes="a b")])
    assert counts == {"p": PromptTokens(3, {"yes": 2})}
    template = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}assistant "
    (word_model / "chat_template.jinja").write_text(template, encoding="utf-8")
    chat = count_tokens(word_model, [prompt_of("a b", "c", yes="c")])
    assert chat == {"p": PromptTokens(4, {"yes": 1})}
    assert count_tokens(word_model.parent, []) is None


def test_a_model_that_is_here_is_counted(word_model: Path) -> None:
    config = config_of(model=str(word_model), limit=4, batch_tokens=100)
    cost = estimate_cost(config, make_plan(config))
    assert (cost.parameters, cost.parameters_from, cost.tokens_from) == (19, "weights", "tokenizer")
    assert cost.dtype == "float32"
    assert cost.memory.weights == 19 * 4
    # 2 layers x keys and values x 2 heads of 4 numbers x 4 bytes.
    assert cost.memory.cache == 100 * 2 * 2 * 2 * 4 * 4
    assert cost.memory.logits == 100 * 6 * 4
    assert cost.memory.fits is True
    assert cost.seconds is not None
    assert cost.seconds > 0


def test_a_model_that_is_not_here_is_guessed_and_nothing_is_fetched() -> None:
    config = config_of(model="falcon-7b", limit=4, dtype="bfloat16")
    cost = estimate_cost(config, make_plan(config))
    assert (cost.parameters, cost.parameters_from) == (7_000_000_000, "registry")
    assert cost.tokens_from == "characters"
    assert cost.memory.weights == 14_000_000_000
    assert (cost.memory.cache, cost.memory.logits) == (None, None)


@pytest.mark.parametrize("name", ["nobody/knows-it", "scripted:model.yaml"])
def test_what_nobody_knows_is_unknown(name: str) -> None:
    config = config_of(model=name, limit=4)
    cost = estimate_cost(config, make_plan(config))
    assert (cost.parameters, cost.parameters_from) == (None, "unknown")
    assert (cost.memory.needed, cost.memory.fits, cost.seconds) == (None, None, None)


def test_a_server_holds_the_model_and_reads_a_prompt_for_every_sample() -> None:
    config = AuditConfig(model="openai:some/model", limit=4, samples=3)
    plan = make_plan(config)
    cost = estimate_cost(config, plan)
    assert (cost.on_server, cost.device, cost.parameters, cost.seconds) == (
        True, "server", None, None,
    )  # fmt: skip
    assert (cost.memory.needed, cost.memory.fits) == (None, None)
    (planned,) = (one for one in plan.sets if one.facts.id == "toxicity-openings")
    once = sum(one.sent for one in guess_tokens(planned.prompts).values())
    found = {one.probe_set: one for one in cost.sets}["toxicity-openings"]
    assert (found.generations, found.read_tokens) == (4 * 3, 3 * once)
    local = config_of(model="nobody/knows-it", limit=4, samples=3)
    alone = {one.probe_set: one for one in estimate_cost(local, make_plan(local)).sets}
    assert alone["toxicity-openings"].read_tokens == once


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "openai:m", "adapter": "some/adapter"}, "--adapter is about weights on this"),
        ({"model": "openai:m", "quantize": "8bit"}, "--quantize is about weights"),
        ({"model": "openai:m", "device": "cpu"}, "--device is about weights"),
        ({"model": "opnai:m"}, "did you mean 'openai'"),
        ({"model": "gpt2", "tensor_parallel": 2}, "needs --engine vllm"),
        ({"model": "guanaco-7b", "adapter": "some/adapter"}, "is an adapter on"),
        ({"model": "gpt2", "adapter": "guanco-7b"}, "did you mean 'guanaco-7b'"),
    ],
)
def test_what_a_run_would_refuse_a_plan_refuses(options: dict[str, Any], words: str) -> None:
    config = AuditConfig.model_validate({"limit": 2, **options})
    with pytest.raises(UsageError, match=words):
        estimate_cost(config, make_plan(config))


def test_an_adapter_is_looked_up(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base")
    adapter = save_adapter(train_adapter(base, CONFIGS["LORA"]()), tmp_path / "mine")
    config = config_of(model=str(base), adapter=str(adapter), limit=2)
    cost = estimate_cost(config, make_plan(config))
    size = (adapter / "adapter_model.safetensors").stat().st_size / 2**20
    assert cost.adapter == f"mine (LORA): {size:.1f} MiB on this machine"
    away = config_of(model=str(base), adapter="some/adapter", limit=2)
    told = estimate_cost(away, make_plan(away)).adapter
    assert told == "some/adapter: not on this machine, so its size is unknown"
    (adapter / "adapter_config.json").write_text("{", "utf-8")
    with pytest.raises(ModelError):
        estimate_cost(config, make_plan(config))


def test_names_that_stand_for_nothing() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'falcon-7b'"):
        find_local("falcn-7b")


def test_what_is_here(tmp_path: Path) -> None:
    entry = load_registry().find("smollm2-135m")
    assert entry is not None
    assert not is_here(entry)
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"not converted yet")
    assert find_local(str(gguf)).folder is None
    assert find_local(str(tmp_path)).folder == tmp_path
    assert find_local("smollm2").entry == entry
    assert find_local("smollm2").folder is None


def test_the_speed_of_this_machine_is_a_positive_number() -> None:
    speed = measure_speed("cpu", "float32", Geometry(1, 1, 8, 10, 64), (32, 1))
    assert speed.reading > 0
    assert speed.writing > 0


def test_an_adapter_costs_what_its_base_costs(tmp_path: Path) -> None:
    cost = estimate_cost(config := config_of(model="guanaco-7b", limit=2), make_plan(config))
    base = load_registry().find("llama-7b")
    assert base is not None
    assert base.parameters is not None
    assert cost.parameters_from == "registry"
    assert cost.parameters == pytest.approx(base.parameters.value, rel=0.05)
