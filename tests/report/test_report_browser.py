"""A real browser opens a hostile report: nothing runs, nothing is fetched; unescaped, it would."""

from __future__ import annotations

import html
import itertools
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from report_payloads import HTML_PAYLOADS, with_canary
from run_fixture import build_run, poison

from llmaudit import resources
from llmaudit.report import render_html
from llmaudit.report.html import content_security_policy

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
)
MUST_REACH = frozenset(
    f"/{name}"
    for name in (
        "script",
        "onerror",
        "img",
        "attribute-break",
        "attribute-break-single",
        "svg",
        "svg-image",
        "svg-script",
        "svg-close",
        "style-close",
        "import",
        "css",
        "inline-style",
        "link",
        "refresh",
        "iframe",
        "srcdoc",
        "object",
        "embed",
        "toggle",
        "body",
    )
)
"""What the payloads reach for without a click when nothing stops them."""


FOREIGN = frozenset(
    ("script", "img", "iframe", "object", "embed", "video", "audio", "input", "base", "link")
)
"""Elements that a report never has."""


class Canary:
    """A local server that hands out pages and notes every other address that is asked for."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.pages: dict[str, str] = {}
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                page = canary.pages.get(path)
                if page is None and path != "/favicon.ico":
                    canary.heard.add(path)
                body = (page or "").encode()
                self.send_response(200 if page is not None else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = Canary()
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no chromium on PATH, and CI must run this test")
    if found is None:
        pytest.skip("no chromium on PATH: the escaping test needs a real browser")
    return found


def dump_dom(browser: str, address: str, profile: Path) -> str:
    """Return the document that Chromium has after opening ``address``."""
    command = [browser, *_FLAGS, f"--user-data-dir={profile}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8", "replace")


def open_frames(browser: str, canary: Canary, pages: Mapping[str, str], profile: Path) -> set[str]:
    """Open every page in a frame of its own and return what the canary heard."""
    canary.pages.update(pages)
    frames = "".join(f'<iframe width="900" height="700" src="{path}"></iframe>' for path in pages)
    canary.pages["/frames"] = f"<!DOCTYPE html><title>frames</title>{frames}"
    dom = dump_dom(browser, f"{canary.address}/frames", profile)
    assert dom.count("<iframe") == len(pages)
    return canary.heard


def title_of(dom: str) -> str:
    """Return the text of the one title that counts."""
    found = re.search(r"<title>(.*?)</title>", dom, flags=re.DOTALL)
    assert found
    return html.unescape(found[1])


def elements(dom: str) -> set[str]:
    """Return the names of a document's elements, as another parser reads them."""
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    reader = Reader()
    reader.feed(dom)
    reader.close()
    return found


def armed(canary: Canary) -> list[str]:
    """Return the payloads with the canary's address in them."""
    return [with_canary(payload, canary.address) for payload in HTML_PAYLOADS]


def test_without_escaping_the_payloads_act(browser: str, canary: Canary, tmp_path: Path) -> None:
    pages = {f"/page-{i}": f"<!DOCTYPE html><p>{raw}" for i, raw in enumerate(armed(canary))}
    heard = open_frames(browser, canary, pages, tmp_path / "frames")
    assert sorted(MUST_REACH - heard) == []
    canary.pages["/alone"] = f"<!DOCTYPE html><title>safe</title><p>{armed(canary)[0]}"
    assert title_of(dump_dom(browser, f"{canary.address}/alone", tmp_path / "alone")) == "pwned"


def test_with_the_policy_alone_they_fetch_nothing(
    browser: str, canary: Canary, tmp_path: Path
) -> None:
    style = (resources.templates_dir() / "style.css").read_text(encoding="utf-8")
    policy = html.escape(content_security_policy(style))
    head = f'<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="{policy}"><p>'
    pages = {f"/page-{i}": head + raw for i, raw in enumerate(armed(canary))}
    # No policy in a page can forbid a refresh: that one is escaping's alone.
    assert open_frames(browser, canary, pages, tmp_path / "frames") <= {"/refresh"}


def test_hostile_reports_fetch_nothing(browser: str, canary: Canary, tmp_path: Path) -> None:
    run = build_run()
    threes = itertools.zip_longest(*[iter(armed(canary))] * 3, fillvalue="")
    pages = {f"/page-{i}": render_html(poison(run, " ".join(t))) for i, t in enumerate(threes)}
    assert open_frames(browser, canary, pages, tmp_path / "frames") == set()


def test_a_report_of_all_payloads_keeps_its_title_and_its_elements(
    browser: str, canary: Canary, tmp_path: Path
) -> None:
    run = poison(build_run(), "\n".join(armed(canary)))
    report = tmp_path / "report.html"
    report.write_text(render_html(run), encoding="utf-8")
    dom = dump_dom(browser, report.as_uri(), tmp_path / "file")
    title = title_of(dom)
    assert title.startswith("Audit of before <script>")
    assert title.endswith("after: inconclusive")
    assert {"table", "svg", "details"} <= elements(dom)
    assert not elements(dom) & FOREIGN
    assert canary.heard == set()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("payload", ["harmless", "W" * 400])
def test_no_page_scrolls_sideways(
    browser: str, canary: Canary, tmp_path: Path, width: int, payload: str
) -> None:
    canary.pages["/report"] = render_html(poison(build_run(), payload))
    canary.pages["/measure"] = (
        f'<!DOCTYPE html><title>not measured</title><iframe width="{width}" height="900" '
        'style="border:0" src="/report" onload="document.title = '
        'this.contentDocument.documentElement.scrollWidth"></iframe>'
    )
    dom = dump_dom(browser, f"{canary.address}/measure", tmp_path / "profile")
    assert int(title_of(dom)) <= width
