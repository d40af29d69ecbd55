"""One server and one browser for the tests of the pages of arrays."""

from __future__ import annotations

import warnings

import pytest
from playwright.sync_api import sync_playwright

from browsed import TREES
from browsers import CHROMIUM
from browsing import SIZE
from viewing import PATIENCE_MS
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
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield started
        started.close()


@pytest.fixture(scope="module")
def tab_of_all(chromium):
    """One for all tests of a module: to start one for each takes longer than most tests of it."""
    page = chromium.new_page(viewport=SIZE)
    page.set_default_timeout(PATIENCE_MS)
    page.problems, page.requests = [], []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: page.requests.append(request.url))
    return page


@pytest.fixture
def tab(tab_of_all, server):
    """The module's page, as if it were new; it notes its requests and errors."""
    page = tab_of_all
    page.bring_to_front()
    page.problems.clear()
    page.requests.clear()
    yield page
    problems, requests = [*page.problems], [*page.requests]
    page.emulate_media(color_scheme="null")
    page.goto("about:blank")
    assert not problems
    assert all(url.startswith((server, "data:", "blob:")) for url in requests)
