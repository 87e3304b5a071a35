"""What ``llmaudit show scorer`` tells of a scorer: its facts and its card, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmaudit.records import ScorerFacts
    from llmaudit.report.views import CardTable


def describe_scorer(facts: ScorerFacts) -> dict[str, Any]:
    """Return a scorer's facts and card, every figure in one line with its interval."""
    from llmaudit.report.scorercards import card_view

    view = card_view(facts)
    tables = [table for table in (view.measured, view.shift, *view.groups) if table is not None]
    return {
        "name": facts.name,
        "description": facts.description,
        **dict(view.facts),
        "version": facts.version,
        "digest": facts.digest,
        "needs": facts.needs,
        "files": [f"{one.name}, {one.size:,} bytes, SHA-256 {one.sha256}" for one in facts.files],
        "limits": list(view.limits),
        **({"not measured": view.not_measured} if view.not_measured else {}),
        **{table.title: dict(_lines(table)) for table in tables},
        "besides": dict(view.rest),
    }


def _lines(table: CardTable) -> Iterator[tuple[str, str]]:
    """Yield each row's name, and all that its cells say."""
    notes = dict(table.notes)
    for (name, beneath), *cells in table.rows:
        said = (
            f"{title} {value}{f' ({small})' if small else ''}"
            for title, (value, small) in zip(table.columns[1:], cells, strict=True)
            if value
        )
        beside = [f"[{notes[name]}]"] if name in notes else []
        yield f"{name} ({beneath})" if beneath else name, "; ".join([*said, *beside])
