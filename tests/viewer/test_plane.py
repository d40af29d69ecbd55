"""The set at any depth: every pixel on the screen equals the kernel's."""

from __future__ import annotations

from fractions import Fraction
from urllib.parse import urlsplit

import numpy as np
import pytest

import mandeldask as md
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.julia import Julia
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.place_url import from_spec
from mandeldask.fractal.rationals import as_point, as_text
from viewing import (
    PATIENCE_MS,
    PROVEN,
    READY,
    assert_shows,
    check,
    corner,
    encoded,
    go,
    place,
    plane_grid,
    said,
    settle,
    show,
    state,
    until,
    values,
)

pytestmark = pytest.mark.external

SEAHORSE = ("-0.7436438870371587", "0.1318259042053119")
SPIRAL = ("-0.77568377", "0.13646737")  # which stays one, and whose tiles take no time, at any depth here
BOX = (slice(140, 240), slice(250, 380))


def spacing(exponent):
    return Fraction(2) ** exponent


@pytest.mark.parametrize(("around", "exponent"), [(SEAHORSE, -8), (SEAHORSE, -20), (SPIRAL, -33)])
def test_every_pixel_is_the_kernels(open_page, server, around, exponent):
    page = open_page
    go(page, server, place(*around, spacing(exponent)))
    seen = check(page)
    assert seen["e"] == exponent
    assert page.failures == []


@pytest.mark.parametrize("exponent", [-76, -143, -1006])
def test_every_pixel_is_the_kernels_at_any_depth(open_page, server, exponent):
    """Views 1e-20, 1e-40 and 1e-300 wide, next to i: a point whose surroundings look alike at every depth."""
    page = open_page
    go(page, server, place(as_text(80 * spacing(exponent)), "1", spacing(exponent), field="iterations"))
    check(page, BOX, field="iterations", distinct=3)
    assert page.failures == []


def test_colours_are_continuous_at_depth(open_page, server):
    go(open_page, server, place(as_text(80 * spacing(-76)), "1", spacing(-76)))
    check(open_page, (slice(180, 240), slice(270, 330)), distinct=20)


def test_all_visitors_ask_for_the_same_urls(page, server):
    show(page, server, place(*SPIRAL, spacing(-30)))
    first = chunks(page)
    page.requested.clear()
    show(page, server, place("-0.77568376998", SPIRAL[1], spacing(-30)))  # a little next to it
    assert len(first & chunks(page)) > len(first) / 2


def test_places_are_spelled_as_the_server_does(page, server):
    for exponent in (-8, -40, -90):
        go(page, server, place("3e-20", "1", spacing(exponent), field="iterations"))
    specs = {part.removesuffix(".zarr") for url in page.requested for part in url.split("/") if part.startswith("re")}
    assert len(specs) >= 3
    for spec in specs:
        from_spec(spec)


def test_zooming_crosses_pyramids_without_a_seam(open_page, server):
    """20 levels in by the wheel, about a point off the middle: it stays where it is, and all is the kernel's."""
    page = open_page
    re, im = (Fraction(part) - offset * spacing(-12) for part, offset in zip(SPIRAL, (70, 40), strict=True))
    go(page, server, place(as_text(re), as_text(im), spacing(-12)))
    page.mouse.move(320 + 70, 210 - 40)
    before = state(page)
    for _ in range(40):
        page.mouse.wheel(0, -100)
    until(page, "viewer.view.scale === -32")
    settle(page)
    after = check(page)
    assert (before["e"], after["e"]) == (-12, -32)
    for axis, offset in (("x", 70), ("y", -40)):
        held = [seen[axis] + offset * spacing(seen["e"]) for seen in (before, after)]
        assert abs(held[0] - held[1]) < spacing(-32)
    assert page.failures == []


def test_whatever_is_missing_shows_something_coarser(page, server):
    show(page, server, place(*SEAHORSE, spacing(-14)))
    page.route("**/smooth/c/**", lambda route: None)  # never answered
    page.mouse.move(320, 210)
    page.mouse.wheel(0, -600)
    page.wait_for_selector("canvas[data-state=loading]")
    seen = values(page, (slice(0, 420), slice(0, 640)))
    assert (seen != 0xFFFFFFFF).all()


