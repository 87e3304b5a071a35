"""What a model folder says of itself, friendly and hostile."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_checkpoints import load_tiny, write_checkpoint

from llmaudit.models.model_cards import (
    MAX_BYTES,
    MAX_ITEMS,
    MAX_TEXT,
    ModelCard,
    known_facts,
    read_card,
)
from llmaudit.models.registry import load_registry
from llmaudit.records import ModelFacts

CARD = """---
license: llama3.1
language:
- en
- no
base_model: meta-llama/Llama-3.1-8B
datasets: [allenai/dolma, HuggingFaceH4/ultrachat_200k]
tags: [chat, 🤗]
pipeline_tag: text-generation
extra_gated_prompt: >-
  You agree to the licence.
model-index:
- name: x
  results: [{metrics: [{value: 0.5}]}]
---
# A model

license: mit
"""


def write_card(folder: Path, text: str, config: Any = None) -> Path:
    """Write a model's card, and its configuration where there is one."""
    (folder / "README.md").write_text(text, "utf-8")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def front(text: str) -> str:
    """Return a card that is nothing but front matter."""
    return f"---\n{text}\n---\n"


def test_a_card_and_a_configuration(tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096}
    card = read_card(write_card(tmp_path, CARD, config))
    assert card == ModelCard(
        licence="Llama 3.1 Community License",
        licence_class="restricted use",
        languages=("en", "no"),
        gated=True,
        base_models=("meta-llama/Llama-3.1-8B",),
        data_sets=("allenai/dolma", "HuggingFaceH4/ultrachat_200k"),
        tags=("chat", "🤗"),
        task="text-generation",
        architecture="LlamaForCausalLM",
        kind="causal",
        context_length=4096,
    )
    assert card.training_data == (
        "Made from meta-llama/Llama-3.1-8B. "
        "Data sets named: allenai/dolma, HuggingFaceH4/ultrachat_200k."
    )


def test_a_folder_without_anything_says_nothing(tmp_path: Path) -> None:
    assert read_card(tmp_path) == ModelCard()
    assert ModelCard().training_data is None
    assert known_facts(None, tmp_path) == {"known_issues": ()}


@pytest.mark.parametrize(
    ("said", "licence", "licence_class"),
    [
        ("license: apache-2.0", "Apache-2.0", "permissive"),
        ("license: Apache-2.0", "Apache-2.0", "permissive"),
        ("license: [mit]", "MIT", "permissive"),
        ("license: cc-by-nc-4.0", "CC-BY-NC-4.0", "non-commercial"),
        ("license: other", "other", "unknown"),
        ("license: other\nlicense_name: qwen-research", "Qwen Research Licence", "research only"),
        ("license: other\nlicense_name: Our Own", "Our Own", "unknown"),
        ("license: [mit, apache-2.0]", "mit, apache-2.0", "unknown"),
        ("license: unknown", None, "unknown"),
        ("license:", None, "unknown"),
        ("license: {a: b}", None, "unknown"),
        ("license: 3", None, "unknown"),
        ("title: no licence", None, "unknown"),
    ],
)
def test_licences(tmp_path: Path, said: str, licence: str | None, licence_class: str) -> None:
    card = read_card(write_card(tmp_path, front(said)))
    assert (card.licence, card.licence_class) == (licence, licence_class)


@pytest.mark.parametrize(
    ("config", "architecture", "kind", "length"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "BertForMaskedLM", "masked", None),
        ({"architectures": ["XLNetLMHeadModel"]}, "XLNetLMHeadModel", "permuted", None),
        (
            {"architectures": ["GPT2LMHeadModel"], "n_positions": 1024},
            "GPT2LMHeadModel",
            "causal",
            1024,
        ),
        ({"architectures": ["T5Encoder"]}, "T5Encoder", None, None),
        ({"architectures": [], "max_position_embeddings": -1}, None, None, None),
        ({"architectures": "AForCausalLM", "n_ctx": True}, "AForCausalLM", "causal", None),
        ({"text_config": {"max_position_embeddings": 77}, "n_ctx": 10**12}, None, None, 77),
        ({"text_config": 7}, None, None, None),
        ([1, 2], None, None, None),
    ],
)
def test_configurations(
    tmp_path: Path, config: Any, architecture: str | None, kind: str | None, length: int | None
) -> None:
    card = read_card(write_card(tmp_path, "", config))
    assert (card.architecture, card.kind, card.context_length) == (architecture, kind, length)


