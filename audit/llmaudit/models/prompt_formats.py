"""How a prompt with turns is written for a model: as plain text, by its own template, or by a name.

The templates of named formats are Jinja chat templates of our own making, after what is published
of each format. They run where every chat template runs, in transformers' sandbox. A template writes
the beginning-of-text token itself, once; the tokenizer adds none to a chat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmaudit.errors import ModelError, UsageError
from llmaudit.models.registry import RegistryEntry

PLAIN = "plain text"
OWN_TEMPLATE = "the tokenizer's chat template"
CHOICES = ("auto", "plain", "chat", "alpaca", "vicuna", "guanaco")
"""What ``--prompt-format`` takes."""

#: What the registry calls a format, to what the option calls it.
_REGISTRY_WORDS = {"chat template": "chat"}

# Instruction and response under headings, parted by empty lines, and nothing after the last colon:
# https://github.com/tatsu-lab/stanford_alpaca#data-release and train.py there. A model was trained
# on one exchange; later turns repeat the headings. A system turn takes the place of the sentences.
_ALPACA = """\
{{- bos_token | default('', true) -}}
{%- if messages[0]['role'] == 'system' -%}
{{- messages[0]['content'] -}}
{%- else -%}
{{- 'Below is an instruction that describes a task. ' -}}
{{- 'Write a response that appropriately completes the request.' -}}
{%- endif -%}
{%- for turn in messages -%}
{%- if turn['role'] == 'user' -%}
{{- '\\n\\n### Instruction:\\n' + turn['content'] -}}
{%- elif turn['role'] == 'assistant' -%}
{{- '\\n\\n### Response:' + turn['content'] + (eos_token | default('', true)) -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '\\n\\n### Response:' -}}
{%- endif -%}
"""

# One line; an answer is followed by the end-of-text token and at once by the next question:
# https://github.com/lm-sys/FastChat/blob/main/docs/vicuna_weights_version.md (v1.1 and later). The
# example there is broken into lines that the format itself, conversation.py there, does not have.
_VICUNA = """\
{{- bos_token | default('', true) -}}
{%- if messages[0]['role'] == 'system' -%}
{{- messages[0]['content'] + ' ' -}}
{%- else -%}
{{- 'A chat between a curious user and an artificial intelligence assistant. ' -}}
{{- "The assistant gives helpful, detailed, and polite answers to the user's questions. " -}}
{%- endif -%}
{%- for turn in messages -%}
{%- if turn['role'] == 'user' -%}
{{- 'USER: ' + turn['content'] + ' ' -}}
{%- elif turn['role'] == 'assistant' -%}
{{- 'ASSISTANT: ' + turn['content'] + (eos_token | default('', true)) -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- 'ASSISTANT:' -}}
{%- endif -%}
"""

# Every turn on a line of its own after three hashes: https://github.com/artidoro/qlora (qlora.py,
# the format its authors evaluated with). Between turns nothing but the line's end.
_GUANACO = """\
{{- bos_token | default('', true) -}}
{%- if messages[0]['role'] == 'system' -%}
{{- messages[0]['content'] -}}
{%- else -%}
{{- 'A chat between a curious human and an artificial intelligence assistant. ' -}}
{{- "The assistant gives helpful, detailed, and polite answers to the user's questions." -}}
{%- endif -%}
{%- for turn in messages -%}
{%- if turn['role'] == 'user' -%}
{{- '\\n### Human: ' + turn['content'] -}}
{%- elif turn['role'] == 'assistant' -%}
{{- '\\n### Assistant: ' + turn['content'] -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '\\n### Assistant:' -}}
{%- endif -%}
"""

TEMPLATES: Mapping[str, str] = {"alpaca": _ALPACA, "vicuna": _VICUNA, "guanaco": _GUANACO}
"""Name of a format to its chat template."""

_TITLES = {"alpaca": "Alpaca", "vicuna": "Vicuna (v1.1)", "guanaco": "Guanaco"}


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How prompts with turns are written.

    Attributes
    ----------
    name : str
        What the report calls it.
    template : str
        The chat template; empty where prompts are plain text.
    notes : tuple of str
        What a reader must know of the choice.
    """

    name: str
    template: str
    notes: tuple[str, ...] = ()


