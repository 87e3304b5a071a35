"""The Markdown report says the same and stays Markdown whatever is in it."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt
from report_payloads import HTML_PAYLOADS
from run_fixture import build_run, poison

from llmaudit.findings import Run
from llmaudit.report import render_markdown


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run()


def structure(text: str) -> list[str]:
    """Return the kinds of every block and inline piece, texts aside."""
    tokens = MarkdownIt("js-default", {"html": True, "linkify": False}).parse(text)
    kinds = []
    for token in tokens:
        kinds.append(token.type)
        kinds += [c.type for c in token.children or [] if c.type not in ("text", "text_special")]
    return kinds


def test_tables_and_headings_parse(run: Run) -> None:
    text = render_markdown(run)
    kinds = structure(text)
    assert kinds.count("table_open") == 2 + 4 + 1 + 1
    assert kinds.count("tr_open") == 1 + 5 + 1 + 4 + (2 + 4 + 6 + 2) + (1 + 5 + 1 + 1) + 3
    assert "html_block" not in kinds
    assert text.startswith("# Audit of smollm2-135m: fail\n")
    for words in ("[0.012, 0.064]", "| ✕ fail |", "about 340 more prompts", "Content warning"):
        assert words.replace("[", "\\[").replace("]", "\\]") in text or words in text


def test_time_stands_only_in_the_last_section(run: Run) -> None:
    before, timing = render_markdown(run).split("## Timing")
    assert "2026" not in before
    assert before.count("about 75 seconds on this machine") == 2
    assert "2026" in timing
    assert "/home/ada" not in before + timing


@pytest.mark.parametrize(
    "payload", [*HTML_PAYLOADS, "| a |\n\n# b", "```\n# x", "~~~", "[a](b)", "![a](b)", "* * *"]
)
def test_no_payload_changes_the_structure(payload: str) -> None:
    hostile = render_markdown(poison(build_run(), payload))
    harmless = render_markdown(poison(build_run(), "harmless"))
    assert structure(hostile) == structure(harmless)
    hostile.encode("utf-8")
