"""Figures are deterministic, escaped, free of inline styles, and true to their numbers."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import pytest
from run_fixture import GENDER, RELIGION, build_run, estimate

from llmaudit.findings import Run
from llmaudit.report.context import report_context
from llmaudit.report.figures import Panel, check_figure, draw_panels, group_figure, placement


def parsed(drawing: str) -> ElementTree.Element:
    """Return a drawing as XML."""
    return ElementTree.fromstring(drawing)  # noqa: S314 - drawn by the code under test


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run()


@pytest.mark.parametrize(
    ("low", "high", "where"),
    [
        (-0.01, 0.01, "inside"),
        (-0.02, 0.02, "inside"),
        (0.01, 0.03, "across"),
        (-1.0, 1.0, "across"),
        (0.03, 0.05, "outside"),
        (-0.05, -0.03, "outside"),
        (None, None, "free"),
    ],
)
def test_placement(low: float | None, high: float | None, where: str) -> None:
    assert placement(estimate("all", 0.0, low, high), (-0.02, 0.02)) == where


def test_placement_without_limits_is_free() -> None:
    assert placement(RELIGION[4], None) == "free"


def test_two_drawings_are_equal_and_hold_no_date() -> None:
    first, second = (draw_panels("k", [Panel("t", RELIGION, (-0.02, 0.02))], "x") for _ in "ab")
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\d", first)


def test_a_drawing_has_no_style_no_namespace_and_only_its_own_references() -> None:
    drawing = draw_panels("check-7", [Panel("", RELIGION, (-0.02, 0.02))], "label")
    root = parsed(drawing)
    ids = {element.get("id") for element in root.iter()} - {None}
    assert "style" not in drawing
    assert "xlink" not in drawing
    assert ids
    assert all(str(name).startswith("check-7-") for name in ids)
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', drawing))
    assert {first or second for first, second in used} == ids
    assert root.get("aria-label") == "label"
    assert root.get("role") == "img"


def test_labels_are_put_in_as_escaped_text() -> None:
    hostile = replace(RELIGION[0], part="$\\frac{<b>\x1b")
    drawing = draw_panels("k", [Panel("</svg><script>", (hostile,))], 'a"<b>')
    texts = {text.text for text in parsed(drawing).iter("text")}
    assert {"$\\frac{<b>␛", "</svg><script>"} <= texts
    assert "<script>" not in drawing
    assert 'aria-label="a&quot;&lt;b&gt;"' in drawing


def test_long_names_are_shortened_and_missing_values_are_named() -> None:
    long = replace(GENDER[0], part="a very long name of a group indeed")
    drawing = draw_panels("k", [Panel("", (long, GENDER[2]))], "x")
    texts = [text.text for text in parsed(drawing).iter("text")]
    assert "a very long name of a…" in texts
    assert "no value" in texts


def test_infinite_ends_do_not_break_the_scale() -> None:
    open_ended = estimate("all", 0.5, -math.inf, math.inf)
    drawing = draw_panels("k", [Panel("", (open_ended,), (0.0, 1.0))], "x")
    assert "nan" not in drawing
    assert "inf" not in drawing


def test_a_single_point_has_a_scale() -> None:
    assert "<svg" in draw_panels("k", [Panel("", (estimate("all", 0.0, 0.0, 0.0),))], "x")


def test_marks_follow_the_margin(run: Run) -> None:
    views = report_context(run).checks
    open_, passed, failed = (check_figure(view) for view in views[:3])
    hollow, filled = 'fill="#fffffe"', 'fill="#1f4e8c"'
    assert hollow in open_
    assert filled not in open_
    assert filled in passed
    assert hollow not in passed
    assert filled in failed
    assert hollow in failed


def test_nothing_to_draw_gives_no_figure(run: Run) -> None:
    context = report_context(run)
    assert check_figure(context.checks[4]) == ""
    empty = replace(context.groups[0], series=(("none", (GENDER[2],)),))
    assert group_figure(empty) == ""


def test_group_figure_has_one_panel_per_measurement(run: Run) -> None:
    religion = report_context(run).groups[1]
    drawing = group_figure(religion)
    texts = [text.text for text in parsed(drawing).iter("text")]
    assert texts.count("Muslim") == 2
    assert "score disparity (descriptions-and-stories, minilm-toxicity)" in texts


def test_the_users_matplotlib_settings_change_nothing() -> None:
    before = draw_panels("k", [Panel("t", RELIGION, (-0.02, 0.02))], "x")
    with matplotlib.rc_context({"lines.linewidth": 9, "axes.grid": True, "svg.fonttype": "path"}):
        inside = draw_panels("k", [Panel("t", RELIGION, (-0.02, 0.02))], "x")
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert inside == before
