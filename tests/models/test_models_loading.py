"""Loading: facts and identity of a model, and a reason for every model that is refused."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoints import (
    CHAT_TEMPLATE,
    CONTEXT,
    edit_json,
    load_tiny,
    sample_requests,
    write_checkpoint,
    write_hub_cache,
)

from llmaudit.errors import ModelError, UnknownNameError, UsageError
from llmaudit.fetching import sha256_file
from llmaudit.models.causal import LIKELIHOOD_DEFINITION
from llmaudit.models.loading import (
    LoadOptions,
    load_model,
)
from llmaudit.models.placement import choose_device, choose_dtype
from llmaudit.records import Capability, Decoding

CPU = LoadOptions(device="cpu")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny", chat_template=CHAT_TEMPLATE)


def test_facts_say_what_was_loaded(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    told: list[str] = []
    model = load_model(str(folder), CPU, progress=told.append)
    facts = model.facts
    network: Any = AutoModelForCausalLM.from_pretrained(folder)
    assert facts.parameters == sum(one.numel() for one in network.state_dict().values())
    assert facts.context_length == CONTEXT
    assert facts.chat_template == CHAT_TEMPLATE
    assert (facts.name, facts.source, facts.kind) == ("tiny", "tiny", "causal")
    assert (facts.architecture, facts.weight_format) == ("LlamaForCausalLM", "safetensors")
    assert (facts.dtype, facts.device) == ("float32", "cpu")
    assert (facts.licence, facts.family, facts.training_data) == ("unknown",) * 3
    assert facts.likelihood_definition == LIKELIHOOD_DEFINITION
    (weight,) = facts.weights
    assert weight.sha256 == sha256_file(folder / "model.safetensors")
    assert model.capabilities == {Capability.GENERATE, Capability.LIKELIHOOD}
    assert told == ["loading tiny"]
    assert str(folder.parent) not in str(replace(facts))


def test_a_registry_name_brings_the_registrys_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = write_hub_cache(tmp_path, "tiiuae/falcon-7b", "falcon-rotary")
    model = load_model("falcon-7b", CPU)
    facts = model.facts
    assert (facts.name, facts.source, facts.family) == ("falcon-7b", "tiiuae/falcon-7b", "Falcon")
    assert (facts.licence, facts.languages) == ("Apache-2.0", ("en", "fr"))
    assert facts.training_data.startswith("1,500 billion tokens")
    assert facts.training_data_source == "https://huggingface.co/tiiuae/falcon-7b"
    assert facts.revision == snapshot.name
    assert facts.architecture == "FalconForCausalLM"
    (answer,) = model.generate(sample_requests(["The nurse"], Decoding(4, 1.0)))
    assert answer.error is None


def _change_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE + " ")


def _change_weights(folder: Path) -> None:
    write_checkpoint(folder, seed=1, chat_template=CHAT_TEMPLATE)


def _change_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace("<broken>", "<brakes>"))


def _change_settings(folder: Path) -> None:
    edit_json(folder / "config.json", rms_norm_eps=0.5)


def _change_stop_tokens(folder: Path) -> None:
    edit_json(folder / "generation_config.json", eos_token_id=[0, 5])


@pytest.mark.parametrize(
    "change",
    [_change_template, _change_weights, _change_tokenizer, _change_settings, _change_stop_tokens],
)
def test_the_digest_changes_with_whatever_changes_answers(
    folder: Path, change: Callable[[Path], None]
) -> None:
    before = load_tiny(folder).facts.digest
    copy = folder.parent / "elsewhere"
    shutil.copytree(folder, copy)
    (copy / "README.md").write_text("not read")
    assert load_tiny(copy).facts.digest == before
    change(copy)
    assert load_tiny(copy).facts.digest != before


def test_the_digest_changes_with_the_number_format(folder: Path) -> None:
    wide = load_model(str(folder), CPU)
    narrow = load_model(str(folder), LoadOptions(device="cpu", dtype="bfloat16"))
    assert narrow.facts.dtype == "bfloat16"
    assert narrow.facts.digest != wide.facts.digest
    (answer,) = narrow.generate(sample_requests(["The nurse"], Decoding(4, 1.0)))
    assert answer.error is None


def test_corrupt_weights_are_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="not a sound safetensors file"):
        load_tiny(folder)
    file.write_bytes(struct.pack("<Q", 2**60) + content[8:])
    with pytest.raises(ModelError, match="not a sound safetensors file"):
        load_tiny(folder)


@pytest.mark.parametrize("text", ["", '{"model_type": "llama", "hid', "[]", "{}", '"llama"'])
def test_a_broken_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"tiny: config\.json cannot be read"):
        load_tiny(folder)


def test_a_model_with_code_of_its_own_is_refused_and_its_code_not_run(folder: Path) -> None:
    mark = folder.parent / "mark"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
    (folder / "modeling_own.py").write_text(code)
    (folder / "tokenization_own.py").write_text(code)
    edit_json(
        folder / "config.json",
        model_type="own",
        architectures=["OwnForCausalLM"],
        auto_map={"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"},
    )
    with pytest.raises(ModelError, match=r"needs code of its own .* never run"):
        load_tiny(folder)
    edit_json(folder / "config.json", model_type="llama")
    edit_json(
        folder / "tokenizer_config.json",
        tokenizer_class="OwnTokenizer",
        auto_map={"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]},
    )
    try:
        load_tiny(folder)
    except ModelError as error:
        assert "tokenizer" in str(error)
    assert not mark.exists()


def test_what_is_no_language_model_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForQuestionAnswering, BertLMHeadModel, T5Config

    tokenizer_of = write_checkpoint(tmp_path / "tiny")
    sizes: dict[str, Any] = {
        "vocab_size": 400,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "initializer_range": 0.3,
    }
    masked = tmp_path / "masked"
    shutil.copytree(tokenizer_of, masked)
    network: Any = BertForQuestionAnswering(BertConfig(**sizes))
    network.save_pretrained(masked)
    with pytest.raises(ModelError, match="masked is a BertForQuestionAnswering: only language"):
        load_tiny(masked)
    network = BertLMHeadModel(BertConfig(**sizes))
    network.save_pretrained(masked)
    with pytest.raises(ModelError, match="reads text in both directions"):
        load_tiny(masked)
    T5Config().save_pretrained(masked)
    with pytest.raises(ModelError, match=r"is no language model \(model type 't5'\)"):
        load_tiny(masked)


def test_a_network_without_an_output_head_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "get_output_embeddings", lambda _network: None)
    with pytest.raises(ModelError, match=r"LlamaForCausalLM .* no output head"):
        load_tiny(folder)


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    lost = next(name for name in tensors if name.endswith("q_proj.weight"))
    del tensors[lost]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the weights .*q_proj\.weight"):
        load_tiny(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    edit_json(folder / "config.json", intermediate_size=48)
    with pytest.raises(ModelError, match="could not be loaded"):
        load_tiny(folder)


def test_a_folder_without_a_vocabulary_is_refused(folder: Path) -> None:
    edit_json(folder / "config.json", model_type="gpt2", architectures=["GPT2LMHeadModel"])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match="the tokenizer of tiny knows no word"):
        load_tiny(folder)


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="the tokenizer of tiny cannot be loaded"):
        load_tiny(folder)


def test_of_several_chat_templates_the_default_counts(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    named = {"tool_use": "tools", "default": CHAT_TEMPLATE}
    listed = [{"name": name, "template": text} for name, text in named.items()]
    edit_json(folder / "tokenizer_config.json", chat_template=listed)
    assert load_tiny(folder).facts.chat_template == CHAT_TEMPLATE
    edit_json(folder / "tokenizer_config.json", chat_template=listed[:1])
    with pytest.raises(ModelError, match="several chat templates and none by default"):
        load_tiny(folder)


def test_a_network_with_nan_weights_loads_and_fails_its_requests(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"][:] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    (answer,) = load_tiny(folder).generate(sample_requests(["The nurse"], Decoding(4, 1.0)))
    assert answer.error is not None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what is asked for")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_device_that_is_not_here_is_a_usage_error(folder: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"device '{device}' is not on this machine"):
        load_tiny(folder, device=device)


def test_devices_and_number_formats_are_checked_by_name() -> None:
    for wrong in ("gpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(UnknownNameError, match="unknown device"):
            choose_device(wrong)
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in {"cpu", "cuda", "mps"}
    with pytest.raises(UnknownNameError, match="did you mean 'bfloat16'"):
        choose_dtype("bfloat", "cpu", None)
    assert choose_dtype("float16", "cpu", "float32") == "float16"
    assert choose_dtype("auto", "cpu", "float32") == "float32"
    assert choose_dtype("auto", "cuda", "float16") == "float16"
    assert choose_dtype("auto", "cuda", None) == "bfloat16"


def test_unknown_kinds_of_model_are_usage_errors() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'scripted'"):
        load_model("script:file.yaml", CPU)


def test_a_scripted_model_is_chosen_by_its_prefix(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_model(f"scripted:{tmp_path / 'missing.yaml'}", CPU)


def test_another_package_adds_a_kind_of_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package's entry point is asked with what follows the prefix."""
    metadata = tmp_path / "own_models-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-models\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[llmaudit.models]\nown = own_models:load\n")
    (tmp_path / "own_models.py").write_text(
        "from llmaudit.models.loading import load_model\n\n\n"
        "def load(rest, options, progress):\n    return load_model(rest, options)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load_model(f"own:{folder}", CPU).facts.name == "tiny"
