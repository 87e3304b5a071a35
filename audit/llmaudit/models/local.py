"""What a model's files say of its size and its tokens, without loading or fetching weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import UnknownNameError, UsageError
from llmaudit.fetching import is_fetched
from llmaudit.models.gguf import converted_folder, read_origin
from llmaudit.models.hub import local_snapshots
from llmaudit.models.registry import RegistryEntry, load_registry
from llmaudit.models.sources import cached_hub_folder
from llmaudit.models.weights import NO_TRUST, Trust
from llmaudit.records import Prompt

if TYPE_CHECKING:
    from llmaudit.models.encoding import PromptEncoder


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What is known of a model without a download.

    Attributes
    ----------
    folder : Path or None
        Its transformers folder on this machine; None where the weights are not here.
    entry : RegistryEntry or None
        What the registry says of it.
    """

    folder: Path | None
    entry: RegistryEntry | None


@dataclass(frozen=True, slots=True)
class Geometry:
    """The sizes of a causal network that decide how much memory a batch takes."""

    layers: int
    key_value_heads: int
    head_width: int
    vocabulary: int
    hidden_width: int

    def cache_bytes(self, tokens: int, bytes_per_number: int) -> int:
        """Return the bytes that the keys and values of ``tokens`` tokens take."""
        per_token = 2 * self.layers * self.key_value_heads * self.head_width
        return tokens * per_token * bytes_per_number


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Tokens of one prompt: of what is sent, and of each choice's text after it."""

    sent: int
    choices: Mapping[str, int]


def find_local(name: str, trust: Trust = NO_TRUST) -> LocalModel:
    """Return what is here of the model that ``name`` stands for; nothing is fetched.

    Raises
    ------
    UnknownNameError
        If the name is no folder, no ``.gguf`` file, not in the registry and no hub id.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return LocalModel(path, None)
    if path.suffix == ".gguf" and path.is_file():
        return LocalModel(_converted(path), None)
    entry = load_registry().find(name)
    if entry is not None:
        return LocalModel(_local_folder(entry, trust), entry)
    if name.count("/") == 1 and not name.startswith((".", "~", "/")):
        return LocalModel(cached_hub_folder(name, trust), None)
    hint = "A folder, a .gguf file or a hub id (organisation/model) works too."
    raise UnknownNameError("model", name, load_registry().names(), hint)


def is_here(entry: RegistryEntry) -> bool:
    """Say whether a run of this model would fetch nothing: of an adapter, its base neither."""
    if entry.adapter_of is not None:
        base = load_registry().find(entry.adapter_of)
        return base is not None and is_here(base) and _is_adapter_here(entry.hub)
    fetched = entry.wheel is not None and is_fetched(entry.wheel.source)
    return fetched or cached_hub_folder(entry.hub) is not None


def _is_adapter_here(hub_id: str) -> bool:
    return any(any(folder.glob("adapter_model.*")) for folder in local_snapshots(hub_id))


def _local_folder(entry: RegistryEntry, trust: Trust) -> Path | None:
    cached = cached_hub_folder(entry.hub, trust)
    if cached is None and entry.wheel is not None and is_fetched(entry.wheel.source):
        return _converted(entry.wheel.gguf_path)
    return cached


def _converted(gguf: Path) -> Path | None:
    """Return the folder that a GGUF file was converted to; None while that has not been done."""
    folder = converted_folder(gguf)
    return folder if read_origin(folder) is not None else None


def read_geometry(folder: Path) -> Geometry | None:
    """Return a network's sizes from its configuration; None where that does not say them."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        heads = int(config.num_attention_heads)
        hidden = int(config.hidden_size)
        return Geometry(
            layers=int(config.num_hidden_layers),
            key_value_heads=_key_value_heads(config, heads),
            head_width=int(getattr(config, "head_dim", None) or hidden // heads),
            vocabulary=int(config.vocab_size),
            hidden_width=hidden,
        )
    except Exception:
        return None  # Whatever is wrong with the files, loading them will say it better.


def _key_value_heads(config: Any, heads: int) -> int:
    """Return how many heads are cached: fewer than there are where heads share keys and values."""
    if getattr(config, "multi_query", False) and not getattr(
        config, "new_decoder_architecture", False
    ):
        return 1
    named = getattr(config, "num_key_value_heads", None) or getattr(config, "num_kv_heads", None)
    return int(named or heads)


def count_tokens(
    folder: Path,
    prompts: Iterable[Prompt],
    *,
    prompt_format: str = "auto",
    entry: RegistryEntry | None = None,
) -> dict[str, PromptTokens] | None:
    """Return the tokens of each prompt by its id, as the model's own tokenizer counts them.

    None where the folder holds no tokenizer that can be read.

    Parameters
    ----------
    folder : Path
    prompts : iterable of Prompt
    prompt_format : str
        As the option has it.
    entry : RegistryEntry or None
        What the registry says of the model's prompt format.

    Raises
    ------
    UsageError
        If the model has no such format.
    """
    from transformers import AutoTokenizer

    from llmaudit.models.encoding import PromptEncoder
    from llmaudit.models.prompt_formats import set_prompt_format

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        written = set_prompt_format(
            tokenizer, prompt_format, entry, kind="causal", origin=folder.name
        )
        encoder = PromptEncoder(tokenizer, chat_model=bool(written.template))
        return {prompt.id: _count(encoder, prompt) for prompt in prompts}
    except UsageError:
        raise
    except Exception:
        return None  # Whatever is wrong with the files, loading them will say it better.


def _count(encoder: PromptEncoder, prompt: Prompt) -> PromptTokens:
    """Count as the model will read: each choice after as much of the prompt as all of them share.

    A prompt that cannot be put to the model is never read.
    """
    try:
        if not prompt.choices:
            return PromptTokens(len(encoder.prompt_ids(prompt)), {})
        rows = encoder.choice_ids(prompt)
    except Exception:
        return PromptTokens(0, dict.fromkeys(prompt.choices, 0))
    sent = max(len(context) for context, _ in rows.values())
    return PromptTokens(sent, {label: len(choice) for label, (_, choice) in rows.items()})


def guess_tokens(prompts: Iterable[Prompt]) -> dict[str, PromptTokens]:
    """Return about how many tokens each prompt has, by its id: one for every four characters."""
    guessed = {}
    for prompt in prompts:
        sent = sum(len(turn.content) for turn in prompt.messages) or len(prompt.plain)
        choices = {label: -(-len(choice) // 4) for label, choice in prompt.choices.items()}
        guessed[prompt.id] = PromptTokens(-(-sent // 4), choices)
    return guessed
