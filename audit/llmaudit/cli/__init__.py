"""The command line: each command parses, calls the library, prints and exits."""

from __future__ import annotations

import os

import click

from llmaudit.cli.catalogue import catalogue
from llmaudit.cli.check import check
from llmaudit.cli.compare import compare
from llmaudit.cli.fetch import fetch
from llmaudit.cli.groups import MainGroup
from llmaudit.cli.lint import lint
from llmaudit.cli.listing import list_
from llmaudit.cli.newprobe import new_probe
from llmaudit.cli.plan import plan
from llmaudit.cli.policy import policy
from llmaudit.cli.report import report
from llmaudit.cli.review import review
from llmaudit.cli.run import run
from llmaudit.cli.schema import schema
from llmaudit.cli.score import score
from llmaudit.cli.scorers import scorers
from llmaudit.cli.show import show

SPINS = "1000"
"""How often an idle thread of OpenMP looks for work before it sleeps (GNU's default: 300,000).

Threads that spin keep a processor from whoever holds the work they wait for: docs/speed.md."""


def _sleep_when_idle() -> None:
    """Let OpenMP's threads sleep soon unless the environment says how; read when torch loads."""
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from llmaudit import __version__

    click.echo(f"llmaudit {__version__}")
    ctx.exit()


@click.group(cls=MainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Audit an open language model for bias and safety.

    Exit codes of `run`, `check` and `compare`: 0 pass, 1 fail or regression, 2 usage or
    configuration error, 3 inconclusive, 4 the run could not be completed.
    """
    _sleep_when_idle()


for _command in (
    *(run, plan, check, compare, report, score, review, scorers, list_, show, policy, fetch),
    *(new_probe, lint, schema, catalogue),
):
    main.add_command(_command)