def test_a_card_in_the_form_of_another_system(tmp_path: Path) -> None:
    text = "\ufeff" + CARD.replace("\n", "\r\n")
    (tmp_path / "README.md").write_bytes(text.encode())
    card = read_card(tmp_path)
    assert (card.licence, card.languages) == ("Llama 3.1 Community License", ("en", "no"))


@pytest.mark.parametrize(
    "text",
    [
        "# A model\n\nlicense: mit\n",
        "---\nlicense: mit\n",  # never ends
        "text first\n---\nlicense: mit\n---\n",
        front("- license\n- mit"),
        front("just words"),
        front(""),
    ],
)
def test_what_is_no_front_matter_says_nothing(tmp_path: Path, text: str) -> None:
    assert read_card(write_card(tmp_path, text)).licence is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("a: &a [x]\nlicense: *a", "anchor"),
        ("license: !!python/object/apply:os.system [id]", "tag"),
        ("license: mit\nlicense: apache-2.0", "already on line 2"),
        ("license: [mit", "not YAML"),
        ('license: "\\e[31mred"', "control character U+001B"),
        ("x: " + "[" * 60 + "]" * 60, "nested deeper"),
        ("x: [" + "1," * 100_001 + "]", "more than 100000 values"),
        ("1.5: x", "is not text"),
    ],
)
def test_hostile_cards_say_nothing_but_that(tmp_path: Path, said: str, problem: str) -> None:
    folder = write_card(tmp_path, front(f"language: en\n{said}"), {"n_ctx": 5})
    card = read_card(folder)
    assert problem in card.problem
    assert str(tmp_path) not in card.problem
    assert len(card.problem) <= MAX_TEXT
    assert card == ModelCard(context_length=5, problem=card.problem)
    (issue,) = known_facts(None, folder)["known_issues"]
    assert issue == f"Its model card could not be read: {card.problem}"


def test_a_bomb_of_aliases_is_not_unfolded(tmp_path: Path) -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30))
    assert "anchor" in read_card(write_card(tmp_path, front(f"l0: &l0 [x]\n{levels}"))).problem


