"""``llmaudit check``: hold a stored run against a policy and exit with its verdict."""

from __future__ import annotations

from pathlib import Path

import click

from llmaudit.cli import options


@click.command(short_help="Hold a finished run against a policy.")
@options.RUN_DIRECTORY
@options.OTHER_POLICY
@options.LOCKED
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict.")
@click.option("--quiet", is_flag=True, help="No table, only the verdict.")
@options.json_option("the content of results.json instead of the table")
def check(
    run_directory: Path,
    policy: str | None,
    locked: str | None,
    exit_zero: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Hold a finished run against a policy, its own or another.

    Neither the model nor the scorers are needed, and nothing is written. The exit code is the
    verdict's: 0 pass, 1 fail, 3 inconclusive. Waivers must be in force today.
    """
    from llmaudit.audit import check_run
    from llmaudit.cli.output import print_line
    from llmaudit.cli.verdicts import print_results, print_run
    from llmaudit.config import load_policy
    from llmaudit.linting import refuse_faulty_policy
    from llmaudit.locking import find_lock_path
    from llmaudit.verdicts import exit_code

    if policy is not None:
        refuse_faulty_policy(policy)
    chosen = load_policy(policy) if policy is not None else None
    lock = find_lock_path(locked, policy)
    found = check_run(run_directory, policy=chosen, locked=lock)
    if as_json:
        print_results(found)
    else:
        print_run(found, quiet=quiet)
        if lock is not None and not quiet:
            print_line(f"Run and policy are what {lock} says.")
    raise SystemExit(0 if exit_zero else exit_code(found.verdict))
