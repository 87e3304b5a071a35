"""Renders a report's HTML page as a PDF, with nothing from outside the page."""

from __future__ import annotations

import importlib
import io
from typing import Any

from llmaudit.errors import UsageError

_EMBEDDED = "data:"
#: No scheme that anything can fetch: an address without one reaches the fetcher, which refuses it.
_NOWHERE = "nowhere:"


def render_pdf(html: str) -> bytes:
    """Return an HTML page as a PDF; equal pages give equal bytes with equal versions and fonts.

    Neither network nor files are read: what the page needs must stand in it (``data:`` addresses).
    The style sheet's print rules apply. Parts that a screen shows collapsed are printed in full.

    Parameters
    ----------
    html : str
        A whole page, as :func:`llmaudit.report.render_html` returns it.

    Raises
    ------
    UsageError
        If weasyprint (the extra ``pdf``) cannot be used here, or if the page asks for anything
        that it does not hold itself.
    """
    weasyprint = _weasyprint()
    refused: list[str] = []
    fetcher = _embedded_only(weasyprint, refused)
    written = io.BytesIO()
    page = weasyprint.HTML(string=html, base_url=_NOWHERE, url_fetcher=fetcher, encoding="utf-8")
    page.write_pdf(written, pdf_tags=True)
    if refused:
        raise UsageError(
            f"the page asks for {', '.join(dict.fromkeys(refused))}, and a report holds everything "
            f"itself. Put it into the template as a data: address, or take it out."
        )
    return written.getvalue()


def _weasyprint() -> Any:
    """Import weasyprint or say how to get it."""
    try:
        return importlib.import_module("weasyprint")
    except ImportError as error:
        raise UsageError(
            "a PDF needs weasyprint, which is not installed: pip install 'openllmaudit[pdf]'"
        ) from error
    except OSError as error:
        raise UsageError(
            f"weasyprint is installed but does not find the Pango library of the system: {error}. "
            f"Install Pango (libpango-1.0-0 and libpangoft2-1.0-0 on Debian), or print report.html "
            f"to PDF in a browser."
        ) from error


def _embedded_only(weasyprint: Any, refused: list[str]) -> Any:
    """Return a fetcher that opens ``data:`` addresses and notes every other one as refused."""

    class EmbeddedOnly(weasyprint.URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            if url[: len(_EMBEDDED)].casefold() == _EMBEDDED:
                return super().fetch(url, headers)
            refused.append(url.removeprefix(_NOWHERE)[:200])
            raise ValueError(f"refused: {url}")

    return EmbeddedOnly(allowed_protocols=("data",), allow_redirects=False)
