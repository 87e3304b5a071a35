"""Chromium driven through its debugging pipe: open a page, press keys, run a script in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Page:
    """One page of a running Chromium."""

    def __init__(self, writing: int, reading: int, downloads: Path) -> None:
        self._writing, self._reading = writing, reading
        self._rest, self._number, self._session = b"", 0, ""
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Runtime.enable")
        self.call("Log.enable")
        self.call("Page.enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return dict(found["result"])
            self._note(found)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what the page complained of."""
        if event.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.console.append(json.dumps(event["params"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            self._rest += os.read(self._reading, 1 << 20)
        text, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(text))

    def open(self, path: Path) -> None:
        """Open a file and wait until its script has run."""
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return what an expression comes to in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 20) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, script
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and let go of a key."""
        text = key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextmanager
def chromium_page(folder: Path) -> Iterator[Page]:
    """Start Chromium with its profile and its downloads in ``folder``."""
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    assert CHROMIUM is not None
    arguments = [CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    # The pipe's two ends are file descriptors 3 and 4 of the browser by its own convention.
    shell = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
    browser = subprocess.Popen(
        ["/bin/bash", "-c", shell, "bash", *arguments],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        page = Page(writing, reading, folder)
        yield page
        with suppress(OSError):
            os.write(writing, b'{"id": 0, "method": "Browser.close"}\0')
        browser.wait(20)
    finally:
        os.close(writing)
        os.close(reading)
        if browser.poll() is None:
            browser.kill()
            browser.wait()
