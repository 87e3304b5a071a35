"""``llmaudit list``: what can be named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import click

from llmaudit.cli import options


@dataclass(frozen=True)
class _Listing:
    """Rows as plain data, which of their keys make the table, and its rows where they differ.

    ``heading`` is a column that becomes headings within the table where the terminal is narrow.
    """

    rows: Sequence[dict[str, Any]]
    columns: Sequence[str]
    right: Sequence[str] = ()
    table: Sequence[dict[str, Any]] | None = None
    heading: str | None = None


def _models() -> _Listing:
    from llmaudit.cli.modelsheets import list_models, summarise_row

    rows = list_models()
    columns = ("name", "family", "kind", "size", "licence", "gated", "here", "data")
    return _Listing(rows, columns, ("size",), [summarise_row(row) for row in rows], "family")


def _probes() -> _Listing:
    from llmaudit.probesets import find_probe_sets, load_probe_set

    rows = []
    for name in find_probe_sets():
        loaded = load_probe_set(name)
        definition = loaded.definition
        rows.append(
            {
                "id": definition.id,
                "construct": definition.construct_name,
                "task": definition.task.value,
                "axes": list(definition.axes),
                "templates": len(loaded.templates()),
                "prompts": loaded.count(),
                "title": definition.title,
                "version": definition.version,
            }
        )
    columns = ("id", "construct", "task", "templates", "prompts", "axes")
    return _Listing(rows, columns, ("templates", "prompts"))


def _scorers() -> _Listing:
    from llmaudit.scorers import list_scorers, scorer_facts_without_loading

    rows = []
    for name in list_scorers():
        facts = scorer_facts_without_loading(name)
        rows.append(
            {
                "name": name,
                "construct": facts.construct if facts else None,
                "languages": list(facts.languages) if facts else None,
                "licence": facts.licence if facts else None,
                "needs": facts.needs if facts else None,
                "description": facts.description if facts else "of another package",
            }
        )
    columns = ("name", "construct", "languages", "licence", "needs", "description")
    names = {row["name"] for row in rows}
    # Other classes of a scorer stand in JSON and in `show scorer`: they would be half of the table.
    main = [row for row in rows if str(row["name"]).partition("#")[0] not in names - {row["name"]}]
    return _Listing(rows, columns, table=main)


def _suites() -> _Listing:
    from llmaudit.config import list_shipped, load_suite
    from llmaudit.probesets import fill_probe_set, limit_prompts, load_probe_set

    # Most suites share sets with others, and filling one takes longer than all the rest.
    filled = cache(lambda name: fill_probe_set(load_probe_set(name)))
    rows = []
    for suite in map(load_suite, list_shipped("suites")):
        generations = likelihoods = 0
        for entry in suite.probe_sets:
            prompts = filled(entry.id)
            asked = limit_prompts(prompts, entry.limit) if entry.limit else prompts
            choices = sum(len(prompt.choices) for prompt in asked)
            likelihoods += choices
            generations += 0 if choices else len(asked) * entry.samples
        rows.append(
            {
                "id": suite.id,
                "probe_sets": [entry.id for entry in suite.probe_sets],
                "generations": generations,
                "likelihoods": likelihoods,
                "scorers": list(suite.scorers),
                "title": suite.title,
                "version": suite.version,
            }
        )
    columns = ("id", "generations", "likelihoods", "scorers", "probe_sets")
    return _Listing(rows, columns, ("generations", "likelihoods"))


def _policies() -> _Listing:
    from llmaudit.config import list_shipped, load_policy

    rows = []
    for name in list_shipped("policies"):
        policy = load_policy(name)
        rows.append(
            {
                "id": policy.id,
                "checks": len(policy.checks),
                "required": sum(check.required for check in policy.checks),
                "alpha": policy.alpha,
                "power": policy.power,
                "title": policy.title,
                "version": policy.version,
            }
        )
    columns = ("id", "checks", "required", "alpha", "power", "title")
    return _Listing(rows, columns, ("checks", "required", "alpha", "power"))


_KINDS: dict[str, Callable[[], _Listing]] = {
    "models": _models,
    "probes": _probes,
    "scorers": _scorers,
    "suites": _suites,
    "policies": _policies,
}


@click.command("list", short_help="List what can be named.")
@click.argument("kind", type=options.NearestChoice(list(_KINDS)))
@options.json_option("everything as JSON")
def list_(kind: str, as_json: bool) -> None:
    """List the models, probe sets, scorers, suites or policies that are known by name.

    A path works wherever a name does: these are not all that can be used.
    """
    print_kind(kind, as_json)


def print_kind(kind: str, as_json: bool) -> None:
    """Print everything of one kind that is known by name, as a table or as JSON."""
    from llmaudit.cli.output import print_json

    listing = _KINDS[kind]()
    if as_json:
        print_json(list(listing.rows))
        return
    _print_listing(listing)


def _print_listing(listing: _Listing) -> None:
    from llmaudit.cli.groupedtables import fits, print_grouped
    from llmaudit.cli.output import print_table

    headings = [name.replace("_", " ") for name in listing.columns]
    shown = listing.rows if listing.table is None else listing.table
    rows = [[_show(row[name]) for name in listing.columns] for row in shown]
    if listing.heading is None or fits(headings, rows):
        print_table(headings, rows, right=listing.right)
    else:
        print_grouped(headings, rows, by=listing.heading, right=listing.right)


def _show(value: Any) -> str:
    """Return a cell: lists with commas, large numbers grouped, yes and no, unknown for None."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
