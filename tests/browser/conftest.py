"""One server and one browser for the tests of the pages of arrays."""

from __future__ import annotations

import shutil
import warnings

import pytest
from playwright.sync_api import sync_playwright

from browsed import TREES
from browsing import SIZE
from web_server import serving


@pytest.fixture(scope="module")
def server():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of types without a v3 specification, in the server's threads
        with serving(TREES, pyramid="auto") as client:
            yield client.handle.address


@pytest.fixture(scope="module")
def chromium():
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=quiet)
        yield started
        started.close()


@pytest.fixture
def tab(chromium, server):
    page = chromium.new_page(viewport=SIZE)
    problems, page.requests = [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    page.close()
    assert not problems
    assert all(url.startswith((server, "data:", "blob:")) for url in page.requests)
