"""``llmaudit policy``: fix a policy before any result is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmaudit.cli import options
from llmaudit.cli.completing import complete_policies, complete_scorers
from llmaudit.cli.groups import NearestGroup


@click.group("policy", cls=NearestGroup, short_help="Lock a policy before a run.")
def policy() -> None:
    """Lock a policy, so that thresholds cannot be chosen after seeing results."""


@policy.command()
@click.argument("policy_file", metavar="FILE|NAME", shell_complete=complete_policies)
@options.SUITE
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    shell_complete=complete_scorers,
    help="A scorer besides the suite's own; may be given several times.",
)
@options.scorer_parts
@options.SAMPLES
@options.MAX_NEW_TOKENS
@options.TEMPERATURE
@options.SEED
@options.LIMIT
@options.UNTIL_SETTLED
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The lock's file.  [default: beside FILE, with the ending .lock]",
)
@click.option("--force", is_flag=True, help="Replace a lock that is there already.")
def lock(policy_file: str, out: Path | None, force: bool, **given: Any) -> None:
    """Write down what a run under a policy must be, and print the lock's path and digest.

    The lock holds the policy and the suite in full, the digests of all probe sets and scorers, the
    seed, the sample sizes and the decoding. `llmaudit run --locked` and `llmaudit check --locked`
    refuse anything else. The model is not part of it, and none is needed.
    """
    from llmaudit.cli.output import print_line
    from llmaudit.linting import refuse_faulty_files
    from llmaudit.locking import default_lock_path, lock_plan, write_lock
    from llmaudit.planning import make_plan
    from llmaudit.scorer_models import ScorerLoader, scorer_options

    config = options.make_config(model="any", policy=policy_file, **given)
    refuse_faulty_files(config.suite, config.policy)
    loader = ScorerLoader(scorer_options(config))
    plan = make_plan(loader.add_judge(config))
    loader.check_names(plan.scorers)
    made = lock_plan(plan, config.detoxify_checkpoint, loader, detoxify_dtype=config.detoxify_dtype)
    path = write_lock(made, out or default_lock_path(policy_file), force=force)
    print_line(f"{path}  {made.digest}")