def test_only_the_beginning_of_a_huge_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n" + "x" * 3 * MAX_BYTES, "utf-8")
    assert read_card(tmp_path).licence == "MIT"
    late = "---\nx: " + "x" * MAX_BYTES + "\nlicense: mit\n---\n"
    (tmp_path / "README.md").write_text(late, "utf-8")
    (tmp_path / "config.json").write_text('{"n_ctx": 8, "x": "' + "x" * MAX_BYTES + '"}', "utf-8")
    assert read_card(tmp_path) == ModelCard()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    os.mkfifo(tmp_path / "config.json")  # reading it would wait for ever
    assert read_card(tmp_path) == ModelCard()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{" * 100_000, b'{"n_ctx": 1' + b"0" * 9000])
def test_configurations_that_are_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert read_card(tmp_path) == ModelCard()


def test_a_card_that_is_not_utf_8_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\ntags: [caf\xe9]\n---\n")
    card = read_card(tmp_path)
    assert (card.licence, card.tags) == ("MIT", ("caf\N{REPLACEMENT CHARACTER}",))


def test_text_is_plain_and_short(tmp_path: Path) -> None:
    said = json.dumps({"license": "a\u202eb\u200b  c", "tags": ["x" * 999, 3, None, " ", "ok"]})
    card = read_card(write_card(tmp_path, front(said)))
    assert card.licence == "ab c"
    assert card.tags == ("x" * (MAX_TEXT - 1) + "…", "ok")
    many = read_card(write_card(tmp_path, front(json.dumps({"language": ["en"] * 999}))))
    assert len(many.languages) == MAX_ITEMS
    sets = read_card(write_card(tmp_path, front(json.dumps({"datasets": ["a/b"] * 23}))))
    assert sets.training_data == f"Data sets named: {', '.join(['a/b'] * 20)} and 3 more."
    mixed = read_card(write_card(tmp_path, front(json.dumps({"license": ["x" * 150] * 9}))))
    assert mixed.licence == "x" * 150 + ", " + "x" * 47 + "…"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_KEYS = ["license", "license_name", "language", "base_model", "datasets", "tags", "pipeline_tag"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    said=st.dictionaries(st.sampled_from(_KEYS), _VALUES),
    config=st.dictionaries(
        st.sampled_from(["architectures", "n_ctx", "text_config", "max_seq_len"]), _VALUES
    ),
)
def test_whatever_stands_there_the_facts_are_plain(
    tmp_path: Path, said: dict[str, Any], config: dict[str, Any]
) -> None:
    folder = write_card(tmp_path, front(json.dumps(said)), config)
    card = read_card(folder)
    for field in fields(card):
        value = getattr(card, field.name)
        for text in value if isinstance(value, tuple) else (value,):
            assert text is None or isinstance(text, bool | int | str)
            assert not isinstance(text, str) or (text.isprintable() and len(text) <= MAX_TEXT)
    facts = ModelFacts(name="m", source="s", digest="d", kind="causal", **known_facts(None, folder))
    assert isinstance(facts.licence, str)


def test_the_registry_goes_before_the_card(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    entry = load_registry().find("vicuna-7b")
    assert entry is not None
    facts = known_facts(entry, tmp_path)
    assert facts["family"] == "Vicuna"
    assert facts["licence"] == "Llama 2 Community License"
    assert facts["licence_class"] == "restricted use"
    assert facts["licence_source"] == "https://huggingface.co/lmsys/vicuna-7b-v1.5"
    assert facts["training_data_disclosure"] == "described"
    assert facts["training_data_source"] == "https://huggingface.co/lmsys/vicuna-7b-v1.5"
    # The registry does not say which languages it writes; the card does.
    assert facts["languages"] == ("en", "no")


def test_the_card_of_a_base_does_not_speak_for_its_adapter(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    entry = load_registry().find("guanaco-33b")
    assert entry is not None
    facts = known_facts(entry, tmp_path)
    assert facts["licence"] == "LLaMA licence (base model) and Apache-2.0 (adapter)"
    assert "languages" not in facts
    assert facts["known_issues"][1] == (
        "The adapter is published as a pickle file, which needs --allow-pickle. "
        "(https://huggingface.co/timdettmers/guanaco-33b/tree/main)"
    )


def test_a_loaded_model_carries_what_its_card_says(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "own")
    without = load_tiny(folder).facts
    facts = load_tiny(write_card(folder, CARD)).facts
    assert (without.licence, without.licence_class, without.licence_source) == (
        "unknown",
        "unknown",
        "",
    )
    assert (facts.licence, facts.licence_class) == ("Llama 3.1 Community License", "restricted use")
    assert facts.licence_source == "model card (README.md)"
    assert facts.languages == ("en", "no")
    assert facts.training_data.startswith("Made from meta-llama/Llama-3.1-8B.")
    # What is computed does not depend on the card.
    assert facts.digest == without.digest


def test_the_card_speaks_where_there_is_no_registry(tmp_path: Path) -> None:
    facts = known_facts(None, write_card(tmp_path, CARD))
    assert facts == {
        "licence": "Llama 3.1 Community License",
        "licence_class": "restricted use",
        "licence_source": "model card (README.md)",
        "languages": ("en", "no"),
        "training_data": "Made from meta-llama/Llama-3.1-8B. "
        "Data sets named: allenai/dolma, HuggingFaceH4/ultrachat_200k.",
        "training_data_source": "model card (README.md)",
        "known_issues": (),
    }
