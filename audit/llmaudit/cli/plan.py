"""``llmaudit plan``: what a run would cost, without running it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from llmaudit.cli import options

if TYPE_CHECKING:
    from llmaudit.costing import Cost, RoundCost
    from llmaudit.models.memory import Memory


@click.command(short_help="Tell what a run would cost, without running it.")
@options.MODEL
@options.ADAPTER
@options.SUITE
@options.POLICY
@options.SAMPLES
@options.MAX_NEW_TOKENS
@options.TEMPERATURE
@options.LIMIT
@options.UNTIL_SETTLED
@options.DEVICE
@options.DTYPE
@options.QUANTIZE
@options.BATCH_TOKENS
@options.PROMPT_FORMAT
@options.ALLOW_PICKLE
@options.TRUST_REMOTE_CODE
@options.ENGINE
@options.TENSOR_PARALLEL
@options.json_option("the figures as JSON")
def plan(as_json: bool, **given: Any) -> None:
    """Tell what a run would cost, without running it.

    Requests and tokens of each probe set, memory needed and free, and a rough time for this
    machine. Nothing is downloaded, no model is loaded and no server is asked.
    """
    from llmaudit.cli.output import print_json
    from llmaudit.costing import estimate_cost
    from llmaudit.linting import refuse_faulty_files
    from llmaudit.planning import make_plan

    config = options.make_config(**given)
    refuse_faulty_files(config.suite, config.policy)
    planned = make_plan(config)
    cost = estimate_cost(config, planned)
    if as_json:
        figures = {"needed": cost.memory.needed, "fits": cost.memory.fits}
        print_json(asdict(cost) | {"memory": asdict(cost.memory) | figures})
    else:
        _print_cost(cost, planned.suite.id)


def _print_cost(cost: Cost, suite: str) -> None:
    from llmaudit.cli.output import print_line, print_table

    where = "computed by its server" if cost.on_server else f"{cost.dtype} on {cost.device}"
    print_line(f"{cost.model} · suite {suite} · {where}")
    print_line("")
    columns = ("prompts", "samples", "generations", "likelihoods", "read_tokens", "new_tokens")
    headings = ("probe set", *columns[:4], "tokens read", "tokens written")
    rows = [[one.probe_set, *(f"{getattr(one, name):,}" for name in columns)] for one in cost.sets]
    sums = (sum(getattr(one, name) for one in cost.sets) for name in columns if name != "samples")
    first, *others = (f"{total:,}" for total in sums)
    print_table(headings, [*rows, ["all", first, "", *others]], right=headings[1:])
    print_line("")
    if cost.tokens_from == "characters":
        whose = "the server's" if cost.on_server else "the model's"
        said = f"{whose} tokenizer is not on this machine: four characters count as a token"
    else:
        said = "counted by the model's tokenizer"
    if cost.rounds:
        print_line(f"rounds      {_rounds(cost.rounds)}")
    print_line(f"tokens      {said}; written is at most, answers may end earlier")
    print_line(f"parameters  {_parameters(cost)}")
    if cost.adapter:
        print_line(f"adapter     {cost.adapter}")
    if cost.on_server:
        print_line("memory      none of this machine for the model: its server holds it")
    else:
        print_line(f"memory      {_memory(cost.memory)}")
    if cost.advice:
        print_line(f"            {cost.advice}")
    print_line(f"time        {_time(cost)}")


def _rounds(rounds: RoundCost) -> str:
    return (
        f"at most {rounds.most}; the first asks {rounds.first_generations:,} generations and "
        f"{rounds.first_likelihoods:,} likelihoods, all of them at most what stands above"
    )


def _parameters(cost: Cost) -> str:
    if cost.on_server:
        return "unknown: the server is not asked"
    if cost.parameters is None:
        return "unknown: the weights are not on this machine and the registry does not say"
    where = {
        "weights": "counted in the weights",
        "registry": "as the registry says; the weights are not on this machine",
    }
    return f"{cost.parameters:,} ({where[cost.parameters_from]})"


def _memory(memory: Memory) -> str:
    from llmaudit.models.memory import describe_parts

    if memory.needed is None:
        return f"needed unknown, {_size(memory.free)} free"
    fits = "fits" if memory.fits else "DOES NOT FIT"
    if memory.fits and memory.cache is None:
        fits = "the weights fit"
    parts = describe_parts(memory)
    return f"{_size(memory.needed)} needed ({parts}), {_size(memory.free)} free: {fits}"


def _size(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.2f} GiB"


def _time(cost: Cost) -> str:
    from llmaudit.cli.output import describe_duration

    if cost.on_server:
        return "unknown: it depends on the server; a prompt is sent anew for every sample"
    if cost.seconds is None or cost.speed is None:
        return "unknown"
    reading, writing = cost.speed.reading / 1e9, cost.speed.writing / 1e9
    duration = describe_duration(max(1.0, cost.seconds))
    return (
        f"about {duration}, roughly: 2 x parameters operations a token at the "
        f"{reading:,.0f} (reading) and {writing:,.0f} (writing) billion a second that this machine "
        f"now multiplies matrices with; loading and scoring come on top"
    )
