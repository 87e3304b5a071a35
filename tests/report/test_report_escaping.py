"""Hostile text becomes visible and harmless in Markdown and in a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llmaudit.report.escaping import Markdown, escape_markdown, fence, storable, terminal_safe

ANYTHING = st.text(st.characters(exclude_categories=()))
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("over\rwritten", "over␍written"),
        ("\x9b2J", "[U+009B]2J"),
        ("a\u202eb", "a[U+202E]b"),
        ("\ud800", "[U+D800]"),
        ("\x7f", "␡"),
        ("line\r\nline", "line\nline"),
        ("naïve 你好 👩‍🚀 עברית", "naïve 你好 👩‍🚀 עברית"),
    ],
)
def test_terminal_safe_shows_what_would_act(hostile: str, harmless: str) -> None:
    assert terminal_safe(hostile) == harmless


def test_one_line_shows_newlines_and_tabs() -> None:
    assert terminal_safe("a\nb\tc", one_line=True) == "a⏎b␉c"


@given(ANYTHING)
def test_nothing_hidden_survives_and_the_rest_is_storable(text: str) -> None:
    safe = terminal_safe(text)
    assert not FORBIDDEN.search(safe)
    safe.encode("utf-8")
    storable(text).encode("utf-8")


def parse(text: str) -> tuple[set[str], str]:
    """Return the kinds of markup that another library sees in Markdown, and its plain text."""
    tokens = MarkdownIt("js-default", {"html": True, "linkify": False}).parse(text)
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in [*tokens, *inline]}
    return kinds, "".join(child.content for child in inline)


HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "![x](http://127.0.0.1/x.png)",
        "https://evil.example/ www.evil.example a@evil.example",
        "# heading",
        "- item",
        "+ item",
        "1. item",
        "> quote",
        "| a | b |\n| --- | --- |\n| c | d |",
        "**bold** _it_ ~~gone~~ `code`",
        "```\nfence",
        "    indented",
        "title\n=====",
        "---",
        "&lt;b&gt; &#60;b&#62;",
        "a\\",
        "[x]: http://evil.example",
    ],
)
def test_escaped_markdown_is_plain_text_and_reads_as_itself(payload: str) -> None:
    kinds, text = parse(escape_markdown(payload))
    assert kinds <= HARMLESS
    assert text == payload.strip().replace("\n", " ⏎ ")


@given(ANYTHING)
def test_any_text_escaped_for_markdown_stays_one_paragraph_of_text(text: str) -> None:
    kinds, _ = parse(f"x {escape_markdown(text)} x")
    assert kinds <= HARMLESS


@pytest.mark.parametrize("link", ["https://evil.example", "www.evil.example", "a@evil.example"])
def test_nothing_that_an_automatic_linker_looks_for_survives(link: str) -> None:
    unprotected = re.sub(r"\\.", "", escape_markdown(link))
    assert not re.search("[:@]|www[.]", unprotected)


def test_markdown_is_not_escaped_twice() -> None:
    once = escape_markdown("a*b")
    assert once == "a\\*b"
    assert escape_markdown(once) is once
    assert isinstance(once, Markdown)


def test_numbers_and_names_stay_readable_in_the_source() -> None:
    assert escape_markdown("0.031 of smollm2-135m") == "0.031 of smollm2-135m"


@given(st.text(st.sampled_from("`~\n ab<")))
def test_nothing_closes_a_fence(body: str) -> None:
    tokens = MarkdownIt().parse(f"{fence(body)}\n\nafter")
    assert [token.type for token in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].content == f"{body}\n"
