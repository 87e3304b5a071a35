"""What a model needs in memory, what is free, and what to do where the one exceeds the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from llmaudit.errors import CapacityError
from llmaudit.models.local import Geometry
from llmaudit.models.placement import Placement, count_gpus
from llmaudit.models.registry import RegistryEntry, load_registry

_GIB = 2**30
_LOGIT_BYTES = 4
#: Numbers that a layer holds at once for each token of a batch, in widths of the hidden state:
#: its input, queries, keys, values, and a feed-forward layer's two inner states.
_WIDTHS_HELD = 12
#: A quantised weight with its share of the block's scales.
_QUANTIZED_BYTES = {"8bit": 1.01, "4bit": 0.57}
_FEWEST_TOKENS = 256
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a run needs at its fullest; None where they cannot be known beforehand.

    Attributes
    ----------
    weights : int or None
    cache : int or None
        Keys and values of the largest batch.
    logits : int or None
        Output of the largest batch of likelihoods.
    free : int
        On the device, now.
    activations : int or None
        What one layer computes for the largest batch.
    """

    weights: int | None
    cache: int | None
    logits: int | None
    free: int
    activations: int | None = None

    @property
    def needed(self) -> int | None:
        """The sum of what is known; None where not even the weights are."""
        if self.weights is None:
            return None
        return self.weights + (self.cache or 0) + (self.logits or 0) + (self.activations or 0)

    @property
    def fits(self) -> bool | None:
        """Whether that is free now; None where it cannot be said."""
        return None if self.needed is None else self.needed <= self.free


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What is known of a model's size before it is loaded.

    Attributes
    ----------
    name : str
    parameters : int or None
    geometry : Geometry or None
    entry : RegistryEntry or None
        For a smaller model of the same family.
    """

    name: str
    parameters: int | None
    geometry: Geometry | None = None
    entry: RegistryEntry | None = None


def estimate_memory(size: ModelSize, place: Placement, batch_tokens: int) -> Memory:
    """Return what a model needs at a place, and what is free there."""
    geometry, width = size.geometry, number_bytes(place.dtype)
    free = _free_at(place)
    weights = None if size.parameters is None else _weight_bytes(size, place)
    if geometry is None:
        return Memory(weights, None, None, free)
    return Memory(
        weights=weights,
        cache=geometry.cache_bytes(batch_tokens, width),
        logits=_most_logits(geometry.vocabulary, batch_tokens),
        free=free,
        activations=batch_tokens * geometry.hidden_width * _WIDTHS_HELD * width,
    )


def number_bytes(dtype: str) -> int:
    """Return the bytes of one number."""
    return 4 if dtype == "float32" else 2


def _weight_bytes(size: ModelSize, place: Placement) -> int:
    """Return the bytes of the weights; embeddings and output head are never quantised."""
    parameters, width = size.parameters or 0, number_bytes(place.dtype)
    if place.quantize is None:
        return parameters * width
    kept = 2 * size.geometry.vocabulary * size.geometry.hidden_width if size.geometry else 0
    kept = min(kept, parameters)
    return int(kept * width + (parameters - kept) * _QUANTIZED_BYTES[place.quantize])


def _most_logits(vocabulary: int, batch_tokens: int) -> int:
    """Return the bytes of the logits of the largest batch of likelihoods."""
    from llmaudit.models.batching import LOGIT_BUDGET

    return min(batch_tokens, LOGIT_BUDGET // vocabulary) * vocabulary * _LOGIT_BYTES


def check_capacity(size: ModelSize, place: Placement, batch_tokens: int) -> None:
    """Refuse a model that needs more memory than is free, before any of it is taken.

    Raises
    ------
    CapacityError
        With what is needed, what is free, and what would fit instead.
    """
    memory = estimate_memory(size, place, batch_tokens)
    if memory.fits is not False:
        return
    raise CapacityError(
        f"{size.name} needs {_gib(memory.needed)} as {place} ({describe_parts(memory)}), and "
        f"{_gib(memory.free)} are free. {advise(size, place, batch_tokens)}"
    )


def advise(size: ModelSize, place: Placement, batch_tokens: int) -> str:
    """Return what would fit where a model does not: other options, or a smaller model."""
    found = [*_alternatives(size, place, batch_tokens), *_smaller_siblings(size, place)]
    if found:
        return f"What fits: {'; '.join(found)}."
    return "Nothing fits here; use a machine with more memory, or a smaller model."


def describe_parts(memory: Memory) -> str:
    """Return what the needed memory is made of, in words."""
    parts = (
        ("weights", memory.weights),
        ("cache", memory.cache),
        ("logits", memory.logits),
        ("activations", memory.activations),
    )
    return " + ".join(f"{name} {_gib(size)}" for name, size in parts)


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / _GIB:.2f} GiB"


def _alternatives(size: ModelSize, place: Placement, batch_tokens: int) -> Iterator[str]:
    """Yield the smallest changes of options by which the model fits, each with what it needs."""
    for words, changed, tokens in _changes(place, batch_tokens):
        memory = estimate_memory(size, changed, tokens)
        if memory.fits:
            yield f"{words} (needs {_gib(memory.needed)} of {_gib(memory.free)})"
            continue
        smaller = _fitting_tokens(size, changed, tokens)
        if smaller is not None:
            less = estimate_memory(size, changed, smaller)
            option = f"--batch-tokens {smaller}"
            words = f"{words} {option}".strip()
            yield f"{words} (needs {_gib(less.needed)} of {_gib(less.free)})"


def _changes(place: Placement, batch_tokens: int) -> Iterator[tuple[str, Placement, int]]:
    """Yield options to try, as words and as what they come to."""
    yield "", place, batch_tokens
    if place.engine == "vllm":
        yield from _changes_of_vllm(place, batch_tokens)
        return
    if place.dtype == "float32" and not place.quantize:
        yield "--dtype bfloat16", replace(place, dtype="bfloat16"), batch_tokens
    on_gpu = place.device.startswith("cuda")
    if on_gpu and place.quantize != "4bit":
        for form in ("8bit", "4bit"):
            if form != place.quantize:
                yield f"--quantize {form}", replace(place, quantize=form), batch_tokens
    if on_gpu:
        yield "--device cpu --dtype bfloat16", Placement("cpu", "bfloat16"), batch_tokens
    elif count_gpus():
        yield "--device cuda --dtype bfloat16", Placement("cuda", "bfloat16"), batch_tokens


def _changes_of_vllm(place: Placement, batch_tokens: int) -> Iterator[tuple[str, Placement, int]]:
    """Yield what can be tried with vLLM, which quantises nothing here: a format, or more GPUs."""
    if place.dtype == "float32":
        yield "--dtype bfloat16", replace(place, dtype="bfloat16"), batch_tokens
    gpus = 2 * place.gpus
    while place.device == "cuda" and gpus <= count_gpus():
        yield f"--tensor-parallel {gpus}", replace(place, gpus=gpus), batch_tokens
        gpus *= 2


def _fitting_tokens(size: ModelSize, place: Placement, batch_tokens: int) -> int | None:
    """Return the largest budget, halved as often as need be, with which the model fits."""
    tokens = batch_tokens // 2
    while tokens >= _FEWEST_TOKENS:
        if estimate_memory(size, place, tokens).fits:
            return tokens
        tokens //= 2
    return None


def _smaller_siblings(size: ModelSize, place: Placement) -> Iterator[str]:
    """Yield the largest model of the same family that fits with a fifth to spare, if any."""
    entry, free = size.entry, _free_at(place)
    if entry is None or size.parameters is None:
        return
    fitting = [
        (other.parameters.value, other.name)
        for other in load_registry().models
        if other.family == entry.family and other.kind == entry.kind and other.parameters
        if other.parameters.value < size.parameters
        if 1.2 * _weight_bytes(ModelSize("", other.parameters.value), place) <= free
    ]
    if fitting:
        parameters, name = max(fitting)
        weights = _weight_bytes(ModelSize("", parameters), place)
        yield f"--model {name}, of the same family (weights {_gib(weights)})"


def _free_at(place: Placement) -> int:
    """Return what is free at a place; of GPUs that share every layer the fullest decides."""
    if place.gpus > 1 and place.device == "cuda":
        return place.gpus * min(free_memory(f"cuda:{number}") for number in range(place.gpus))
    return free_memory(place.device, spread=place.spread)


def free_memory(device: str, *, spread: bool = False) -> int:
    """Return the bytes that are free on a device now, or with ``spread`` on all GPUs together.

    Of a CPU, what the system has left or what the container may still take, whichever is less.
    """
    if spread and device.startswith("cuda"):
        return sum(free_memory(f"cuda:{number}") for number in range(count_gpus()))
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    return min([free, *container_rooms(_CONTROL_GROUPS, _MEMBERSHIP)])


def container_rooms(groups: Path, membership: Path) -> list[int]:
    """Return what every control group above this process leaves it, in bytes; version 2 and 1.

    Parameters
    ----------
    groups : Path
        Where the control groups are mounted.
    membership : Path
        The file that names the groups of this process.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            names, root = ("memory.max", "memory.current", "inactive_file"), groups
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            root = groups / "memory"
        else:
            continue
        inner = root / path.strip("/")
        chain = [inner, *inner.parents]
        above = chain[: chain.index(root) + 1] if root in chain else [root]
        found += [room for folder in above if (room := _room(folder, *names)) is not None]
    return found


def _room(folder: Path, limit: str, used: str, reclaimable: str) -> int | None:
    """Return what one group leaves: its limit less what is used and cannot be taken back."""
    try:
        most = int((folder / limit).read_text("utf-8"))
        taken = int((folder / used).read_text("utf-8"))
        pairs = (line.split() for line in (folder / "memory.stat").read_text("utf-8").splitlines())
        spare = next((int(pair[1]) for pair in pairs if pair[:1] == [reclaimable]), 0)
    except (OSError, ValueError, IndexError):
        return None  # "max", or no such controller: this group limits nothing
    return max(0, most - taken + spare)
