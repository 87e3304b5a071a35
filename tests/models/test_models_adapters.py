"""Adapters: the same numbers as peft's own, their lineage, and a reason for each one refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from tiny_adapters import (
    CONFIGS,
    PROJECTIONS,
    load_tuned,
    make_adapter,
    save_adapter,
    train_adapter,
)
from tiny_checkpoints import (
    CHAT_TEMPLATE,
    choice_requests,
    edit_json,
    load_tiny,
    sample_requests,
    train_tokenizer,
    write_checkpoint,
    write_hub_cache,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from llmaudit.config import AuditConfig
from llmaudit.errors import UsageError
from llmaudit.fetching import sha256_file
from llmaudit.models.adapters import KEPT, MERGED, find_adapter
from llmaudit.models.base import Model
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.sampling import RequestNoise
from llmaudit.planning import make_plan
from llmaudit.records import AdapterFacts, Decoding

TEXT = "The nurse said that the doctor"


pytestmark = pytest.mark.usefixtures("empty_hub")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-base")


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return save_adapter(train_adapter(base, CONFIGS["LORA"]()), tmp_path / "my-lora")


def _facts(model: Model) -> AdapterFacts:
    assert model.facts.adapter is not None
    return model.facts.adapter


def _expected(tuned: Any, base: Path, context: str, choice: str) -> float:
    """Return the log-probability of a choice by peft's own forward pass, token after token."""
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    start = tokenizer(context)["input_ids"]
    whole = tokenizer(f"{context} {choice}")["input_ids"]
    with torch.no_grad():
        logits = tuned(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(float(logits[at - 1, whole[at]]) for at in range(len(start), len(whole)))


def test_every_method_that_is_accepted_is_tested() -> None:
    assert {name.partition(",")[0] for name in CONFIGS} == MERGED | KEPT


@pytest.mark.parametrize("method", CONFIGS)
def test_likelihoods_and_greedy_texts_are_pefts_own(
    base: Path, tmp_path: Path, method: str
) -> None:
    tuned = train_adapter(base, CONFIGS[method]())
    model = load_tuned(base, save_adapter(tuned, tmp_path / "adapter"))
    kind = method.partition(",")[0]
    assert _facts(model).kind == kind
    assert _facts(model).applied.startswith("kept" if kind in KEPT else "merged")
    choices = ["was late.", "wrote a kind letter to the old teacher."]
    plain = {one.choice: one for one in load_tiny(base).likelihood(choice_requests(TEXT, choices))}
    for found in model.likelihood(choice_requests(TEXT, choices)):
        expected = _expected(tuned, base, TEXT, found.choice)
        assert found.logprob == pytest.approx(expected, abs=1e-4)
        assert plain[found.choice].logprob != pytest.approx(expected, abs=1e-3)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    prompts = [TEXT, "An engineer"]
    texts = {}
    for prompt in prompts:
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        greedy = tuned.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12,
            use_cache=False,
        )  # fmt: skip
        new = greedy[0, ids.shape[1] :]
        texts[prompt] = tokenizer.decode(
            new, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    answers = model.generate(sample_requests(prompts, Decoding(12, 0.0)))
    assert {one.request_id.partition("|")[0]: one.text for one in answers} == texts


def test_lineage_weights_and_settings_are_recorded(base: Path, adapter: Path) -> None:
    told: list[str] = []
    options = LoadOptions("cpu", adapter=str(adapter))
    facts = load_model(str(base), options, progress=told.append).facts
    assert facts.name == "tiny-base+my-lora"
    assert facts.source == "tiny-base + my-lora"
    assert [file.name for file in facts.weights] == [
        "model.safetensors",
        "adapter_model.safetensors",
    ]
    found = facts.adapter
    assert found is not None
    assert (found.name, found.source, found.base) == ("my-lora", "my-lora", "tiny-base")
    assert found.weights[0].sha256 == sha256_file(adapter / "adapter_model.safetensors")
    assert found.settings["r"] == "4"
    assert "base_model_name_or_path" not in found.settings
    assert facts.notes[1] == (
        "Lineage: tiny-base, with the adapter my-lora (LORA) merged into the weights."
    )
    assert told == ["loading tiny-base+my-lora"]
    assert facts.architecture == "LlamaForCausalLM"
    assert facts.parameters == load_tiny(base).facts.parameters
    assert str(base.parent) not in str(facts)


def test_the_digest_holds_the_adapter(base: Path, adapter: Path, tmp_path: Path) -> None:
    plain = load_tiny(base).facts.digest
    first = load_tuned(base, adapter).facts.digest
    copy = tmp_path / "elsewhere"
    shutil.copytree(adapter, copy)
    assert load_tuned(base, copy).facts.digest == first != plain
    edit_json(copy / "adapter_config.json", lora_alpha=16)
    assert load_tuned(base, copy).facts.digest not in {first, plain}
    other = save_adapter(
        train_adapter(base, peft.LoraConfig(r=2, target_modules=PROJECTIONS)), tmp_path / "two"
    )
    assert load_tuned(base, other).facts.digest not in {first, plain}


@pytest.mark.parametrize(
    ("declared", "warned"),
    [
        ("tiny-base", False),
        ("Tiny-Base", False),
        ("/home/ada/models/tiny-base", False),
        ("C:\\models\\tiny-base", False),
        ("somebody/tiny-base", False),
        ("other/model", True),
        ("/home/ada/models/other", True),
        (None, None),
    ],
)
def test_the_base_that_an_adapter_names_is_compared(
    base: Path, adapter: Path, declared: str | None, warned: bool | None
) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path=declared)
    told: list[str] = []
    options = LoadOptions("cpu", adapter=str(adapter))
    facts = load_model(str(base), options, progress=told.append).facts
    assert "home" not in str(facts)
    assert len(told) == 1 + (warned is not False)
    assert any("a model that nobody trained" in note for note in facts.notes) is bool(warned)
    assert any("does not say which" in note for note in facts.notes) is (warned is None)


