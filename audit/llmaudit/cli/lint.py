"""``llmaudit lint``: check files that people write."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from llmaudit.cli import options
from llmaudit.errors import EXIT_USAGE, InvalidFileError


@click.command(short_help="Check probe sets, lexicons, suites and policies.")
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@options.json_option("files and problems as JSON")
def lint(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check probe sets, lexicons, suites, policies, scripted models, rubrics and scorer cards.

    FILE is a file or a folder, whose .yaml files are checked. Every problem is printed with its
    file, line, key and remedy; the exit code is 2 when there is any.
    """
    from llmaudit.cli.output import print_json, print_line
    from llmaudit.linting import find_files, lint_files

    try:
        files = find_files(paths)
        problems = lint_files(files)
    except InvalidFileError as error:
        files, problems = [], list(error.problems)
    if as_json:
        listed = [asdict(problem) for problem in problems]
        print_json({"files": [str(file) for file in files], "problems": listed})
    else:
        for problem in problems:
            print_line(problem)
        count = f"{len(files)} file{'' if len(files) == 1 else 's'} checked"
        faults = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        click.echo(f"{count}, {faults if problems else 'no problems'}", err=bool(problems))
    if problems:
        raise SystemExit(EXIT_USAGE)
