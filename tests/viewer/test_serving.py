"""The requests of the page: only to its own server, none twice, none for tiles outside the view, with pauses."""

from __future__ import annotations

import random
import socket
import time
from fractions import Fraction

import httpx
import pytest

import mandeldask as md
from viewing import PATIENCE_MS, PROVEN, place, settle, show, state, until, values

pytestmark = pytest.mark.external

SEAHORSE = ("-0.7436438870371587", "0.1318259042053119")
START = place(*SEAHORSE, Fraction(2) ** -14)
ALL = (slice(0, 420), slice(0, 640))


def test_only_its_own_origin_is_asked(page, server):
    show(page, server, "#antialias=off")
    page.mouse.wheel(0, -500)
    settle(page)
    assert page.requested
    outside = [url for url in page.requested if not url.startswith((server.page, "about:", "blob:"))]
    assert outside == []
    assert page.failures == []


def test_coming_back_costs_one_request_or_two(page, server):
    """Everything but the page itself and the root's document has a URL that caches keep."""
    show(page, server, START)
    asked = []
    page.on("response", lambda response: asked.append((response.url, response.status)))
    with httpx.Client() as client:
        before = client.get(f"{server.page}metrics").text
        page.reload()
        settle(page)
        after = client.get(f"{server.page}metrics").text
    assert requests_of(after) - requests_of(before) <= 5, asked


def requests_of(metrics):
    """Requests that the server has answered."""
    lines = [line for line in metrics.splitlines() if line.startswith("mandeldask_requests_total{")]
    assert lines
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_files_are_compressed_and_kept(server):
    with httpx.Client(base_url=server.page) as client:
        page = client.get("/")
        assert page.headers["cache-control"].endswith("no-cache")
        script = page.text.split('type="module" src="')[1].split('"')[0]
        reply = client.get(script, headers={"accept-encoding": "gzip"})
        assert reply.headers["content-encoding"] == "gzip"
        assert "immutable" in reply.headers["cache-control"]
        assert client.get("viewer/main.js").content == reply.content
        assert client.get("viewer/0123456789abcdef/main.js").status_code == 404
        for path in ("/viewer/", "/viewer"):
            reply = client.get(path, follow_redirects=True)
            assert reply.text == page.text.replace('"viewer/', '"').replace('"browse/', '"../browse/')
            assert reply.url.path == "/viewer/"


def test_what_left_the_view_is_given_up(first_visit, server):
    page = first_visit
    show(page, server, START)
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.failure))
    page.mouse.move(320, 210)
    for _ in range(24):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(60)
    settle(page)
    assert failed
    assert set(failed) == {"net::ERR_ABORTED"}
    assert page.failures == []


def test_a_server_that_stops_and_comes_back(context):
    """The page says so, leaves it alone, and goes on by itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    first = md.serve(background=True, port=port)
    show(page, Address(port), START)
    first.stop()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.mouse.move(320, 210)
    page.mouse.wheel(0, -800)
    until(page, "document.getElementById('notice').textContent.includes('does not answer')")
    page.wait_for_timeout(5000)
    assert len(asked) < 25
    assert page.evaluate("document.getElementById('view').dataset.state") == "loading"
    with md.serve(background=True, port=port):
        settle(page)
    assert page.inner_text("#notice") == ""
    assert (values(page, ALL) < PROVEN).any()


class Address:
    """A server at a port."""

    def __init__(self, port):
        self.page = f"http://127.0.0.1:{port}/"


def wander(page, seconds, seed=7):
    """Move at random, as somebody who is bored."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.mouse.move(rng.uniform(150, 500), rng.uniform(110, 330))
        what = rng.random()
        if what < 0.55:
            page.mouse.wheel(0, rng.choice([-100, -200, -300]))
        elif what < 0.75:
            page.mouse.wheel(0, rng.choice([100, 400, 900]))
        elif what < 0.9:
            page.mouse.down()
            page.mouse.move(rng.uniform(150, 500), rng.uniform(110, 330), steps=5)
            page.mouse.up()
        else:
            page.evaluate("viewer.stop()")
            page.keyboard.press(rng.choice(["0", "+", "-", "ArrowLeft", "ArrowDown"]))
        page.wait_for_timeout(rng.uniform(20, 300))


def held(heap):
    """Bytes of JavaScript's heap that are in use."""
    heap.send("HeapProfiler.collectGarbage")
    return heap.send("Runtime.getHeapUsage")["usedSize"]


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_wandering(first_visit, server, seconds):
    """No error; what left the view is given up; memory stays within its bounds."""
    page = first_visit
    show(page, server, START)
    given_up = []
    page.on("requestfailed", lambda request: given_up.append(request.failure))
    heap = page.context.new_cdp_session(page)
    wander(page, seconds / 2)
    before = held(heap)
    wander(page, seconds / 2, seed=8)
    assert held(heap) - before < 2**24
    assert set(given_up) <= {"net::ERR_ABORTED"}
    assert given_up or seconds < 60
    assert page.failures == []
    size = page.evaluate("viewer.tiles.size")
    assert size["bytes"] <= 2**27
    assert size["loading"] <= 6
    page.evaluate("viewer.stop()")
    page.keyboard.press("0")
    settle(page)
    assert (values(page, ALL) != 0xFFFFFFFF).all()
    assert state(page)["scale"] < 0
