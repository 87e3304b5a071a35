"""What a run will cost, computed without running it: requests, tokens, memory and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from llmaudit.config import AuditConfig
from llmaudit.models.adapters import find_local_adapter
from llmaudit.models.fitting import SERVER, check_options, choose_placement
from llmaudit.models.loading import LoadOptions, find_loader, find_prefix
from llmaudit.models.local import (
    Geometry,
    LocalModel,
    PromptTokens,
    count_tokens,
    find_local,
    guess_tokens,
    read_geometry,
)
from llmaudit.models.memory import Memory, ModelSize, advise, estimate_memory, free_memory
from llmaudit.models.parts import name_parts
from llmaudit.models.weights import Trust, count_parameters, stored_dtype
from llmaudit.planning import Plan, PlannedSet
from llmaudit.records import Prompt, Task

#: The widest matrix that is timed: wider ones run at the same speed and only take longer.
_WIDEST = 4_096
_USUAL_WIDTH = 1_024


@dataclass(frozen=True, slots=True)
class SetCost:
    """What one probe set asks for. ``new_tokens`` is an upper bound: answers may end earlier."""

    probe_set: str
    task: Task
    prompts: int
    samples: int
    generations: int
    likelihoods: int
    read_tokens: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Measured multiplications of matrices, in operations per second.

    ``reading`` is with as many rows as a batch has tokens, ``writing`` with as many as it has
    answers: a model that writes does much less at a time than one that reads.
    """

    reading: float
    writing: float


