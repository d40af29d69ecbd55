"""One server and one browser for all tests of the page."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import sync_playwright

import servers
from browsers import CHROMIUM
from viewing import PATIENCE_MS, SIZE

NOTES_WHAT_IS_SAID = """
window.said = [];
addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("notice");
  if (box) new MutationObserver(() => said.push(box.textContent)).observe(box, { childList: true });
});
"""
"""Notices go after seconds, which a test on a busy machine may miss."""


@pytest.fixture(scope="session")
def server():
    """`mandeldask serve`, as a user starts it."""
    with servers.serving() as served:
        yield served


@pytest.fixture(scope="module")
def browser():
    """A Chromium that draws by software, WebGL included.

    Of one module only: Playwright runs an event loop in this thread, which asynchronous tests of others would meet.
    """
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    software = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    software += ["--disable-gpu-compositing"]  # of the page; by the same software GPU it takes longer than the drawing
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet + software)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def window(browser):
    """A window in which nothing glides: tests need not wait for motions."""
    context = browser.new_context(viewport=SIZE, has_touch=True, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.add_init_script(NOTES_WHAT_IS_SAID)
    context.kept = []
    yield context
    context.close()


@pytest.fixture(scope="module")
def window_of_all(browser):
    """One for all tests of a module: scripts are compiled and tiles are fetched once, as a visitor's browser does."""
    with window(browser) as context:
        yield context


@pytest.fixture(scope="module")
def page_of_all(window_of_all):
    """One page for all tests of a module: to start one for each takes longer than most tests of it."""
    return kept_page(window_of_all)


@pytest.fixture(scope="module")
def open_page_of_all(window_of_all):
    """Another one, in which the viewer stays open."""
    return kept_page(window_of_all)


@pytest.fixture
def context(window_of_all):
    """The module's window, without the pages of other tests; its cache is warm."""
    yield window_of_all
    for page in window_of_all.pages:
        if page not in window_of_all.kept:
            page.close()


@pytest.fixture
def empty_context(browser):
    """A window that has no cached tile: for tests of requests that must be slow enough to be given up."""
    with window(browser) as context:
        yield context


@pytest.fixture
def page(context, page_of_all):
    """The module's page, as if it were new; it notes its requests and errors."""
    page = begun(page_of_all)
    yield page
    page.unroute_all(behavior="ignoreErrors")
    page.emulate_media(color_scheme="null")
    page.goto("about:blank")


@pytest.fixture
def open_page(context, open_page_of_all):
    """The module's open viewer, for tests that go to a view, look, and leave no more than another view."""
    return begun(open_page_of_all)


@pytest.fixture
def first_visit(empty_context):
    """Such a page of a browser that has seen nothing."""
    return noting_page(empty_context)


def kept_page(context):
    """Open a page that stays until the module's window closes."""
    page = noting_page(context)
    context.kept.append(page)
    return page


def begun(page):
    """Bring a page to the front, without what it has noted for other tests."""
    page.bring_to_front()
    page.set_viewport_size(SIZE)
    page.requested.clear()
    page.failures.clear()
    return page


def noting_page(context):
    """Open a page that notes its requests and errors."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.requested, page.failures = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.failures.append(message.text))
    return page
