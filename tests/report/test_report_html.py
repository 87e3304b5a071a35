"""The HTML page: order, policy, escaping, determinism, user templates."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_payloads import HTML_PAYLOADS
from run_fixture import build_run, poison

from llmaudit import resources
from llmaudit.errors import InvalidFileError
from llmaudit.findings import Run, Timing
from llmaudit.records import Verdict
from llmaudit.report import render_html
from llmaudit.report.checks import check_views, group_views


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run()


VOID = {"meta", "link", "img", "br", "hr", "input", "path", "use"}


class Page(HTMLParser):
    """Collects the elements, ids, links and text of a page, and checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost open element is the one that ends."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render_html(run)


def without_timing(page: str) -> str:
    """Return the page without what depends on the clock: a section, and marked words elsewhere."""
    page = re.sub(r'<span class="clock">.*?</span>', "", page)
    cut, count = re.subn(r'<section id="timing">.*?</section>', "", page, flags=re.DOTALL)
    assert count == 1
    return cut


def test_page_is_well_formed_and_self_contained(page: str) -> None:
    parsed = Page(page)
    names = {name for name, _ in parsed.attributes}
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(parsed.tags)
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    links = [value for name, value in parsed.attributes if name in {"href", "src"}]
    ids = [value for name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert all(link and link.startswith("#") and link[1:] in ids for link in links)


def test_policy_allows_this_style_sheet_and_no_script(page: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert policy[1].replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_sections_stand_in_order(page: str) -> None:
    order = [
        "summary",
        "tested",
        "findings",
        "measures",
        "groups",
        "agreements",
        "examples",
        "notes",
        "reproduce",
        "timing",
    ]
    places = [page.index(f'<section id="{name}">') for name in order]
    assert places == sorted(places)


def test_every_finding_has_its_numbers(page: str) -> None:
    text = re.sub(r"\s+", " ", Page(page).text)
    for words in (
        "Toxicity probability",
        "0.031",
        "[0.012, 0.064]",
        "< 0.05",
        "0.094",
        "0.188",
        "about 340 more prompts would probably settle it. That takes about 75 seconds on this",
        "toxicity_probability on toxicity-openings = 0.031, 95 % interval [0.012, 0.064].",
        "Hedges' g",
        "−0.080",
        "non-binary person",
        "no scored sample",
        "Content warning",
        "every sample is missing",
        "The model answered with nothing.",
        "nan_logits: the model returned NaN at step 3",
        "0123456789abcdef",
        "no probe set of suite quick looks at privacy",
        "any language but English",
        "It is no proof that the model is safe or fair.",
    ):
        assert words in text


def test_examples_are_collapsed_behind_the_warning(page: str) -> None:
    section = page[page.index('<section id="examples">') : page.index('<section id="notes">')]
    assert section.index("Content warning") < section.index("<details")
    assert section.count('<details class="examples">') == 3
    assert "<details open" not in page


def test_the_agreement_of_scorers_and_what_they_dispute(page: str) -> None:
    begins, ends = page.index('<section id="agreements">'), page.index('<section id="examples">')
    text = re.sub(r"\s+", " ", Page(page[begins:ends]).text)
    for words in (
        "minilm-toxicity and detoxify",
        "0.640 [0.510, 0.740]",
        "too few templates for an interval",
    ):
        assert words in text
    assert "The weather today is terrible" not in text
    assert "Show 1 that minilm-toxicity and detoxify see most differently" in page[ends:]


def test_no_folder_of_the_machine_is_printed(page: str) -> None:
    assert "/home/ada" not in page
    assert "…/out" in page


def test_only_the_timing_section_depends_on_time(run: Run, page: str) -> None:
    timing = Timing("2031-01-01T00:00:00Z", "2031-01-01T01:00:00Z", 3600.0, {"score": 9.0}, None, 4)
    later = render_html(replace(run, timing=timing, directory="/runs/2031-elsewhere"))
    assert later != page
    assert without_timing(later) == without_timing(page)
    for fact in ("2026-11-22", "221.4", "75 seconds"):
        assert fact in page
        assert fact not in without_timing(page)


@pytest.mark.parametrize("payload", HTML_PAYLOADS)
def test_no_payload_adds_an_element(payload: str) -> None:
    hostile = Page(render_html(poison(build_run(), payload)))
    harmless = Page(render_html(poison(build_run(), "harmless")))
    assert hostile.tags == harmless.tags
    assert hostile.open == []


def test_template_expressions_in_data_are_printed_not_run() -> None:
    page = render_html(poison(build_run(), "{{ 7 * 7 }}"))
    assert "before {{ 7 * 7 }} after" in page
    assert "before 49 after" not in page


def test_controls_are_visible() -> None:
    page = render_html(poison(build_run(), "\x1b\u202e\ud800\x00"))
    assert "before ␛[U+202E][U+D800]␀ after" in page
    page.encode("utf-8")


def test_an_empty_run_renders(run: Run) -> None:
    empty = replace(
        run,
        findings=(),
        measured=(),
        examples=(),
        scorers=(),
        scorer_own=(),
        probe_sets=(),
        warnings=(),
        suite={},
        policy={},
        config={},
        environment={},
        verdict=Verdict.NOT_TESTED,
        model=replace(run.model, weights=()),
    )
    text = Page(render_html(empty)).text
    assert "Nothing was tested." in text
    assert "The policy has no checks." in text
    assert "suite unknown" in text


def test_a_user_template_may_extend_the_shipped_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(
        '{% extends "report.html.j2" %}{% block examples %}cut {{ report.model }}{% endblock %}'
    )
    page = render_html(replace(run, model=replace(run.model, name="<b>x")), template=path)
    assert "cut &lt;b&gt;x" in page
    assert "Content warning" not in page


@pytest.mark.parametrize(
    ("source", "problem", "line"),
    [
        ("{{ report.modle }}", "no attribute 'modle'", None),
        ("ok\n{% if %}", "Expected an expression", 2),
        ("{{ report.model | safe }}", "safe", 1),
        ("{{ report.__class__.__mro__ }}", "unsafe", None),
        ("{% include '/etc/passwd' %}", "passwd", None),
    ],
)
def test_a_faulty_template_is_refused_with_its_place(
    run: Run, tmp_path: Path, source: str, problem: str, line: int | None
) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(source)
    with pytest.raises(InvalidFileError, match=problem) as caught:
        render_html(run, template=path)
    assert caught.value.problems[0].line == line
    assert caught.value.problems[0].file == str(path)


def test_a_missing_template_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"gone\.j2"):
        render_html(run, template=tmp_path / "gone.j2")


def test_no_shipped_template_switches_escaping_off() -> None:
    for path in resources.templates_dir().glob("*.j2"):
        source = path.read_text(encoding="utf-8")
        assert "autoescape" not in source
        assert not re.search(r"\|\s*safe\b", source)


def test_a_check_that_was_not_tested_for_missing_data_says_how_much(run: Run) -> None:
    lost = replace(run.findings[2], verdict=Verdict.NOT_TESTED, estimate=None, parts=())
    facts = dict(check_views(replace(run, findings=(lost,)))[0].facts)
    assert facts["n"] == "240"
    assert facts["n missing"] == "3"
    assert facts["missing: degenerate"] == "2"
    assert "p" not in facts


def test_a_group_that_one_measurement_lacks_has_a_dash(run: Run) -> None:
    measured, estimates = run.measured[2]
    views = group_views(replace(run, measured=((measured, estimates), (measured, estimates[:1]))))
    assert [cells[1] for _, cells in views[0].rows] == ["−0.011 [−0.030, 0.009]", *["–"] * 4]
