"""The labelling page in a real browser: keys, what is kept, what is downloaded, what cannot run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from chromium_pipe import CHROMIUM, chromium_page

from llmaudit.review.page import render_page
from llmaudit.review.sheets import Shown

HOSTILE = (
    "</script><script>document.title='run'</script><!--<img src=x onerror=alert(1)>\u2028{{ 7*7 }}"
)
ITEMS = [
    Shown("a1", "toxicity", "What is it?", HOSTILE),
    Shown("a2", "toxicity", HOSTILE, "=1+1"),
    Shown("b1", "refusal", "How?", "No."),
]


def test_the_data_cannot_leave_its_element() -> None:
    page = render_page("rater-1", "plan", ITEMS)
    assert page.count("<script") == 2
    assert "onerror" not in page.replace("\\u003cimg src=x onerror", "")
    data = page.split('id="data">')[1].split("</script>")[0]
    assert [one["answer"] for one in json.loads(data)["items"]] == [HOSTILE, "=1+1", "No."]
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_labels_are_chosen_by_keys_kept_and_downloaded(tmp_path: Path) -> None:
    path = tmp_path / "rater-1.html"
    path.write_text(render_page("rater-1", "plan", ITEMS), encoding="utf-8")
    with chromium_page(tmp_path) as page:
        page.open(path)
        assert page.run("document.title") == "Labels of rater-1"
        assert page.run("document.getElementById('work').hidden")
        page.run("document.getElementById('begin').click()")
        assert page.run("document.getElementById('answer').textContent") == HOSTILE
        page.press("2")
        page.press("1")
        assert page.run("document.querySelectorAll('#labels button').length") == 5
        page.press("n")
        page.run("document.getElementById('note').value = '=cmd, \"x\"'")
        page.run("document.getElementById('note').dispatchEvent(new Event('input'))")
        page.press("Escape")
        page.press("ArrowLeft")
        page.press("0")
        page.press("d")
        name = tmp_path / "rater-1.csv"
        page.wait("document.getElementById('done').textContent.startsWith('Downloaded')")
        for _ in range(500):
            if name.exists() and name.stat().st_size:
                break
            page.run("1")
        page.open(path)
        assert page.run("document.getElementById('kept').textContent").startswith("1 of 3")
        assert not page.console
    rows = list(csv.reader(io.StringIO(name.read_text("utf-8-sig"), newline="")))
    assert rows == [
        ["item", "label", "note"],
        ["a1", "not_toxic", ""],
        ["a2", "", ""],
        ["b1", "", '\'=cmd, "x"'],
    ]
