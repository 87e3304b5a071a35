"""``llmaudit show``: one model, probe set, scorer, suite or policy in full."""

from __future__ import annotations

from typing import Any

import click

from llmaudit.cli import completing, options
from llmaudit.cli.groups import NearestGroup


@click.group("show", cls=NearestGroup, short_help="Show one thing in full.")
def show() -> None:
    """Show one model, probe set, scorer, suite or policy in full."""


_AS_JSON = options.json_option("everything as JSON")


@show.command()
@click.argument("name", metavar="NAME|FILE", shell_complete=completing.complete_probe_sets)
@click.option(
    "--examples",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="How many example prompts.",
)
@_AS_JSON
def probe(name: str, examples: int, as_json: bool) -> None:
    """Show a probe set: its datasheet and example prompts."""
    from llmaudit.cli.datasheets import describe_examples, describe_probe_set
    from llmaudit.probesets import fill_probe_set, load_probe_set

    loaded = load_probe_set(name)
    prompts = fill_probe_set(loaded)
    described = describe_probe_set(loaded.facts(len(prompts)))
    _print(described | {"examples": describe_examples(prompts, examples)}, as_json)


@show.command()
@click.argument("name", metavar="NAME|ID|FOLDER", shell_complete=completing.complete_models)
@_AS_JSON
def model(name: str, as_json: bool) -> None:
    """Show what is known of a model, each fact with its source.

    What the registry does not say comes from the model's own card and configuration, where it
    is on this machine. Nothing is fetched or loaded.
    """
    from llmaudit.cli.modelsheets import describe_model, describe_sheet

    sheet = describe_model(name)
    _print(sheet if as_json else describe_sheet(sheet), as_json, none="unknown")


@show.command()
@click.argument("name", shell_complete=completing.complete_scorers)
@_AS_JSON
def scorer(name: str, as_json: bool) -> None:
    """Show a scorer: what it measures and how wrong it is known to be."""
    from dataclasses import asdict

    from llmaudit.cli.scorersheets import describe_scorer
    from llmaudit.scorers import describe_needs, list_scorers, scorer_facts_without_loading

    facts = scorer_facts_without_loading(name)
    unknown = {"name": name, "description": "of another package; its facts come when it is loaded"}
    others = [one for one in list_scorers() if one.startswith(f"{name}#")]
    more = {"other_classes": others, "needed_files": describe_needs(name)}
    if facts is None:
        _print(unknown, as_json)
    else:
        _print((asdict(facts) if as_json else describe_scorer(facts)) | more, as_json)


@show.command()
@click.argument("name", metavar="NAME|FILE", shell_complete=completing.complete_suites)
@_AS_JSON
def suite(name: str, as_json: bool) -> None:
    """Show a suite: its probe sets, sample sizes and scorers."""
    from llmaudit.config import as_plain, load_suite

    _print(as_plain(load_suite(name)), as_json)


@show.command()
@click.argument("name", metavar="NAME|FILE", shell_complete=completing.complete_policies)
@_AS_JSON
def policy(name: str, as_json: bool) -> None:
    """Show a policy: its checks, each with its margin and the reason for it."""
    from llmaudit.config import as_plain, load_policy

    _print(as_plain(load_policy(name)), as_json)


def _print(value: dict[str, Any], as_json: bool, *, none: str = "none") -> None:
    from llmaudit.cli.outline import print_outline
    from llmaudit.cli.output import print_json

    if as_json:
        print_json(value)
    else:
        print_outline(value, none=none)