@dataclass(frozen=True, slots=True)
class RoundCost:
    """How many rounds an adaptive run can have, and what its first one asks."""

    most: int
    first_generations: int
    first_likelihoods: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Everything that ``llmaudit plan`` tells.

    Attributes
    ----------
    model : str
    sets : tuple of SetCost
    parameters : int or None
    parameters_from, tokens_from : str
        ``weights`` / ``tokenizer`` where the model's files are here; else ``registry`` or
        ``unknown``, and ``characters``.
    device, dtype : str
    memory : Memory
    speed : Speed or None
    seconds : float or None
        For the model alone; loading and scoring come on top.
    advice : str
        What would fit, where this does not.
    adapter : str
        What is known of the adapter; empty without one.
    on_server : bool
        Whether the model's weights are held by a server, and nothing of it by this machine.
    rounds : RoundCost or None
        Of an adaptive run, whose whole cost is then the most that it can come to.
    """

    model: str
    sets: tuple[SetCost, ...]
    parameters: int | None
    parameters_from: str
    tokens_from: str
    device: str
    dtype: str
    memory: Memory
    speed: Speed | None
    seconds: float | None
    advice: str = ""
    adapter: str = ""
    on_server: bool = False
    rounds: RoundCost | None = None


def estimate_cost(config: AuditConfig, plan: Plan) -> Cost:
    """Return what a run of ``plan`` with ``config`` will cost; nothing is fetched or loaded.

    About a third of a second goes into timing multiplications of matrices on the chosen device.

    Raises
    ------
    UsageError
        If the model, its adapter or the device is unknown, or options do not go together.
    """
    trust = Trust(config.allow_pickle, config.trust_remote_code)
    known = (one.name for one in fields(LoadOptions) if one.name in type(config).model_fields)
    options = LoadOptions(**{name: getattr(config, name) for name in known})
    prefix = find_prefix(config.model)
    check_options(options, prefix=prefix)
    if prefix is not None:
        find_loader(prefix)  # an unknown kind of model is told now
    if prefix == SERVER:
        return _cost_on_server(config, plan)
    local, adapter = _find(config.model, config.adapter, trust, prefix)
    prompts = [prompt for planned in plan.sets for prompt in planned.prompts]
    tokens, tokens_from = _tokens(local, prompts, config.prompt_format)
    sets = tuple(cost_set(planned, tokens) for planned in plan.sets)
    geometry = read_geometry(local.folder) if local.folder else None
    parameters, parameters_from = _parameters(local, trust)
    size = ModelSize(config.model, parameters, geometry, local.entry)
    stored = stored_dtype(local.folder) if local.folder else None
    place = choose_placement(options, stored, size)
    memory = estimate_memory(size, place, config.batch_tokens)
    speed, seconds = None, None
    if parameters is not None:
        rows = _rows(sets, config.batch_tokens)
        speed = measure_speed(place.device, place.dtype, geometry, rows)
        seconds = estimate_seconds(sets, parameters, speed)
    return Cost(
        config.model, sets, parameters, parameters_from, tokens_from, place.device,
        f"{place.quantize} and {place.dtype}" if place.quantize else place.dtype, memory, speed,
        seconds, "" if memory.fits is not False else advise(size, place, config.batch_tokens),
        adapter, rounds=_round_cost(plan),
    )  # fmt: skip


def _cost_on_server(config: AuditConfig, plan: Plan) -> Cost:
    """Return what a run asks of a server, which is not asked anything for that."""
    prompts = [prompt for planned in plan.sets for prompt in planned.prompts]
    tokens = guess_tokens(prompts)
    sets = tuple(cost_set(planned, tokens, reads_again=True) for planned in plan.sets)
    nothing = Memory(None, None, None, free_memory("cpu"))
    return Cost(
        config.model, sets, None, "unknown", "characters", "server", "unknown", nothing,
        None, None, on_server=True, rounds=_round_cost(plan),
    )  # fmt: skip


def _round_cost(plan: Plan) -> RoundCost | None:
    """Return what the rounds of an adaptive run can come to."""
    if plan.design is None:
        return None
    tasks = {planned.facts.id: planned.facts.task for planned in plan.sets}
    first = {Task.GENERATE: 0, Task.CHOICES: 0}
    for cell in plan.design.cells():
        first[tasks[cell.probe_set]] += plan.design.requests(cell, 1)
    most = max(plan.design.looks(name) for name in tasks)
    return RoundCost(most, first[Task.GENERATE], first[Task.CHOICES])


def cost_set(
    planned: PlannedSet, tokens: Mapping[str, PromptTokens], *, reads_again: bool = False
) -> SetCost:
    """Return what one probe set asks for.

    A prompt is read once for all of its samples, and once for each of its choices.

    Parameters
    ----------
    planned : PlannedSet
    tokens : mapping of prompt id to PromptTokens
    reads_again : bool
        Whether a prompt is read for every sample, as servers are asked.
    """
    task, prompts = planned.facts.task, planned.prompts
    counts = [tokens[prompt.id] for prompt in prompts]
    if task is Task.CHOICES:
        likelihoods = sum(len(prompt.choices) for prompt in prompts)
        read = sum(one.sent + choice for one in counts for choice in one.choices.values())
        return SetCost(planned.facts.id, task, len(prompts), 1, 0, likelihoods, read, 0)
    generations = len(prompts) * planned.samples
    read = sum(one.sent for one in counts) * (planned.samples if reads_again else 1)
    new = generations * planned.decoding.max_new_tokens
    return SetCost(planned.facts.id, task, len(prompts), planned.samples, generations, 0, read, new)


def estimate_seconds(sets: tuple[SetCost, ...], parameters: int, speed: Speed) -> float:
    """Return the seconds that 2 x parameters operations for every token take at that speed."""
    reading = sum(one.read_tokens for one in sets)
    writing = sum(one.new_tokens for one in sets)
    return 2 * parameters * (reading / speed.reading + writing / speed.writing)


def measure_speed(
    device: str, dtype: str, geometry: Geometry | None, rows: tuple[int, int]
) -> Speed:
    """Time multiplications of matrices as wide as the model's, for about 0.3 seconds.

    Parameters
    ----------
    device, dtype : str
    geometry : Geometry or None
        For the width; a usual one is taken where it is unknown.
    rows : (int, int)
        Tokens of a batch that is read, answers of a batch that is written.
    """
    width = min(geometry.hidden_width if geometry else _USUAL_WIDTH, _WIDEST)
    reading, writing = (_operations_per_second(device, dtype, count, width) for count in rows)
    return Speed(reading, writing)


def _operations_per_second(device: str, dtype: str, rows: int, width: int) -> float:
    import time

    import torch

    with torch.inference_mode():
        kind = getattr(torch, dtype)
        left = torch.ones(rows, width, dtype=kind, device=device)
        right = torch.ones(width, 4 * width, dtype=kind, device=device)

        def multiply() -> None:
            # Reading one number back waits for a device that works in the background.
            (left @ right)[0, 0].item()

        multiply()
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < 0.15:
            multiply()
            done += 1
    return done * 2 * rows * width * 4 * width / passed


def _find(
    name: str, adapter: str | None, trust: Trust, prefix: str | None
) -> tuple[LocalModel, str]:
    """Return what is here of a model, and what is known of the adapter on it.

    Of kinds that a prefix chooses, nothing can be known. Of a model that is an adapter on another,
    the other's weights are what counts.
    """
    if prefix is not None:
        return LocalModel(None, None), ""
    base, wanted, entry = name_parts(name, adapter)
    local, told = find_local(base, trust), _describe_adapter(wanted, trust)
    if entry is not None and entry.adapter_of is not None and entry.parameters:
        return LocalModel(local.folder, entry), told
    return local, told


def _describe_adapter(name: str | None, trust: Trust) -> str:
    """Return what is known of an adapter, which is checked where it is here."""
    if name is None:
        return ""
    found = find_local_adapter(name, trust)
    if found is None:
        return f"{name}: not on this machine, so its size is unknown"
    return f"{found.name} ({found.method}): {found.weights.size / 2**20:,.1f} MiB on this machine"


def _tokens(
    local: LocalModel, prompts: list[Prompt], prompt_format: str
) -> tuple[Mapping[str, PromptTokens], str]:
    if local.folder is None:
        return guess_tokens(prompts), "characters"
    counted = count_tokens(local.folder, prompts, prompt_format=prompt_format, entry=local.entry)
    return (counted, "tokenizer") if counted else (guess_tokens(prompts), "characters")


def _parameters(local: LocalModel, trust: Trust) -> tuple[int | None, str]:
    if local.folder is not None:
        return count_parameters(local.folder, trust), "weights"
    if local.entry is not None and local.entry.parameters is not None:
        return local.entry.parameters.value, "registry"
    return None, "unknown"


def _rows(sets: tuple[SetCost, ...], batch_tokens: int) -> tuple[int, int]:
    """Return the rows of a usual batch: its tokens when it reads, its answers when it writes."""
    generations = sum(one.generations for one in sets)
    asked = [one for one in sets if one.generations]
    length = sum(
        one.generations * one.read_tokens / max(one.prompts, 1) + one.new_tokens for one in asked
    )
    answers = int(batch_tokens * generations / length) if length else 1
    return min(batch_tokens, 1_024), max(1, min(answers, generations))
