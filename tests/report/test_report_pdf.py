"""The PDF of a report: its pages and words, that nothing outside the page is read, and no dates."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from run_fixture import build_run

from llmaudit.errors import EXIT_USAGE, UsageError
from llmaudit.report import render_html
from llmaudit.report.pdf import render_pdf

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def printed() -> bytes:
    """Return the PDF of a whole report, where weasyprint is installed."""
    _need_weasyprint()
    return render_pdf(render_html(build_run()))


def _need_weasyprint() -> None:
    try:
        importlib.import_module("weasyprint")
    except ImportError:
        pytest.skip("weasyprint is not installed: pip install 'openllmaudit[pdf]'")
    except OSError as error:
        pytest.skip(f"weasyprint does not find Pango: {error}")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'openllmaudit[pdf]'")) as caught:
        render_pdf("<p>a</p>")
    assert caught.value.exit_code == EXIT_USAGE


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(UsageError, match="Install Pango") as caught:
        render_pdf("<p>a</p>")
    assert "libpango-1.0-0'" in str(caught.value)


def test_importing_the_module_does_not_import_weasyprint() -> None:
    code = "import sys, llmaudit.report.pdf; sys.exit('weasyprint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_pdf_has_the_words_of_the_report(printed: bytes, tmp_path: Path) -> None:
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("pdftotext is not installed")
    (tmp_path / "report.pdf").write_bytes(printed)
    text = subprocess.run(
        [tool, tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    run = build_run()
    assert run.model.name in text
    for heading in ("Summary of checks", "Findings", "Transparency notes", "How to reproduce"):
        assert heading in text
    words = " ".join(text.split())
    for finding in run.findings:
        assert finding.title in words
    pages = int(re.findall(r"1 / (\d+)", words)[0])
    assert text.count("\f") == pages


def test_equal_pages_give_equal_bytes_without_dates(printed: bytes) -> None:
    assert printed.startswith(b"%PDF-")
    assert render_pdf(render_html(build_run())) == printed
    assert b"CreationDate" not in printed
    assert b"ModDate" not in printed


@pytest.mark.parametrize(
    ("page", "named"),
    [
        ('<img src="{url}">', "{url}"),
        ('<link rel="stylesheet" href="{url}">', "{url}"),
        ('<link rel="attachment" href="{url}">', "{url}"),
        ('<style>@import "{url}";</style>', "{url}"),
        ('<style>p {{background: url("{url}")}}</style><p>a', "{url}"),
        ('<object data="{url}"></object>', "{url}"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>', "{url}"),
    ],
)
def test_nothing_outside_the_page_is_read(page: str, named: str, tmp_path: Path) -> None:
    _need_weasyprint()
    asked: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    try:
        for url in (
            f"http://127.0.0.1:{server.server_port}/canary",
            secret.as_uri(),
            str(secret),
            "logo.png",
        ):
            with pytest.raises(UsageError, match="data: address") as caught:
                render_pdf(page.format(url=url))
            assert named.format(url=url) in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == []


def test_embedded_images_and_links_are_kept() -> None:
    _need_weasyprint()
    page = f'<img src="{PIXEL}"><a href="https://example.org/x">a</a><a href="#b">b</a><p id="b">'
    assert render_pdf(page).startswith(b"%PDF-")


def test_a_text_longer_than_a_page_runs_on(tmp_path: Path) -> None:
    _need_weasyprint()
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("pdftotext is not installed")
    html = render_html(build_run())
    long = "".join(f"line-{number}<br>" for number in range(400))
    marked = html
    for start in ("<dd>", "<pre [^>]*>", '<td class="reason"[^>]*>', '<section id="notes">.*?<dd>'):
        marked = re.sub(f"({start})", rf"\1{long}", marked, count=1, flags=re.DOTALL)
    (tmp_path / "long.pdf").write_bytes(render_pdf(marked))
    text = subprocess.run(
        [tool, tmp_path / "long.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    found = Counter(re.findall(r"line-\d+\b", text))
    assert found == Counter({f"line-{number}": 4 for number in range(400)})
