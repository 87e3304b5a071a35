"""``llmaudit fetch``: bring everything here that a later run without a network needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from llmaudit.cli.completing import complete_fetchable
from llmaudit.errors import AuditError, UnavailableError, UnknownNameError

if TYPE_CHECKING:
    from llmaudit.cli.console import Listener

_Step = tuple[str, Callable[[], object]]


@click.command(short_help="Fetch what a later run without a network needs.")
@click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_fetchable
)
@click.option("--quiet", is_flag=True, help="Print nothing unless something fails.")
def fetch(names: tuple[str, ...], quiet: bool) -> None:
    """Fetch everything that a later run without a network needs.

    NAME is a model (registry name or hub id), a scorer, or a suite, whose scorers are fetched.
    What is here already is checked and not fetched again.
    """
    from llmaudit.cli.console import Listener

    with Listener(quiet=quiet) as listener:
        steps = dict(step for name in names for step in _steps(name, listener))
        failures = []
        for name, step in steps.items():
            try:
                step()
            except AuditError as error:
                failures.append(f"{name}: {error}")
            else:
                listener.note(f"{name} is here")
    if failures:
        raise UnavailableError("\n".join(failures))


def _steps(name: str, listener: Listener) -> list[_Step]:
    """Return what to do for one name; nothing is done yet, so a wrong name stops all.

    Raises
    ------
    UnknownNameError
        With the nearest name of any kind.
    """
    from llmaudit.config import list_shipped, load_suite
    from llmaudit.models.registry import load_registry
    from llmaudit.models.sources import find_source
    from llmaudit.scorers import list_scorers, load_scorer

    if name in list_shipped("suites") or name.endswith((".yaml", ".yml")):
        wanted = load_suite(name).scorers
        return [step for scorer in wanted for step in _steps(scorer, listener)]
    if name in list_scorers():
        # Loading it is the proof that nothing is missing.
        return [(f"scorer {name}", lambda: load_scorer(name, progress=listener.note))]
    registry = load_registry()
    if registry.find(name) is not None or "/" in name:
        return [(f"model {name}", lambda: find_source(name, progress=listener.note))]
    known = (*registry.names(), *list_scorers(), *list_shipped("suites"))
    hint = "A hub id (organisation/model) or the path of a suite's .yaml file works too."
    raise UnknownNameError("name", name, known, hint)
