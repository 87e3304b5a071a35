"""Prompt formats as exact strings, and which of them a model gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoints import (
    CHAT_TEMPLATE,
    END,
    START,
    choice_requests,
    edit_json,
    make_prompt,
    sample_requests,
    train_tokenizer,
    write_checkpoint,
)

from llmaudit.errors import ModelError, UsageError
from llmaudit.models.encoding import PromptEncoder
from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.models.prompt_formats import (
    CHOICES,
    OWN_TEMPLATE,
    PLAIN,
    TEMPLATES,
    PromptFormat,
    set_prompt_format,
)
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.records import Decoding, Message

USER = [("user", "Who bakes bread?")]
SYSTEM = [("system", "Answer briefly."), *USER]
TURNS = [*USER, ("assistant", "My neighbour."), ("user", "When?")]
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request."
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
GUANACO = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)

#: Format and turns to the text that is sent, its beginning-of-text token included.
GOLDEN = [
    ("alpaca", USER, f"<start>{ALPACA}\n\n### Instruction:\nWho bakes bread?\n\n### Response:"),
    (
        "alpaca",
        SYSTEM,
        "<start>Answer briefly.\n\n### Instruction:\nWho bakes bread?\n\n### Response:",
    ),
    (
        "alpaca",
        TURNS,
        f"<start>{ALPACA}\n\n### Instruction:\nWho bakes bread?\n\n### Response:My neighbour.<end>"
        "\n\n### Instruction:\nWhen?\n\n### Response:",
    ),
    ("vicuna", USER, f"<start>{VICUNA} USER: Who bakes bread? ASSISTANT:"),
    ("vicuna", SYSTEM, "<start>Answer briefly. USER: Who bakes bread? ASSISTANT:"),
    (
        "vicuna",
        TURNS,
        f"<start>{VICUNA} USER: Who bakes bread? ASSISTANT: My neighbour.<end>USER: When? "
        "ASSISTANT:",
    ),
    ("guanaco", USER, f"<start>{GUANACO}\n### Human: Who bakes bread?\n### Assistant:"),
    ("guanaco", SYSTEM, "<start>Answer briefly.\n### Human: Who bakes bread?\n### Assistant:"),
    (
        "guanaco",
        TURNS,
        f"<start>{GUANACO}\n### Human: Who bakes bread?\n### Assistant: My neighbour."
        "\n### Human: When?\n### Assistant:",
    ),
]


def _format(tokenizer: Any, asked: str, entry: RegistryEntry | None = None) -> PromptFormat:
    return set_prompt_format(tokenizer, asked, entry, kind="causal", origin="here")


def _entry(name: str) -> RegistryEntry:
    found = load_registry().find(name)
    assert found is not None
    return found


def _prompt(turns: list[tuple[str, str]]) -> Any:
    messages = tuple(Message(role, content) for role, content in turns)
    return replace(make_prompt("Who bakes bread?"), messages=messages)


@pytest.mark.parametrize(("name", "turns", "text"), GOLDEN)
def test_formats_are_written_to_the_letter(
    name: str, turns: list[tuple[str, str]], text: str
) -> None:
    tokenizer = train_tokenizer(start=True)
    written = _format(tokenizer, name)
    assert written.template == TEMPLATES[name]
    encoder = PromptEncoder(tokenizer, chat_model=True)
    assert encoder.format_prompt(_prompt(turns)) == text
    ids = encoder.prompt_ids(_prompt(turns))
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids) == text


def test_plain_prompts_are_the_text_itself_after_one_opening_token() -> None:
    tokenizer = train_tokenizer(start=True, chat_template=CHAT_TEMPLATE)
    written = _format(tokenizer, "plain")
    assert written == PromptFormat(PLAIN, "")
    encoder = PromptEncoder(tokenizer, chat_model=bool(written.template))
    assert encoder.format_prompt(_prompt(USER)) == "Who bakes bread?"
    ids = encoder.prompt_ids(_prompt(USER))
    assert tokenizer.decode(ids) == f"{START}Who bakes bread?"


@pytest.mark.parametrize("name", TEMPLATES)
def test_formats_do_without_special_tokens(name: str) -> None:
    tokenizer = train_tokenizer()
    tokenizer.bos_token = tokenizer.eos_token = None
    _format(tokenizer, name)
    text = PromptEncoder(tokenizer, chat_model=True).format_prompt(_prompt(TURNS))
    assert START not in text
    assert END not in text
    assert "None" not in text


@pytest.mark.parametrize("name", TEMPLATES)
def test_words_of_a_prompt_are_never_a_template(name: str) -> None:
    """What a prompt says is data in the sandbox, and a template reaches nothing outside it."""
    tokenizer = train_tokenizer(start=True)
    _format(tokenizer, name)
    hostile = "{{ 7 * 7 }} {% raw %} {{ ''.__class__.__mro__ }}"
    text = PromptEncoder(tokenizer, chat_model=True).format_prompt(_prompt([("user", hostile)]))
    assert hostile in text


def test_templates_run_in_a_sandbox() -> None:
    from jinja2.exceptions import SecurityError

    tokenizer = train_tokenizer()
    tokenizer.chat_template = "{{ messages.__class__.__base__.__subclasses__() }}"
    with pytest.raises(SecurityError):
        PromptEncoder(tokenizer, chat_model=True).format_prompt(_prompt(USER))


@pytest.mark.parametrize(
    ("template", "gap"),
    [
        (TEMPLATES["alpaca"], ""),
        (TEMPLATES["vicuna"], " "),
        (TEMPLATES["guanaco"], " "),
        (CHAT_TEMPLATE, ""),
        # The bracketed form of Llama 2: no opening of the answer, and a space before it.
        (
            "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
            "{% else %} {{ m['content'] }}{% endif %}{% endfor %}",
            " ",
        ),
        # A template that thinks before it answers says nothing of how a choice stands.
        (
            "{% for m in messages %}<turn>{% if m['role'] == 'assistant' %}(hm){% endif %}"
            "{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<turn>{% endif %}",
            "",
        ),
        ("{{ raise_exception('no answers') if messages | length > 1 }}{{ messages[0].role }}", ""),
    ],
)
def test_a_choice_stands_where_an_answer_would(template: str, gap: str) -> None:
    tokenizer = train_tokenizer(chat_template=template)
    encoder = PromptEncoder(tokenizer, chat_model=True)
    prompt = replace(_prompt(USER), choices={"a": "bread", "b": "oven"})
    opening = encoder.format_prompt(prompt)
    for label, (context, choice) in encoder.choice_ids(prompt).items():
        whole = tokenizer.decode([*context, *choice])
        assert whole == f"{opening}{gap}{prompt.choices[label]}"


def test_the_registry_decides_where_nothing_is_asked() -> None:
    for name, title in (
        ("alpaca-7b", "Alpaca"),
        ("vicuna-7b", "Vicuna (v1.1)"),
        ("guanaco-7b", "Guanaco"),
    ):
        tokenizer = train_tokenizer(chat_template=CHAT_TEMPLATE)
        written = _format(tokenizer, "auto", _entry(name))
        assert (written.name, written.notes) == (title, ())
        assert tokenizer.chat_template == written.template
    base = train_tokenizer(chat_template=CHAT_TEMPLATE)
    assert _format(base, "auto", _entry("llama-7b")).name == PLAIN
    assert base.chat_template is None


def test_then_the_tokenizers_template_then_plain_text() -> None:
    assert _format(train_tokenizer(), "auto") == PromptFormat(PLAIN, "")
    own = _format(train_tokenizer(chat_template=CHAT_TEMPLATE), "auto")
    assert own == PromptFormat(OWN_TEMPLATE, CHAT_TEMPLATE)
    chat = _entry("smollm2-135m")
    assert chat.prompt_format is not None
    assert _format(train_tokenizer(chat_template=CHAT_TEMPLATE), "auto", chat) == own
    lost = _format(train_tokenizer(), "auto", chat)
    assert (lost.name, lost.template) == (PLAIN, "")
    assert "the tokenizer that was loaded has none" in lost.notes[0]


def test_what_is_asked_wins() -> None:
    tokenizer = train_tokenizer(chat_template=CHAT_TEMPLATE)
    assert _format(tokenizer, "chat", _entry("vicuna-7b")).template == CHAT_TEMPLATE
    assert _format(tokenizer, "alpaca", _entry("vicuna-7b")).name == "Alpaca"
    assert _format(tokenizer, "plain", _entry("vicuna-7b")).name == PLAIN
    with pytest.raises(UsageError, match="has no chat template"):
        _format(train_tokenizer(), "chat")
    assert set(TEMPLATES) < set(CHOICES)


@pytest.mark.parametrize("kind", ["masked", "permuted"])
def test_other_kinds_read_plain_text(kind: str) -> None:
    tokenizer = train_tokenizer(chat_template=CHAT_TEMPLATE)
    written = set_prompt_format(tokenizer, "auto", None, kind=kind, origin="here")
    assert written.name == PLAIN
    with pytest.raises(UsageError, match=f"a {kind} model reads plain text"):
        set_prompt_format(tokenizer, "vicuna", None, kind=kind, origin="here")


def test_the_facts_name_the_format(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny", start=True, chat_template=CHAT_TEMPLATE)
    digests = set()
    for asked, title in (
        ("auto", OWN_TEMPLATE),
        ("plain", PLAIN),
        ("alpaca", "Alpaca"),
        ("vicuna", "Vicuna (v1.1)"),
        ("guanaco", "Guanaco"),
    ):
        model = load_model(str(folder), LoadOptions("cpu", prompt_format=asked))
        assert model.facts.chat_format == title
        assert model.facts.chat_template == TEMPLATES.get(asked, model.facts.chat_template)
        digests.add(model.facts.digest)
        (answer,) = model.generate(sample_requests(["Who"], Decoding(4, 0.0)))
        (likely,) = model.likelihood(choice_requests("Who", ["the doctor"]))
        assert answer.error is None
        assert likely.error is None
    assert len(digests) == 5


def test_several_templates_and_no_default(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny", chat_template=CHAT_TEMPLATE)
    (folder / "chat_template.jinja").unlink()
    listed = [{"name": "tool_use", "template": "tools"}]
    edit_json(folder / "tokenizer_config.json", chat_template=listed)
    with pytest.raises(ModelError, match="several chat templates and none by default"):
        load_model(str(folder), LoadOptions("cpu"))
    model = load_model(str(folder), LoadOptions("cpu", prompt_format="vicuna"))
    assert model.facts.chat_format == "Vicuna (v1.1)"