def test_sketches_come_first_and_are_every_sixteenth_pixel(page, server):
    page.route("**/*tilesize256*/*/*/c/**", lambda route: None)  # tiles of all pixels are never answered
    page.goto(f"{server.page}{place('-0.7436438', '0.1318259', spacing(-15))}")
    until(page, "window.viewer?.shown?.length > 0 && viewer.tiles.size.tiles >= 2 && !viewer.painter.busy")
    until(page, "viewer.shown.length === viewer.tiles.size.tiles && viewer.canvas.dataset.state === 'loading'")
    seen, box = state(page), (slice(0, 420), slice(0, 640))
    shown = values(page, box)
    assert (shown != 0xFFFFFFFF).all()
    first = [-start % 16 for start in corner(seen, box)]
    every = tuple(slice(start, None, 16) for start in first)
    known = shown[every] < 0xF0000000
    expected = encoded(plane_grid(seen, box)[every], seen["maxiter"], "smooth")
    assert_shows(shown[every][known], expected[known], steps=1)
    assert len(np.unique(expected[known])) > 100


def test_pixels_at_the_cap_are_told_from_proven_ones(open_page, server):
    page = open_page
    go(page, server, place("-0.5", "0.56", spacing(-9)))
    seen = values(page, (slice(0, 420), slice(0, 640)))
    assert (seen >= 0xF0000001).mean() > 0.2
    assert set(np.unique(seen[(seen >= 0xF0000000) & (seen < 0xFFFFFFFD)]) - 0xF0000000) >= {1}
    assert page.evaluate("viewer.shares.proven") > 0.2


def test_more_iterations_is_one_click(open_page, server):
    page = open_page
    re, im = "-1.401155189092", "0"  # Feigenbaum's point, where no cap suffices
    go(page, server, place(re, im, spacing(-18)))
    before = state(page)["maxiter"]
    page.click("#more")
    settle(page)
    after = check(page, (slice(160, 260), slice(270, 370)), distinct=1)
    assert after["maxiter"] == 4 * before
    assert "iterations=1" in page.url or page.evaluate("viewer.source.iterations") == 1


def test_black_views_are_given_more_iterations_by_themselves(page, server):
    """Twice at most, where nearly nothing escapes. Such views take long: here the page is made to think so."""
    show(page, server, place("-0.5", "0.6", spacing(-7)))
    assert page.evaluate("viewer.source.iterations") == 0
    page.evaluate(
        "Object.defineProperty(viewer, 'shares', { get: () => ({ capped: 1, proven: 0 }) }), viewer.refresh()"
    )
    until(page, "viewer.source.iterations === 2")
    assert "four times as many" in page.inner_text("#notice")
    settle(page)
    assert page.evaluate("viewer.source.iterations") == 2
    assert page.failures == []


def test_down_to_1e_1000_and_back(open_page, server):
    page = open_page
    go(page, server, place(as_text(80 * spacing(-3330)), "1", spacing(-3330), field="iterations"))
    check(page, BOX, field="iterations", distinct=3)
    page.keyboard.press("0")
    settle(page)
    assert state(page)["scale"] > -12
    assert 0.05 < (values(page, (slice(0, 420), slice(0, 640))) >= 0xF0000000).mean() < 0.5  # the whole set
    assert page.failures == []


def test_the_minibrot_in_sight_is_framed(open_page, server):
    """Of the nuclei in sight the one of least period: here that of period 3 on the real line."""
    page = open_page
    go(page, server, place("-1.75", "0.001", spacing(-13)))
    page.keyboard.press("n")
    until(page, "document.getElementById('notice').textContent.includes('Period 3')")
    settle(page)
    seen = state(page)
    assert abs(seen["x"] - 8 - Fraction("-1.754877666246693")) < Fraction(1, 10**8)
    assert abs(8 - seen["y"]) < Fraction(1, 10**8)
    assert 0.07 < 2 ** seen["scale"] * seen["width"] < 0.09
    assert page.failures == []


def test_the_julia_set_of_the_point_under_the_pointer(page, server):
    """A small picture that follows the pointer, and a tab at any depth: both show `md.window(..., julia=c)`."""
    show(page, server, place("-0.75", "0.125", spacing(-12)))
    page.mouse.move(320, 210)
    page.keyboard.press("j")
    until(page, "document.getElementById('julia-c').textContent.startsWith('c = −0.750000 + 0.125000')")
    expected = md.window("0", "4", (192, 192), julia="-0.75+0.125j", maxiter=500, fields=["smooth"], chunks=None)
    seen = np.array(page.evaluate(PREVIEWED), np.int64).reshape(192, 192)
    smooth = expected.smooth.to_numpy()
    np.testing.assert_array_equal(seen >= PROVEN, np.isnan(smooth))
    assert_shows(seen[seen < PROVEN], np.floor((smooth[seen < PROVEN] + 4) * 256), steps=1)
    page.mouse.move(330, 210)
    until(page, "document.getElementById('julia-c').textContent.startsWith('c = −0.747')")
    with page.expect_popup() as opened:
        page.click("#julia-open")
    tab = opened.value
    tab.wait_for_selector(READY, timeout=PATIENCE_MS)
    assert "Julia" in tab.title()
    c = "-0.75+0.125j"
    tab.goto("about:blank")
    tab.goto(f"{server.page}{place('0.5', '0.125', spacing(-40), julia=c).replace('+', '%2B')}")
    settle(tab)
    seen = state(tab)
    box = (slice(200, 216), slice(300, 316))
    expected = Julia(seen["maxiter"], ("iterations", "smooth"), c=as_point(c))(plane_grid(seen, box))
    shown = values(tab, box)
    escaped = expected["iterations"] < seen["maxiter"]
    assert_shows(shown[escaped], np.floor((expected["smooth"][escaped] + 4) * 256), steps=1)
    assert escaped.any()
    tab.keyboard.press("s")
    tab.click("#python")
    assert f'julia="{c}"' in tab.evaluate("navigator.clipboard.readText()")
    tab.close()
    assert page.failures == []


