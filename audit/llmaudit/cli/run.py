"""``llmaudit run``: audit a model and write the report."""

from __future__ import annotations

import gc
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llmaudit.cli import options
from llmaudit.cli.completing import complete_scorers

#: New objects between two looks for garbage.
_NEW_OBJECTS = 2_000_000


@click.command(short_help="Audit a model and write the report.")
@options.MODEL
@options.ADAPTER
@options.SUITE
@options.POLICY
@options.LOCKED
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    shell_complete=complete_scorers,
    help="A scorer besides the suite's own; may be given several times.",
)
@options.scorer_parts
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run directory.  [default: runs/<model>-<suite>-<date>]",
)
@options.SAMPLES
@options.MAX_NEW_TOKENS
@options.TEMPERATURE
@options.SEED
@options.LIMIT
@options.UNTIL_SETTLED
@click.option(
    "--budget",
    metavar="N-generations|TIME",
    help="With --until-settled: ask no more than 20000-generations, or for 30m.",
)
@options.DEVICE
@options.DTYPE
@options.QUANTIZE
@options.BATCH_TOKENS
@options.PROMPT_FORMAT
@options.ALLOW_PICKLE
@options.TRUST_REMOTE_CODE
@options.ENGINE
@options.TENSOR_PARALLEL
@options.BASE_URL
@options.CONCURRENCY
@options.REQUEST_TIMEOUT
@click.option("--fresh", is_flag=True, help="Start over; the old store is set aside, not deleted.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict of a finished run.")
@click.option("--quiet", is_flag=True, help="No progress and no table, only the verdict.")
@options.json_option("results.json instead of the table")
def run(exit_zero: bool, quiet: bool, as_json: bool, locked: str | None, **given: Any) -> None:
    """Audit a model and write the report.

    A stopped run goes on where it was when the same command is given again.
    """
    # Torch and transformers make a million objects of which none is garbage; looking through them
    # took one of the seven seconds from the command to the first token.
    gc.set_threshold(_NEW_OBJECTS)
    from llmaudit.locking import find_lock_path

    lock = find_lock_path(locked, given["policy"])
    config = options.make_config(locked=lock, **given)
    from llmaudit.audit import run_audit
    from llmaudit.cli.console import Listener
    from llmaudit.cli.verdicts import print_results, print_run
    from llmaudit.linting import refuse_faulty_files
    from llmaudit.verdicts import exit_code

    refuse_faulty_files(config.suite, config.policy)
    command = shlex.join(["llmaudit", *sys.argv[1:]])
    with Listener(quiet=quiet or as_json) as listener:
        finished = run_audit(config, progress=listener, command=command)
    if as_json:
        print_results(finished.run)
    else:
        print_run(finished.run, report=finished.report, quiet=quiet)
    raise SystemExit(0 if exit_zero else exit_code(finished.run.verdict))
