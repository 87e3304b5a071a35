"""``llmaudit schema``: the formats of files as JSON Schema, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from llmaudit.cli import options

if TYPE_CHECKING:
    from pydantic import BaseModel

_KINDS = ("probe", "lexicon", "wrappers", "suite", "policy", "rubric", "scorer-card")


@click.command(short_help="Print a file format as JSON Schema, for editors.")
@click.argument("kind", type=options.NearestChoice(list(_KINDS)))
def schema(kind: str) -> None:
    """Print the format of a kind of file as JSON Schema.

    KIND is probe, lexicon, wrappers, suite, policy, rubric or scorer-card. Editors that know YAML
    schemas complete keys and mark mistakes with it. For the YAML language server, write it to a
    file and begin yours with

        # yaml-language-server: $schema=probe.schema.json

    What concerns several keys or files at once is checked by `llmaudit lint`.
    """
    from llmaudit.cli.output import print_json

    print_json(_schema(kind))


def _schema(kind: str) -> dict[str, Any]:
    from llmaudit import config
    from llmaudit.probesets.schema import ProbeSetFile
    from llmaudit.probesets.schemas import describe_format, lexicon_format
    from llmaudit.probesets.wrapping import WrapperFile
    from llmaudit.scorers.rubrics import Rubric
    from llmaudit.scorers.scorer_cards import ScorerCard

    if kind == "lexicon":
        return lexicon_format()
    models: dict[str, type[BaseModel]] = {
        "probe": ProbeSetFile,
        "wrappers": WrapperFile,
        "suite": config.Suite,
        "policy": config.Policy,
        "rubric": Rubric,
        "scorer-card": ScorerCard,
    }
    return describe_format(models[kind], f"llmaudit {kind} file")
