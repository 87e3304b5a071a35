"""Names that the shell offers when Tab is pressed; looked up only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def complete_models(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the models of the registry."""
    from llmaudit.models.registry import load_registry

    return _beginning(load_registry().names(), incomplete)


def complete_suites(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the shipped suites."""
    from llmaudit.config import list_shipped

    return _beginning(list_shipped("suites"), incomplete)


def complete_policies(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the shipped policies."""
    from llmaudit.config import list_shipped

    return _beginning(list_shipped("policies"), incomplete)


def complete_allowable(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the differences between two runs that can be allowed."""
    from llmaudit.comparability import ALLOWABLE

    return _beginning(ALLOWABLE, incomplete)


def complete_probe_sets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the shipped probe sets."""
    from llmaudit.probesets import list_probe_sets

    return _beginning(list_probe_sets(), incomplete)


def complete_scorers(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return every scorer."""
    from llmaudit.scorers import list_scorers

    return _beginning(list_scorers(), incomplete)


def complete_fetchable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return everything that can be fetched by name."""
    return [
        name
        for complete in (complete_models, complete_suites, complete_scorers)
        for name in complete(ctx, param, incomplete)
    ]


def _beginning(names: list[str] | tuple[str, ...], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
