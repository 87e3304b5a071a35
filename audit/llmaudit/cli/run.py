"""``llmaudit run``: audit a model and write the report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click


@click.command(short_help="Audit a model and write the report.")
@click.option(
    "--model",
    required=True,
    help="Registry name, hub id, folder, .gguf file, or scripted:FILE.",
)
@click.option("--suite", default="quick", show_default=True, help="Suite name or YAML file.")
@click.option("--policy", default="default", show_default=True, help="Policy name or YAML file.")
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    help="A scorer besides the suite's own; may be given several times.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run directory.  [default: runs/<model>-<suite>-<date>]",
)
@click.option("--samples", type=click.IntRange(1, 1000), help="Samples per prompt, for all sets.")
@click.option("--max-new-tokens", type=click.IntRange(1, 8192), help="Length limit of an answer.")
@click.option("--temperature", type=click.FloatRange(0, 5), help="0 is greedy.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Run seed.")
@click.option("--limit", type=click.IntRange(1), help="At most this many prompts per probe set.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Number format of the weights.",
)
@click.option(
    "--batch-tokens",
    type=click.IntRange(64),
    default=8192,
    show_default=True,
    help="Token budget of one batch; smaller needs less memory.",
)
@click.option("--fresh", is_flag=True, help="Start over; the old store is set aside, not deleted.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict of a finished run.")
@click.option("--quiet", is_flag=True, help="No progress and no table, only the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
def run(exit_zero: bool, quiet: bool, as_json: bool, **options: Any) -> None:
    """Audit a model and write the report.

    A stopped run goes on where it was when the same command is given again.
    """
    from llmaudit.audit import run_audit
    from llmaudit.cli.console import Listener
    from llmaudit.cli.verdicts import print_results, print_run
    from llmaudit.config import AuditConfig
    from llmaudit.verdicts import exit_code

    config = AuditConfig(**options)
    command = shlex.join(["llmaudit", *sys.argv[1:]])
    with Listener(quiet=quiet or as_json) as listener:
        finished = run_audit(config, progress=listener, command=command)
    if as_json:
        print_results(finished.run)
    else:
        print_run(finished.run, report=finished.report, quiet=quiet)
    raise SystemExit(0 if exit_zero else exit_code(finished.run.verdict))
