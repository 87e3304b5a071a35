"""``llmaudit fetch``: bring everything here that a later run without a network needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from llmaudit.cli import options
from llmaudit.cli.completing import complete_fetchable
from llmaudit.errors import AuditError, UnavailableError, UnknownNameError

if TYPE_CHECKING:
    from llmaudit.cli.console import Listener
    from llmaudit.models.weights import Trust

_Step = tuple[str, Callable[[], object]]


@click.command(short_help="Fetch what a later run without a network needs.")
@click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_fetchable
)
@options.ADAPTER
@options.ALLOW_PICKLE
@options.TRUST_REMOTE_CODE
@click.option("--quiet", is_flag=True, help="Print nothing unless something fails.")
def fetch(
    names: tuple[str, ...],
    adapter: str | None,
    allow_pickle: bool,
    trust_remote_code: bool,
    quiet: bool,
) -> None:
    """Fetch everything that a later run without a network needs.

    NAME is a model (registry name or hub id), a scorer, or a suite, whose scorers are fetched.
    What is here already is checked and not fetched again.
    """
    from llmaudit.cli.console import Listener
    from llmaudit.models.weights import Trust

    trust = Trust(allow_pickle, trust_remote_code)
    with Listener(quiet=quiet) as listener:
        steps = dict(step for name in names for step in _steps(name, listener, trust))
        if adapter is not None:
            steps[f"adapter {adapter}"] = _adapter_step(adapter, listener, trust)
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


def _adapter_step(name: str, listener: Listener, trust: Trust) -> Callable[[], object]:
    from llmaudit.models.adapters import find_adapter

    return lambda: find_adapter(name, progress=listener.note, trust=trust)


def _steps(name: str, listener: Listener, trust: Trust) -> list[_Step]:
    """Return what to do for one name; nothing is done yet, so a wrong name stops all.

    Raises
    ------
    UnknownNameError
        With the nearest name of any kind.
    """
    from llmaudit.config import list_shipped, load_suite
    from llmaudit.models.parts import find_parts
    from llmaudit.models.registry import load_registry
    from llmaudit.scorer_models import ScorerLoader, uses_model
    from llmaudit.scorers import list_scorers, load_scorer

    if uses_model(name):
        return [(f"scorer {name}", lambda: ScorerLoader().check([name], listener.note))]
    if name in list_shipped("suites") or name.endswith((".yaml", ".yml")):
        wanted = load_suite(name).scorers
        return [step for scorer in wanted for step in _steps(scorer, listener, trust)]
    if name in list_scorers():
        # Loading it is the proof that nothing is missing.
        return [(f"scorer {name}", lambda: load_scorer(name, progress=listener.note))]
    registry = load_registry()
    if registry.find(name) is not None or "/" in name:
        return [(f"model {name}", lambda: find_parts(name, trust=trust, progress=listener.note))]
    known = (*registry.names(), *list_scorers(), *list_shipped("suites"))
    hint = "A hub id (organisation/model) or the path of a suite's .yaml file works too."
    raise UnknownNameError("name", name, known, hint)
