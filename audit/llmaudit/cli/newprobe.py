"""``llmaudit new-probe``: a commented probe set to start from."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("new-probe", short_help="Write a commented probe set to start from.")
@click.argument("path", metavar="[FILE]", default="my-probes.yaml", type=click.Path(path_type=Path))
def new_probe(path: Path) -> None:
    """Write a commented probe set to start from, my-probes.yaml unless named.

    The file is sound as it is: `llmaudit lint` finds no fault in it. A file that exists is left
    alone.
    """
    from llmaudit.probesets.starting import write_starting_file

    write_starting_file(path)
    click.echo(f"{path} written; check it with: llmaudit lint {path}")
