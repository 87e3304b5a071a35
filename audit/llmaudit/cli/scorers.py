"""``llmaudit scorers``: what scorers there are, and how wrong one is on labelled texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmaudit.cli import completing, options, show
from llmaudit.cli.groups import NearestGroup
from llmaudit.cli.listing import print_kind

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group("scorers", cls=NearestGroup, short_help="List, show and measure scorers.")
def scorers() -> None:
    """List the scorers, show one, or measure one on texts that people have labelled."""


@scorers.command("list")
@options.json_option("everything as JSON")
def list_(as_json: bool) -> None:
    """List the scorers that are known by name; the same as `llmaudit list scorers`."""
    print_kind("scorers", as_json)


scorers.add_command(show.scorer, "show")


class _FilesCommand(click.Command):
    """A command whose ``--data`` takes every word up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, ``--data A B`` as ``--data A --data B``."""
        return super().parse_args(ctx, repeat_option("--data", args))


def repeat_option(option: str, words: Sequence[str]) -> list[str]:
    """Return the words with an option put before each of the values that follow it.

    Examples
    --------
    >>> repeat_option("--data", ["toxicity", "--data", "a", "b", "--json"])
    ['toxicity', '--data', 'a', '--data', 'b', '--json']
    """
    spread: list[str] = []
    taking = False
    for place, word in enumerate(words):
        if word.startswith("-") and word != "-":
            taking = word == option or word.startswith(f"{option}=")
            if word == option and place + 1 < len(words) and not words[place + 1].startswith("-"):
                continue
            spread.append(word)
        elif taking:
            spread += [option, word]
        else:
            spread.append(word)
    return spread


@scorers.command("measure", cls=_FilesCommand)
@click.argument("name", shell_complete=completing.complete_scorers)
@click.option(
    "--data",
    multiple=True,
    metavar="[SET=]FILE...",
    help="Labelled texts, CSV or JSON Lines.  [default: the shipped calibration set]",
)
@click.option(
    "--language", default="en", show_default=True, help="Of texts without a column language."
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the figures into this scorer card (JSON).",
)
@options.scorer_parts
@click.option("--quiet", is_flag=True, help="No progress.")
@options.json_option("the figures instead of the table")
def measure(
    name: str,
    data: tuple[str, ...],
    language: str,
    card: Path | None,
    detoxify_checkpoint: tuple[str, ...],
    detoxify_dtype: str,
    quiet: bool,
    as_json: bool,
    **made_of: Any,
) -> None:
    """Measure a scorer on texts that people have labelled.

    A file has the columns `text` and `label` (1 where the text has what the scorer looks for, else
    0), and may have `group`, `axis`, `template`, `prompt`, `reference` and `language`. Files
    of one SET are one set; without SET each is its own. Without --data the scorer is measured on
    the shipped calibration set, and its identity shift is told by axis.
    """
    from llmaudit.cli.console import Listener
    from llmaudit.cli.measured import print_measured
    from llmaudit.cli.output import print_json, print_line
    from llmaudit.measuring import measure_named
    from llmaudit.scorer_models import ScorerOptions

    files = [_named_file(word) for word in data]
    with Listener(quiet=quiet) as listener:
        figures = measure_named(
            name,
            files,
            language=language,
            card=card,
            checkpoints=detoxify_checkpoint,
            detoxify_dtype=detoxify_dtype,
            options=ScorerOptions(
                cards=made_of["scorer_cards"],
                judge=made_of["judge"],
                judge_base_url=made_of["judge_base_url"],
                rubrics=made_of["rubrics"],
            ),
            progress=listener,
        )
    if as_json:
        print_json(figures)
        return
    print_measured(figures)
    if card is not None:
        print_line(f"card: {card}")


def _named_file(word: str) -> tuple[str, Path]:
    """Return the name of a file's set, and the file."""
    name, mark, rest = word.partition("=")
    if mark and name and not Path(word).exists():
        return name, Path(rest)
    return Path(word).stem, Path(word)
