"""The site, built from the published records, in a real Chromium: served, and opened from disk."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from matrix.base import paths
from matrix.site import build

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        cannot("no Chromium is on this machine, so that the pages are not tested; install the package chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield started
        started.close()


def cannot(reason: str) -> None:
    """Skip the test loudly; in CI, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"could not be tested: {reason}")
    pytest.skip(f"COULD NOT BE TESTED: {reason}")


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site, built from the published records."""
    folder = tmp_path_factory.mktemp("pages") / "site"
    build.build(paths.REPORTS, folder)
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def serve(folder: Path):
    handler = functools.partial(_Quiet, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


@pytest.fixture(scope="session")
def address(site):
    """The address of a plain web server with the site."""
    with serve(site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Watched:
    """A browser's context that notes what no page may do: report errors, or ask another server."""

    def __init__(self, browser: Browser, **options) -> None:
        self.faults: list[str] = []
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(60_000)
        self.context.on("request", self._asked)
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._answered)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda fault: self.faults.append(f"threw: {fault.error}"))

    def _asked(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "file:///", "data:")):
            self.faults.append(f"left the page: {request.url}")

    def _failed(self, request) -> None:
        """Note a failed request. Leaving a page while it loads aborts its requests, which is no fault of the page."""
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url}: {request.failure}")

    def _answered(self, response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def _said(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{message.type}: {message.text}")


@pytest.fixture
def watched(browser):
    """Open contexts; at the end of the test no page may have done what it must not."""
    opened: list[Watched] = []

    def open_context(**options) -> BrowserContext:
        opened.append(Watched(browser, **options))
        return opened[-1].context

    yield open_context
    for one in opened:
        one.context.close()
    assert [fault for one in opened for fault in one.faults] == []


@pytest.fixture
def page(watched) -> Page:
    return watched(viewport={"width": 1280, "height": 900}).new_page()
