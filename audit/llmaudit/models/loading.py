"""From a model's name to a loaded model under audit, safely and with its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmaudit.errors import AuditError, ModelError, UnknownNameError
from llmaudit.models.base import Model
from llmaudit.models.fitting import check_before_download, check_options, choose_placement
from llmaudit.models.openai_address import find_address
from llmaudit.models.parts import find_parts
from llmaudit.models.placement import Placement
from llmaudit.models.prompt_formats import change_template, set_prompt_format
from llmaudit.models.sources import ModelSource, Progress
from llmaudit.models.vllm_loading import load_vllm
from llmaudit.models.weights import Trust, count_parameters, stored_dtype
from llmaudit.records import AdapterFacts

if TYPE_CHECKING:
    from llmaudit.models.adapters import AdapterSource
    from llmaudit.models.checkpoint import Loaded

GROUP = "llmaudit.models"
"""Entry-point group for model kinds of other packages."""


@dataclass(frozen=True)
class LoadOptions:
    """How to load: device and dtype may be ``auto``; ``batch_tokens`` is one batch's budget.

    ``quantize`` is ``8bit`` or ``4bit``. ``adapter`` is a folder or hub id. ``prompt_format`` is
    one of :data:`llmaudit.models.prompt_formats.CHOICES`. ``allow_pickle`` and
    ``trust_remote_code`` say what the model's files may do.
    ``base_url``, ``concurrency`` and ``request_timeout`` (seconds) concern models on servers.
    ``engine`` is ``transformers`` or ``vllm``, which divides layers over ``tensor_parallel`` GPUs.
    ``chat_template`` takes the place of the tokenizer's own, and ``template_variables`` are what a
    chat template reads besides the turns; both are for scorers' models, and not of servers.
    """

    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 8192
    quantize: str | None = None
    adapter: str | None = None
    prompt_format: str = "auto"
    allow_pickle: bool = False
    trust_remote_code: bool = False
    base_url: str | None = None
    concurrency: int = 8
    request_timeout: float = 300.0
    engine: str = "transformers"
    tensor_parallel: int = 1
    chat_template: str = ""
    template_variables: Mapping[str, Any] = field(default_factory=dict)


def _load_scripted(rest: str, _options: LoadOptions, _progress: Progress | None) -> Model:
    from llmaudit.models.scripted import load_scripted_model

    return load_scripted_model(Path(rest))


def _load_server(rest: str, options: LoadOptions, progress: Progress | None) -> Model:
    from llmaudit.models.openai import load_server_model

    if progress is not None:
        progress(f"asking the server what it can do for {rest}")
    return load_server_model(
        rest,
        options.base_url,
        concurrency=options.concurrency,
        request_timeout=options.request_timeout,
        prompt_format=options.prompt_format,
    )


Loader = Callable[[str, LoadOptions, Progress | None], Model]

#: Kinds that a prefix chooses: ``scripted:FILE``. Everything else is a transformers model.
PREFIXES: Mapping[str, Loader] = {"openai": _load_server, "scripted": _load_scripted}


def load_model(name: str, options: LoadOptions, *, progress: Progress | None = None) -> Model:
    """Load the model under audit.

    Parameters
    ----------
    name : str
        What :func:`llmaudit.models.sources.find_source` takes, or ``PREFIX:REST`` for a kind of
        model that a prefix chooses: ``scripted:FILE``, ``openai:NAME``, or an entry point in
        ``llmaudit.models``.
    options : LoadOptions
    progress : callable, optional
        Is told in a few words what happens.

    Raises
    ------
    UnknownNameError, UsageError, UnavailableError, CapacityError, ModelError
        As the exception tree says.
    """
    if options.base_url is not None:
        find_address(options.base_url, {})  # whatever the model, no password may reach the report
    prefix = find_prefix(name)
    check_options(options, prefix=prefix)
    if prefix is not None:
        return _load_other(prefix, name.partition(":")[2], options, progress)
    trust = Trust(options.allow_pickle, options.trust_remote_code)
    source, adapter = find_parts(
        name,
        options.adapter,
        trust,
        progress=progress,
        check=lambda base: check_before_download(base, options),
    )
    if progress is not None:
        progress(f"loading {source.name}")
    if options.engine == "vllm":
        return load_vllm(source, adapter, options)
    model = _load_transformers(source, adapter, options)
    if progress is not None and model.facts.adapter is not None:
        _tell_warning(model.facts.adapter, progress)
    return model


def _tell_warning(adapter: AdapterFacts, progress: Progress) -> None:
    """Say at once where an adapter was put on another model than it names."""
    from llmaudit.models.adapters import base_warning

    if warning := base_warning(adapter):
        progress(f"warning: {warning}")


def find_prefix(name: str) -> str | None:
    """Return the prefix that chooses a kind of model; None where the name is one of weights."""
    prefix, colon, _ = name.partition(":")
    return prefix if colon and not Path(name).exists() else None


def _load_other(prefix: str, rest: str, options: LoadOptions, progress: Progress | None) -> Model:
    """Load a kind of model that a prefix names; what its own code raises is told as its fault."""
    if options.chat_template or options.template_variables:
        raise ModelError(
            f"{prefix}:{rest} writes its chats itself: a template or variables of a template can "
            f"be given to weights on this machine only."
        )
    loader = find_loader(prefix)
    try:
        model = loader(rest, options, progress)
    except AuditError:
        raise
    except Exception as error:
        raise ModelError(f"{prefix}:{rest} could not be loaded: {error!r}") from error
    if not isinstance(model, Model):
        raise ModelError(
            f"{prefix}:{rest} gave a {type(model).__name__}, which is no model: it needs what "
            f"llmaudit.models.base.Model lists."
        )
    return model


def find_loader(prefix: str) -> Loader:
    """Return what loads the kind of model that a prefix names.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    ModelError
        If the code of another package that loads it cannot be imported.
    """
    if prefix in PREFIXES:
        return PREFIXES[prefix]
    found = {point.name: point for point in entry_points(group=GROUP)}
    if prefix not in found:
        raise UnknownNameError("kind of model", prefix, {*PREFIXES, *found})
    try:
        loader: Loader = found[prefix].load()
    except Exception as error:
        point = found[prefix].value
        raise ModelError(
            f"the model kind {prefix!r} of {point} cannot be imported: {error!r}"
        ) from error
    return loader


def _load_transformers(
    source: ModelSource, adapter: AdapterSource | None, options: LoadOptions
) -> Model:
    """Load a model folder as the kind of model that its configuration describes."""
    from llmaudit.models import checkpoint
    from llmaudit.models.linear import use_onednn
    from llmaudit.models.local import read_geometry
    from llmaudit.models.memory import ModelSize, check_capacity

    config = checkpoint.read_config(source)
    kind = checkpoint.find_kind(config, source.origin, source.trust)
    parameters = count_parameters(source.folder, source.trust)
    size = ModelSize(source.name, parameters, read_geometry(source.folder), source.entry)
    place = choose_placement(options, stored_dtype(source.folder), size)
    check_capacity(size, place, options.batch_tokens)
    folder = _tokenizer_folder(source, adapter)
    own = None if folder == source.folder else folder
    tokenizer = checkpoint.read_tokenizer(source, own)
    # What the registry says of a base is not said of an adapter that brings its own tokenizer.
    spoken_of = own is None or (source.entry is not None and source.entry.adapter_of is not None)
    entry = source.entry if spoken_of else None
    written = set_prompt_format(
        tokenizer, options.prompt_format, entry, kind=kind, origin=source.origin
    )
    if options.chat_template or options.template_variables:
        written = change_template(
            tokenizer, written, options.chat_template, options.template_variables
        )
    network = checkpoint.read_network(source, kind, place)
    facts = None
    if adapter is not None:
        network, facts = _put_on(network, adapter, source, place)
    use_onednn(network)
    loaded = checkpoint.Loaded(
        source, network, tokenizer, folder, parameters, place, written, facts
    )
    return _KINDS[kind](loaded, options.batch_tokens)


def _tokenizer_folder(source: ModelSource, adapter: AdapterSource | None) -> Path:
    """Return where the tokenizer comes from: an adapter may bring one that it was trained with."""
    if adapter is not None and (adapter.folder / "tokenizer_config.json").is_file():
        return adapter.folder
    return source.folder


def _put_on(
    network: Any, adapter: AdapterSource, source: ModelSource, place: Placement
) -> tuple[Any, AdapterFacts]:
    """Put an adapter on a network; onto quantised weights it cannot be merged without loss."""
    from llmaudit.models.adapters import apply_adapter, describe_adapter

    network, applied = apply_adapter(network, adapter, merge=place.quantize is None)
    return network, describe_adapter(adapter, base=source.base, applied=applied)


def _make_causal(loaded: Loaded, batch_tokens: int) -> Model:
    from llmaudit.models.causal import LIKELIHOOD_DEFINITION, CausalModel
    from llmaudit.models.checkpoint import check_causal, find_stop_ids, gather_facts
    from llmaudit.models.forward import CausalNetwork
    from llmaudit.models.linear import pack_weights

    network, tokenizer = loaded.network, loaded.tokenizer
    causal = CausalNetwork(network, stop_ids=find_stop_ids(network, tokenizer))
    check_causal(causal, loaded.source.origin)
    pack_weights(network, causal.probe)
    facts = gather_facts(loaded, kind="causal", likelihood_definition=LIKELIHOOD_DEFINITION)
    return CausalModel(causal, tokenizer, facts, batch_tokens=batch_tokens)


def _make_masked(loaded: Loaded, batch_tokens: int) -> Model:
    from llmaudit.models.checkpoint import gather_facts
    from llmaudit.models.masked import LIKELIHOOD_DEFINITION, MaskedModel

    facts = gather_facts(loaded, kind="masked", likelihood_definition=LIKELIHOOD_DEFINITION)
    return MaskedModel(loaded.network, loaded.tokenizer, facts, batch_tokens=batch_tokens)


def _make_permuted(loaded: Loaded, batch_tokens: int) -> Model:
    from llmaudit.models.checkpoint import gather_facts
    from llmaudit.models.permuted import LIKELIHOOD_DEFINITION, PermutedModel

    facts = gather_facts(loaded, kind="permuted", likelihood_definition=LIKELIHOOD_DEFINITION)
    return PermutedModel(loaded.network, loaded.tokenizer, facts, batch_tokens=batch_tokens)


_KINDS: Mapping[str, Callable[[Loaded, int], Model]] = {
    "causal": _make_causal,
    "masked": _make_masked,
    "permuted": _make_permuted,
}