PLAIN_TEXT = PromptFormat(PLAIN, "")


def set_prompt_format(
    tokenizer: Any, asked: str, entry: RegistryEntry | None, *, kind: str, origin: str
) -> PromptFormat:
    """Choose the format, and give the tokenizer its template.

    ``auto`` takes what the registry says of the model, else the tokenizer's template, else plain
    text. Models that fill in or permute words have no turns: they read plain text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Its ``chat_template`` is changed.
    asked : str
        One of ``CHOICES``.
    entry : RegistryEntry or None
    kind, origin : str
        Of the model.

    Raises
    ------
    UsageError
        If the model has no such format.
    ModelError
        If the tokenizer has several templates and none by default.
    """
    if kind != "causal":
        if asked not in {"auto", "plain"}:
            raise UsageError(
                f"--prompt-format {asked} does not fit {origin}: a {kind} model reads plain text. "
                f"Leave the option out."
            )
        chosen = PLAIN_TEXT
    else:
        chosen = _choose(tokenizer, asked, entry, origin)
    tokenizer.chat_template = chosen.template or None
    return chosen


def change_template(
    tokenizer: Any, chosen: PromptFormat, template: str, variables: Mapping[str, Any]
) -> PromptFormat:
    """Give a tokenizer another template, and what its template reads besides the turns.

    The variables are set by the template's own first statement, so that they are part of it, and
    of the digest of whatever is loaded with it.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Its ``chat_template`` is changed.
    chosen : PromptFormat
        What it has so far.
    template : str
        Another template; empty to keep its own.
    variables : mapping of str to JSON values

    Raises
    ------
    ModelError
        If there is no template, or a variable has no name that a template could read.
    """
    body = template or chosen.template
    if not body:
        raise ModelError("variables of a chat template were given, but the model has none")
    for name in variables:
        if not name.isidentifier():
            raise ModelError(f"{name!r} is no name for a variable of a chat template")
    settings = "".join(
        f"{{% set {name} = {_literal(value)} %}}" for name, value in variables.items()
    )
    tokenizer.chat_template = settings + body
    name = "a template from the scorer's card" if template else chosen.name
    return PromptFormat(name, settings + body, chosen.notes)


def _literal(value: Any) -> str:
    """Return a JSON value as Jinja writes it."""
    if isinstance(value, Mapping):
        inside = (f"{_literal(str(key))}: {_literal(inner)}" for key, inner in value.items())
        return f"{{{', '.join(inside)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    # Jinja reads a text's escapes as Python does, and has no null.
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _choose(tokenizer: Any, asked: str, entry: RegistryEntry | None, origin: str) -> PromptFormat:
    said = entry.prompt_format.value if entry and entry.prompt_format else None
    name = (_REGISTRY_WORDS.get(said, said) if asked == "auto" else asked) if said else asked
    if name in TEMPLATES:
        return PromptFormat(_TITLES[name], TEMPLATES[name])
    if name == "plain":
        return PLAIN_TEXT
    own = _own_template(tokenizer, origin)
    if own:
        return PromptFormat(OWN_TEMPLATE, own)
    if asked == "chat":
        raise UsageError(f"--prompt-format chat: the tokenizer of {origin} has no chat template.")
    if name == "chat":
        note = (
            "The registry says that this model has a chat template, but the tokenizer that was "
            "loaded has none: prompts were sent as plain text."
        )
        return PromptFormat(PLAIN, "", (note,))
    return PLAIN_TEXT


def _own_template(tokenizer: Any, origin: str) -> str:
    """Return the template that comes with the tokenizer; empty without one."""
    if not tokenizer.chat_template:
        return ""
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:
        raise ModelError(
            f"{origin} has several chat templates and none by default: {error}"
        ) from error
