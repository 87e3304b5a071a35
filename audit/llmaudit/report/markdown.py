"""Renders a run as Markdown: the same numbers as the HTML report, compactly."""

from __future__ import annotations

from jinja2 import StrictUndefined
from jinja2.loaders import FileSystemLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmaudit import resources
from llmaudit.findings import Run
from llmaudit.report.context import report_context
from llmaudit.report.escaping import escape_markdown, fence
from llmaudit.report.html import render_template

MARKDOWN_TEMPLATE = "report.md.j2"


def render_markdown(run: Run) -> str:
    """Return the report of ``run`` as Markdown in which no value of the run is markup."""
    values = {"report": report_context(run)}
    return render_template(markdown_environment(), MARKDOWN_TEMPLATE, values, None)


def markdown_environment() -> ImmutableSandboxedEnvironment:
    """Return the sandbox that escapes every value for Markdown."""
    # Markdown is not HTML: every value is escaped by ``finalize`` instead.
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        finalize=escape_markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=FileSystemLoader(resources.templates_dir()),
    )
    environment.filters["fence"] = fence
    return environment
