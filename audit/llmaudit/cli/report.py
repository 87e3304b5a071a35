"""``llmaudit report``: write the report of a stored run again."""

from __future__ import annotations

from pathlib import Path

import click

from llmaudit.cli import options


@click.command(short_help="Write the report of a finished run again.")
@options.RUN_DIRECTORY
@click.option(
    "--template",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An HTML template of your own (Jinja, sandboxed).",
)
@click.option("--pdf", is_flag=True, help="Write report.pdf too (needs the extra 'pdf').")
@options.OTHER_POLICY
def report(run_directory: Path, template: Path | None, pdf: bool, policy: str | None) -> None:
    """Write the report of a finished run again, and print its path.

    Neither the model nor the scorers are needed: everything comes from the run's store.
    """
    from llmaudit.artifacts import ReportOptions
    from llmaudit.audit import report_run
    from llmaudit.cli.output import print_line
    from llmaudit.config import load_policy
    from llmaudit.linting import refuse_faulty_policy

    if policy is not None:
        refuse_faulty_policy(policy)
    chosen = load_policy(policy) if policy is not None else None
    how = ReportOptions(template, pdf)
    finished = report_run(run_directory, policy=chosen, options=how)
    print_line(finished.report)
    if pdf:
        print_line(finished.report.with_suffix(".pdf"))
