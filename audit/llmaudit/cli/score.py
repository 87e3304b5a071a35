"""``llmaudit score``: add a scorer to a finished run."""

from __future__ import annotations

from pathlib import Path

import click

from llmaudit.cli import options
from llmaudit.cli.completing import complete_scorers


@click.command(short_help="Add a scorer to a finished run.")
@options.RUN_DIRECTORY
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    shell_complete=complete_scorers,
    help="The scorer to add; may be given several times.",
)
@options.scorer_parts
@click.option("--quiet", is_flag=True, help="No progress, only the report's path.")
def score(
    run_directory: Path,
    scorers: tuple[str, ...],
    detoxify_checkpoint: tuple[str, ...],
    detoxify_dtype: str,
    scorer_cards: tuple[Path, ...],
    judge: str | None,
    rubrics: tuple[str, ...],
    judge_base_url: str | None,
    quiet: bool,
) -> None:
    """Add a scorer to a finished run, write its report again, and print the report's path.

    The stored answers are scored; the model is not needed and nothing is generated again. Scores
    that the run already has are kept.
    """
    from llmaudit.audit import score_run
    from llmaudit.cli.console import Listener
    from llmaudit.cli.output import print_line
    from llmaudit.scorer_models import ScorerOptions

    with Listener(quiet=quiet) as listener:
        finished = score_run(
            run_directory,
            scorers,
            checkpoints=detoxify_checkpoint,
            detoxify_dtype=detoxify_dtype,
            options=ScorerOptions(scorer_cards, judge, judge_base_url, rubrics),
            progress=listener,
        )
    print_line(finished.report)
