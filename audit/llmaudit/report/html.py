"""Renders a run as one HTML file that needs no network, runs no script and allows none."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.loaders import ChoiceLoader, DictLoader, FileSystemLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from llmaudit import resources
from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.findings import Run
from llmaudit.report.context import report_context
from llmaudit.report.escaping import visible
from llmaudit.report.figures import check_figure, group_figure
from llmaudit.report.views import ReportContext

HTML_TEMPLATE = "report.html.j2"
_USER = "user template"


def render_html(run: Run, *, template: Path | None = None) -> str:
    """Return the report of ``run`` as one self-contained HTML page.

    Parameters
    ----------
    run : Run
        A finished audit. Every text in it is escaped.
    template : Path, optional
        A user's Jinja template. It is rendered in a sandbox, gets the same names as
        ``report.html.j2`` (see :class:`llmaudit.report.views.ReportContext`), and may extend it.

    Raises
    ------
    InvalidFileError
        If the template cannot be read or rendered; the message has file and line.
    """
    environment = html_environment(template)
    style = style_sheet()
    context = report_context(run)
    values = {
        "report": context,
        "figures": draw_figures(context),
        "style": Markup(style),  # noqa: S704 - shipped with the program
        "policy": content_security_policy(style),
    }
    return render_template(environment, _USER if template else HTML_TEMPLATE, values, template)


def content_security_policy(style: str) -> str:
    """Return the policy that allows nothing but this one style sheet and embedded images."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def draw_figures(context: ReportContext) -> Mapping[str, Markup]:
    """Return every figure by its key, as markup; no key where there is nothing to draw."""
    drawn = {view.key: check_figure(view) for view in context.checks}
    drawn |= {view.key: group_figure(view) for view in context.groups}
    return {key: Markup(svg) for key, svg in drawn.items() if svg}  # noqa: S704 - drawn by us


def html_environment(template: Path | None) -> ImmutableSandboxedEnvironment:
    """Return the sandbox that escapes every value; there is no ``safe`` filter in it."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=ChoiceLoader(
            [DictLoader(_user_source(template)), FileSystemLoader(resources.templates_dir())]
        ),
    )
    del environment.filters["safe"]
    return environment


def render_template(
    environment: ImmutableSandboxedEnvironment,
    name: str,
    values: Mapping[str, Any],
    path: Path | None,
) -> str:
    """Return a rendered template; its faults are raised as `InvalidFileError` with their place."""
    try:
        return environment.get_template(name).render(values)
    except TemplateError as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else None
        raise _invalid(path or resources.templates_dir() / name, line, str(error)) from error


def _finalize(value: object) -> object:
    return visible(value) if type(value) is str else value


def style_sheet() -> str:
    """Return the style sheet of every page."""
    return (resources.templates_dir() / "style.css").read_text(encoding="utf-8")


def _user_source(template: Path | None) -> dict[str, str]:
    if template is None:
        return {}
    try:
        return {_USER: template.read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(template, None, str(error)) from error


def _invalid(path: Path, line: int | None, problem: str) -> InvalidFileError:
    remedy = "see templates/report.html.j2 for the names a template can use"
    return InvalidFileError([FileProblem(str(path), line, "", problem, remedy)])
