"""Renders a finished run: HTML, Markdown, JSON and the evidence table. Nothing here runs a model.

Every function takes a :class:`llmaudit.findings.Run` and returns text or plain data; writing the
files is the caller's. What the model, a probe file or a store says is hostile until escaped.
"""

from llmaudit.report.comparison import (
    comparison_json,
    comparison_schema,
    render_comparison,
    render_comparison_markdown,
)
from llmaudit.report.context import report_context
from llmaudit.report.escaping import Markdown, escape_markdown, terminal_safe, visible
from llmaudit.report.evidence import generations_schema, write_generations_parquet
from llmaudit.report.html import render_html
from llmaudit.report.markdown import render_markdown
from llmaudit.report.results import RESULTS_SCHEMA_VERSION, results_json, results_schema
from llmaudit.report.views import ReportContext

__all__ = [
    "RESULTS_SCHEMA_VERSION",
    "Markdown",
    "ReportContext",
    "comparison_json",
    "comparison_schema",
    "escape_markdown",
    "generations_schema",
    "render_comparison",
    "render_comparison_markdown",
    "render_html",
    "render_markdown",
    "report_context",
    "results_json",
    "results_schema",
    "terminal_safe",
    "visible",
    "write_generations_parquet",
]
