"""Options that several commands share, and what is done with wrong values of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmaudit.cli.completing import (
    complete_models,
    complete_policies,
    complete_suites,
)
from llmaudit.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from llmaudit.config import AuditConfig

_DEVICES = ("auto", "cpu", "cuda", "cuda:N", "mps")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]+)?")


class NearestChoice(click.Choice[str]):
    """A choice among words whose error names the nearest of them."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return click's message with the nearest word put first."""
        message = super().get_invalid_choice_message(value, ctx)
        near = difflib.get_close_matches(str(value), list(self.choices), n=1, cutoff=0.5)
        return f"did you mean {near[0]!r}? {message}" if near else message


def _check_device(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Refuse a device that no machine has before anything is loaded."""
    if not _DEVICE.fullmatch(value):
        raise UnknownNameError("device", value, _DEVICES)
    return value


MODEL = click.option(
    "--model",
    required=True,
    shell_complete=complete_models,
    help="Registry name, hub id, folder, .gguf file, openai:NAME, or scripted:FILE.",
)
SUITE = click.option(
    "--suite",
    default="quick",
    show_default=True,
    shell_complete=complete_suites,
    help="Suite name or YAML file.",
)
POLICY = click.option(
    "--policy",
    default="default",
    show_default=True,
    shell_complete=complete_policies,
    help="Policy name or YAML file.",
)
OTHER_POLICY = click.option(
    "--policy",
    shell_complete=complete_policies,
    help="Another policy than the run's own: a name or a YAML file.",
)
SAMPLES = click.option(
    "--samples", type=click.IntRange(1, 1000), help="Samples per prompt, for all sets."
)
MAX_NEW_TOKENS = click.option(
    "--max-new-tokens", type=click.IntRange(1, 8192), help="Length limit of an answer."
)
TEMPERATURE = click.option(
    "--temperature", type=click.FloatRange(0, 5), help="0 is greedy.  [default: the suite's]"
)
SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Run seed."
)
LIMIT = click.option(
    "--limit", type=click.IntRange(1), help="At most this many prompts per probe set."
)
DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_check_device,
    help="auto, cpu, cuda, cuda:N or mps.",
)
DTYPE = click.option(
    "--dtype",
    type=NearestChoice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Number format of the weights.",
)
BATCH_TOKENS = click.option(
    "--batch-tokens",
    type=click.IntRange(64),
    default=8192,
    show_default=True,
    help="Token budget of one batch; smaller needs less memory.",
)
BASE_URL = click.option(
    "--base-url",
    metavar="URL",
    help="Server of an openai:NAME model.  [default: OPENAI_BASE_URL]",
)
CONCURRENCY = click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Requests to a server at once.",
)
REQUEST_TIMEOUT = click.option(
    "--request-timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds for one request to a server, retries included.",
)
ADAPTER = click.option(
    "--adapter", metavar="PATH|ID", help="Adapter to put on the model (peft): folder or hub id."
)
QUANTIZE = click.option(
    "--quantize",
    type=NearestChoice(["8bit", "4bit"]),
    help="Quantise the weights while loading (CUDA only, needs the extra 'quant').",
)
PROMPT_FORMAT = click.option(
    "--prompt-format",
    type=NearestChoice(["auto", "plain", "chat", "alpaca", "vicuna", "guanaco"]),
    default="auto",
    show_default=True,
    help="How turns are written; chat is the tokenizer's own template.",
)
ALLOW_PICKLE = click.option(
    "--allow-pickle", is_flag=True, help="Read weights from pickle files where there are no others."
)
TRUST_REMOTE_CODE = click.option(
    "--trust-remote-code",
    is_flag=True,
    help="Run Python code that comes with the model. It can do what you can.",
)
ENGINE = click.option(
    "--engine",
    type=NearestChoice(["transformers", "vllm"]),
    default="transformers",
    show_default=True,
    help="What computes the network; vllm needs the extra 'vllm'.",
)
TENSOR_PARALLEL = click.option(
    "--tensor-parallel",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="GPUs that share every layer (--engine vllm).",
)
LOCKED = click.option(
    "--locked",
    metavar="[LOCK]",
    is_flag=False,
    flag_value="",
    help="Refuse anything but what this policy lock says.  [default: the policy's, .lock]",
)
UNTIL_SETTLED = click.option(
    "--until-settled",
    is_flag=True,
    help="Ask in rounds, and only on where a check is still open.",
)
DETOXIFY_CHECKPOINT = click.option(
    "--detoxify-checkpoint",
    multiple=True,
    metavar="[VARIANT=]FILE",
    help="A checkpoint file for a detoxify scorer; may be given several times.",
)
SCORER_CARD = click.option(
    "--scorer-card",
    "scorer_cards",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What an hf: or guard: scorer measures (YAML); may be given several times.",
)
JUDGE = click.option(
    "--judge",
    metavar="MODEL",
    shell_complete=complete_models,
    help="A model that grades the answers by rubrics: any that --model takes.",
)
RUBRIC = click.option(
    "--rubric",
    "rubrics",
    multiple=True,
    metavar="NAME|FILE",
    help="What the judge is asked; may be given several times.  [default: toxicity, refusal]",
)
JUDGE_BASE_URL = click.option(
    "--judge-base-url", metavar="URL", help="Server of an openai:NAME judge."
)
DETOXIFY_DTYPE = click.option(
    "--detoxify-dtype",
    type=NearestChoice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="bfloat16 is faster and less exact, where the processor has it.",
)
RUN_DIRECTORY = click.argument(
    "run_directory", metavar="RUN", type=click.Path(path_type=Path, file_okay=False)
)


def scorer_parts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what its scorers are made of."""
    parts = (DETOXIFY_CHECKPOINT, DETOXIFY_DTYPE, SCORER_CARD, JUDGE, RUBRIC, JUDGE_BASE_URL)
    for option in reversed(parts):
        command = option(command)
    return command


def json_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--json`` of a command that prints ``what`` by it."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


def make_config(**options: Any) -> AuditConfig:
    """Return the options as a configuration.

    Raises
    ------
    UsageError
        If a value is refused; one message names every such option.
    """
    from pydantic import ValidationError

    from llmaudit.config import AuditConfig

    try:
        return AuditConfig(**options)
    except ValidationError as error:
        faults = [
            f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg'].lower()}, "
            f"found {fault['input']!r}"
            for fault in error.errors()
        ]
        raise UsageError("; ".join(faults)) from error
