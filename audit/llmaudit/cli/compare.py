"""``llmaudit compare``: hold a candidate's run against a base's and exit with what changed."""

from __future__ import annotations

from pathlib import Path

import click

from llmaudit.cli import completing, options

_RUN = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Tell what changed from one finished run to another.")
@click.argument("base", type=_RUN)
@click.argument("candidate", type=_RUN)
@click.option(
    "--policy",
    default="regression",
    show_default=True,
    shell_complete=completing.complete_policies,
    help="Policy name or YAML file; its margins are the changes it allows.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="NAME",
    shell_complete=completing.complete_allowable,
    help="Compare although this differs (k, seed, suite ...); may be given several times.",
)
@click.option("--html", type=_FILE, help="Write the comparison as one HTML file.")
@click.option("--markdown", type=_FILE, help="Write it as Markdown, for a pull request.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever changed.")
@click.option("--quiet", is_flag=True, help="No table, only the verdict.")
@options.json_option("the comparison as JSON instead of the table")
def compare(
    base: Path,
    candidate: Path,
    policy: str,
    allow: tuple[str, ...],
    html: Path | None,
    markdown: Path | None,
    exit_zero: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Tell what changed from one finished run to another: two run directories.

    For releases, fine-tunes, quantisations and adapters. Results are paired by prompt and sample;
    neither model is needed. Runs that were made differently (k, decoding, seed, probe sets,
    scorers ...) are refused with the reason, unless the difference is allowed by name.

    The exit code is 0 where nothing got worse, 1 for a regression, 2 where the runs are not
    comparable, 3 where something required could not be settled, 4 where a run is not finished.
    """
    from llmaudit.artifacts import write_text
    from llmaudit.cli.comparisons import print_comparison
    from llmaudit.cli.output import print_json
    from llmaudit.comparing import compare_runs
    from llmaudit.config import load_policy
    from llmaudit.linting import refuse_faulty_policy
    from llmaudit.report import comparison_json, render_comparison, render_comparison_markdown
    from llmaudit.verdicts import change_exit_code

    refuse_faulty_policy(policy)
    found = compare_runs(base, candidate, load_policy(policy), allow=allow)
    if html is not None:
        write_text(html, render_comparison(found))
    if markdown is not None:
        write_text(markdown, render_comparison_markdown(found))
    if as_json:
        print_json(comparison_json(found))
    else:
        print_comparison(found, files=[file for file in (html, markdown) if file], quiet=quiet)
    raise SystemExit(0 if exit_zero else change_exit_code(found.verdict))
