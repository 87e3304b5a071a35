"""``llmaudit catalogue``: what a folder of probe sets holds, counted from its files."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Count what a library of probe sets holds.")
@click.option(
    "--probes",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder laid out like the shipped probes, instead of them.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the catalogue and every datasheet as Markdown pages into this folder.",
)
def catalogue(probes: Path | None, out: Path | None) -> None:
    """Count the prompts of a library by family, axis and language.

    The families are the folders of the library. With --out, a page README.md with the tables and
    one page per set with its datasheet are written; pages of sets that are gone are removed.
    """
    from llmaudit.probesets.catalogue import render_catalogue, write_pages
    from llmaudit.probesets.counting import count_library

    library = count_library(probes)
    if out is None:
        click.echo(render_catalogue(library))
        return
    written = write_pages(library, out)
    click.echo(f"{len(written)} pages written to {out}")