def test_base_and_tuned_are_asked_the_same_with_the_same_noise(base: Path, adapter: Path) -> None:
    """What decides a sample besides the weights is the prompt and the seed, not the model."""
    plans = [
        make_plan(AuditConfig(model=str(base), adapter=name, limit=3, seed=5))
        for name in (None, str(adapter))
    ]
    ours, theirs = (
        plan.generation_requests(digest) for plan, digest in zip(plans, "ab", strict=True)
    )
    assert [one.prompt for one in ours] == [one.prompt for one in theirs]
    for one, other in zip(ours[:20], theirs[:20], strict=True):
        assert one.id != other.id
        noise = np.empty((2, 50))
        RequestNoise(one).fill(noise[0], step=3)
        RequestNoise(other).fill(noise[1], step=3)
        assert (noise[0] == noise[1]).all()


def test_an_adapter_of_nothing_changes_no_sample(base: Path, adapter: Path) -> None:
    requests = sample_requests([TEXT], Decoding(8, 1.0), samples=3, seed=5)
    untouched = save_adapter(make_adapter(base, CONFIGS["LORA"]()), adapter.parent / "nothing")
    texts = {one.sample_index: one.text for one in load_tiny(base).generate(requests)}
    same = load_tuned(base, untouched).generate(requests)
    assert {one.sample_index: one.text for one in same} == texts
    tuned = load_tuned(base, adapter).generate(requests)
    assert {one.sample_index: one.text for one in tuned} != texts


@pytest.mark.parametrize("name", ["guanaco-7b", "Guanaco-7B", "timdettmers/guanaco-7b"])
def test_a_model_that_is_an_adapter_brings_its_base(empty_hub: Path, name: str) -> None:
    snapshot = write_hub_cache(empty_hub, "huggyllama/llama-7b", "llama", start=True)
    tuned = train_adapter(snapshot, CONFIGS["LORA"]())
    folder = _cache_adapter(
        empty_hub, "timdettmers/guanaco-7b", tuned, declared="huggyllama/llama-7b"
    )
    model = load_model(name, LoadOptions("cpu"))
    facts = model.facts
    assert (facts.name, facts.source) == ("guanaco-7b", "timdettmers/guanaco-7b")
    assert facts.family == "Guanaco"
    assert facts.chat_format == "Guanaco"
    found = _facts(model)
    assert (found.name, found.base) == ("guanaco-7b", "huggyllama/llama-7b")
    assert found.revision == folder.name
    assert not any("nobody trained" in note for note in facts.notes)
    (answer,) = model.generate(sample_requests([TEXT], Decoding(4, 0.0)))
    assert answer.error is None
    with pytest.raises(UsageError, match=r"takes no --adapter.*--model llama-7b"):
        load_model(name, LoadOptions("cpu", adapter="some/adapter"))


def _cache_adapter(hub: Path, hub_id: str, tuned: Any, *, declared: str) -> Path:
    """Write an adapter as the hub's cache lays it out."""
    repository = hub / f"models--{hub_id.replace('/', '--')}"
    folder = save_adapter(tuned, repository / "snapshots" / ("a" * 40), declared=declared)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(folder.name, "utf-8")
    return folder


def test_an_adapter_is_found_in_the_hub_cache(base: Path, empty_hub: Path) -> None:
    tuned = train_adapter(base, CONFIGS["IA3"]())
    _cache_adapter(empty_hub, "Somebody/Some-Adapter", tuned, declared="somebody/tiny-base")
    facts = load_tuned(base, "Somebody/Some-Adapter").facts
    assert facts.name == "tiny-base+some-adapter"
    assert facts.source == "tiny-base + Somebody/Some-Adapter"


def test_the_tokenizer_of_an_adapter_is_used(base: Path, adapter: Path) -> None:
    before = load_tuned(base, adapter).facts
    train_tokenizer(chat_template=CHAT_TEMPLATE).save_pretrained(adapter)
    facts = load_tuned(base, adapter).facts
    assert (before.chat_template, facts.chat_template) == ("", CHAT_TEMPLATE)
    assert facts.digest != before.digest
    assert "come with the adapter" in facts.notes[-1]


def test_an_adapter_kept_beside_the_weights_gives_the_same(base: Path, adapter: Path) -> None:
    """As on quantised weights, which only CUDA devices have."""
    from llmaudit.models.adapters import apply_adapter

    source = find_adapter(str(adapter))
    ids = torch.tensor([[5, 50, 60, 70]])
    outputs = []
    for merge in (True, False):
        network: Any = AutoModelForCausalLM.from_pretrained(base)
        tuned, applied = apply_adapter(network, source, merge=merge)
        assert applied.startswith("merged" if merge else "kept")
        assert type(tuned).__name__ == "LlamaForCausalLM"
        with torch.no_grad():
            outputs.append(tuned(ids).logits)
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
