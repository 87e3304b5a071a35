"""Draws the report's figures as inline SVG: one row per group, a dot and its interval.

The drawing is deterministic (fixed id salt, no date) and holds no text of the run: labels are put
in afterwards, so that no formula, missing glyph or markup in a group's name reaches matplotlib.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmaudit.findings import Estimate
from llmaudit.report.escaping import terminal_safe
from llmaudit.report.svg import embeddable
from llmaudit.report.views import CheckView, GroupView
from llmaudit.report.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = tuple[float, float] | None

INK, MUTED, BAND, EDGE, DOT, PAPER = (
    "#1b2430",
    "#5b6676",
    "#dcebe1",
    "#5f8f74",
    "#1f4e8c",
    "#fffffe",
)
"""Colours that the style sheet looks up by value to swap them in dark mode."""

_WIDTH, _LABEL_WIDTH, _ROW, _TOP, _BOTTOM, _RIGHT = 450, 150, 28, 28, 36, 14
_LONGEST_LABEL = 22
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "llmaudit",
    "text.parse_math": False,
    "font.size": 13,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of rows on one scale: a title, the estimates, and the margin's limits if any."""

    title: str
    estimates: tuple[Estimate, ...]
    limits: Limits = None


def check_figure(view: CheckView) -> str:
    """Return the interval plot of a check with its margin as a band, or nothing without values."""
    if not any(estimate.value is not None for estimate in view.estimates):
        return ""
    return draw_panels(view.key, [Panel("", view.estimates, view.limits)], _describe(view))


def group_figure(view: GroupView) -> str:
    """Return the comparison of an axis's groups, one panel per measurement."""
    panels = [
        Panel(title, estimates)
        for title, estimates in view.series
        if any(estimate.value is not None for estimate in estimates)
    ]
    if not panels:
        return ""
    label = f"Values by {view.axis} group with their intervals; the table has the same numbers."
    return draw_panels(view.key, panels, terminal_safe(label, one_line=True))


def placement(estimate: Estimate, limits: Limits) -> str:
    """Return where an interval lies: ``inside``, ``outside``, ``across``, or ``free`` of limits."""
    if limits is None or estimate.low is None or estimate.high is None:
        return "free"
    low, high = limits
    if estimate.high < low or estimate.low > high:
        return "outside"
    if low <= estimate.low and estimate.high <= high:
        return "inside"
    return "across"


def draw_panels(key: str, panels: Sequence[Panel], label: str) -> str:
    """Return the panels, one below the other, as an ``<svg>`` element."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    heights = [_TOP + _ROW * len(panel.estimates) + _BOTTOM for panel in panels]
    total = sum(heights)
    texts: dict[str, str] = {}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(_WIDTH / 72, total / 72), dpi=72, frameon=False)
        FigureCanvasSVG(figure)
        top = total
        for panel, height in zip(panels, heights, strict=True):
            top -= height
            rows = _ROW * len(panel.estimates)
            box = (
                _LABEL_WIDTH / _WIDTH,
                (top + _BOTTOM) / total,
                (_WIDTH - _LABEL_WIDTH - _RIGHT) / _WIDTH,
                rows / total,
            )
            _draw(figure.add_axes(box, frameon=False), panel, texts)
        drawing = io.BytesIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
    return embeddable(drawing.getvalue(), key, label, texts)


def _draw(axes: Axes, panel: Panel, texts: dict[str, str]) -> None:
    low, high = _span(panel)
    count = len(panel.estimates)
    axes.set_xlim(low, high)
    axes.set_ylim(count - 0.5, -0.5)
    _draw_limits(axes, panel.limits, (low, high))
    for row, estimate in enumerate(panel.estimates):
        _draw_estimate(axes, row, estimate, panel.limits)
    names = [_placeholder(texts, _shorten(estimate.part)) for estimate in panel.estimates]
    axes.set_yticks(range(count), labels=names, color=INK)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.tick_params(axis="x", colors=MUTED, length=4, labelsize=12)
    axes.locator_params(axis="x", nbins=5)
    axes.axhline(count - 0.5, color=MUTED, linewidth=1)
    if panel.title:
        title = _placeholder(texts, terminal_safe(panel.title, one_line=True))
        axes.text(-0.49, 1.06, title, transform=axes.transAxes, color=INK, va="bottom")


def _draw_limits(axes: Axes, limits: Limits, span: tuple[float, float]) -> None:
    if limits is None:
        if span[0] < 0 < span[1]:
            axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)))
        return
    axes.axvspan(*limits, color=BAND, linewidth=0)
    for limit in limits:
        axes.axvline(limit, color=EDGE, linewidth=1.2, linestyle=(0, (4, 3)))


def _draw_estimate(axes: Axes, row: int, estimate: Estimate, limits: Limits) -> None:
    if estimate.value is None:
        place = axes.get_yaxis_transform()
        axes.text(0.5, row, "no value", transform=place, color=MUTED, va="center", ha="center")
        return
    low, high = axes.get_xlim()
    if estimate.low is not None and estimate.high is not None:
        ends = (max(estimate.low, low), min(estimate.high, high))
        axes.plot(ends, (row, row), color=DOT, linewidth=2.4, solid_capstyle="butt")
        for end, bound in zip(ends, (estimate.low, estimate.high), strict=True):
            if math.isfinite(bound):
                axes.plot((end, end), (row - 0.16, row + 0.16), color=DOT, linewidth=1.6)
    where = placement(estimate, limits)
    axes.plot(
        (estimate.value,),
        (row,),
        marker="D" if where == "outside" else "o",
        markersize=8,
        markeredgewidth=1.8,
        markerfacecolor=PAPER if where == "across" else DOT,
        markeredgecolor=DOT,
        linestyle="none",
    )


def _span(panel: Panel) -> tuple[float, float]:
    bounds = [bound for each in panel.estimates for bound in (each.value, each.low, each.high)]
    finite = [*_finite(bounds), *(panel.limits or ())]
    low, high = min(finite), max(finite)
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _placeholder(texts: dict[str, str], text: str) -> str:
    name = f"text{len(texts)}"
    texts[name] = text
    return name


def _shorten(text: str) -> str:
    line = terminal_safe("all prompts" if text == "all" else text, one_line=True)
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"


def _describe(view: CheckView) -> str:
    rows = "; ".join(f"{row.part} {row.value} {row.interval}".strip() for row in view.rows)
    held = ""
    if view.limits is not None:
        held = f" The margin reaches from {number(view.limits[0])} to {number(view.limits[1])}."
    return terminal_safe(f"Interval plot of {view.title}: {rows}.{held}", one_line=True)
