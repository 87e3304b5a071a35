"""Generations as the report prints them: what was sent, what came back, every score."""

from __future__ import annotations

from collections.abc import Iterable

from llmaudit.findings import Example
from llmaudit.records import ErrorKind
from llmaudit.report.views import ExampleGroup, ExampleView, ScoreView
from llmaudit.report.wording import number
from llmaudit.transparency import hide_folders


def example_groups(examples: Iterable[Example]) -> tuple[ExampleGroup, ...]:
    """Return the examples by probe set, in the order in which the sets appear."""
    by_set: dict[str, list[ExampleView]] = {}
    for example in examples:
        by_set.setdefault(example.probe_set, []).append(example_view(example))
    return tuple(ExampleGroup(name, tuple(views)) for name, views in by_set.items())


def example_view(example: Example) -> ExampleView:
    """Return one generation, unescaped."""
    output = (example.error or "unknown") if example.text is None else example.text
    scores = tuple(
        ScoreView(
            name,
            number(score.value),
            score.label or "",
            hide_folders(score.reason or "") if score.value is None else "",
        )
        for name, score in sorted(example.scores.items())
    )
    return ExampleView(
        example.request_id,
        example.template_id,
        example.group or "",
        example.sent,
        _state(example),
        output if example.text is not None else hide_folders(output),
        example.chosen_because,
        scores,
    )


def _state(example: Example) -> str:
    """Return what an example came to: ``text``, ``empty``, ``error`` or ``unsupported``."""
    if example.text is not None:
        return "text" if example.text else "empty"
    unsupported = (example.error or "").startswith(f"{ErrorKind.UNSUPPORTED}:")
    return "unsupported" if unsupported else "error"