PREVIEWED = "(() => { const { painter } = viewer.preview; return Array.from(painter.read(0, 0, 192, 192)); })()"


def test_distance_and_period_under_the_pointer(open_page, server):
    """The server's own value for that pixel, in the same words at any depth."""
    page = open_page
    go(page, server, place("-0.75", "0.25", spacing(-12)))
    seen = state(page)
    page.mouse.move(300, 200)
    until(page, "document.getElementById('distance').textContent !== ''")
    row, col = (
        int(part) for part in page.evaluate("[viewer.pixel(-20, -10)].flatMap(({row, col}) => [`${row}`, `${col}`])")
    )
    grid = Grid(Axis(8 - row * spacing(-12), -spacing(-12), 1), Axis(-8 + col * spacing(-12), spacing(-12), 1))
    found = Mandelbrot(seen["maxiter"], ("distance",))(grid)["distance"][0, 0]
    text = page.inner_text("#distance")
    assert f"{found:.3g}" in text
    assert f"({float(found) * 2**12:.3g} pixels)" in text
    go(page, server, place("-1", "0", spacing(-12)))
    page.mouse.move(300, 200)
    until(page, "document.getElementById('value').textContent === 'inside, period 2'")
    assert page.inner_text("#distance") == ""
    assert page.failures == []


def test_raised_iterations_stay_where_they_were_raised(open_page, server):
    page = open_page
    go(page, server, place("-0.5", "0.6", spacing(-9), iterations=1))
    raised = "viewer.source.iterations"
    page.keyboard.press("+")  # into the view
    settle(page)
    assert page.evaluate(raised) == 1
    page.evaluate("viewer.pan(2000, 0)")
    settle(page)
    assert page.evaluate(raised) == 0
    page.go_back()
    settle(page)
    page.evaluate("viewer.zoom(3, 0, 0)")
    settle(page)
    assert page.evaluate(raised) == 0


def test_it_says_where_it_ends(context, server):
    page = context.new_page()
    show(page, server, place("3e-330", "1", spacing(-40), field="iterations"))
    page.evaluate("viewer.source.finest = -41; viewer.source.ends = 'pixels closer than that are past the limit'")
    page.mouse.move(320, 210)
    for _ in range(30):
        page.mouse.wheel(0, -100)
    until(page, "viewer.view.scale === -46")
    assert "greatest depth" in page.inner_text("#notice")
    assert state(page)["scale"] == -46


def test_a_link_past_the_limits_asks_a_few_times_only(page, server):
    """The server's answers past 2^-60 are made here: where its own limits end, tiles take seconds."""
    refused = []

    def answer(route):
        pyramid = from_spec(route.request.url.split("/at/")[1].split(".zarr")[0])
        if pyramid.grid(0).spacing >= spacing(-60):
            route.continue_()
            return
        refused.append(pyramid)
        route.fulfill(status=403, json={"detail": "pixels closer than that are past the limit"})

    page.route("**/at/**/zarr.json", answer)
    page.goto(server.page + place("3e-2700", "1", spacing(-9000), field="iterations"))
    until(page, "window.viewer?.source.finest === -60 && viewer.canvas.dataset.state === 'idle'")
    assert state(page)["scale"] == -65
    assert "past the limit" in said(page)
    assert len(refused) < 60  # of one search for tiles, and one for sketches
    before = len(refused)
    page.mouse.move(320, 210)
    page.mouse.wheel(0, -100)
    page.evaluate("viewer.pan(200, 0)")
    settle(page)
    assert len(refused) == before


def chunks(page):
    return {urlsplit(url).path for url in page.requested if "/c/" in url}
