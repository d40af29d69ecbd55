"""Mouse, touch, keys and buttons; a phone; accessibility."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest

from viewing import PATIENCE_MS, check, go, place, settle, show, state, until

pytestmark = pytest.mark.external

SEAHORSE = ("-0.7436438870371587", "0.1318259042053119")
START = place(*SEAHORSE, Fraction(2) ** -14)
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def pixels(before, after):
    """How far the middle moved, in pixels of the screen before."""
    return [(after[axis] - before[axis]) / Fraction(2) ** int(before["scale"]) for axis in "xy"]


def test_dragging_moves_pixel_for_pixel(open_page, server):
    page = open_page
    go(page, server, START)
    before = check(page)
    page.mouse.move(500, 300)
    page.mouse.down()
    page.mouse.move(437, 341, steps=4)
    page.mouse.up()
    settle(page)
    assert pixels(before, check(page)) == [63, -41]


def pinch(touch, middle):
    """Spread two fingers to twice their distance, and lift both 8 ms later."""
    began = time.time()

    def fingers(kind, spread):
        points = (
            [] if kind == "touchEnd" else [{"x": middle[0] + s * spread, "y": middle[1], "id": s + 1} for s in (-1, 1)]
        )
        at = began + (spread - 50) * 0.0008
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points, "timestamp": at})

    fingers("touchStart", 50)
    for spread in (60, 80, 100):
        fingers("touchMove", spread)
    fingers("touchEnd", 110)


def test_pinching_keeps_what_is_between_the_fingers(open_page, server):
    page = open_page
    go(page, server, START)
    touch = page.context.new_cdp_session(page)
    before = state(page)
    middle = (320 + 120, 210 - 60)
    pinch(touch, middle)
    settle(page)
    after = state(page)
    assert after["scale"] == pytest.approx(before["scale"] - 1, abs=1e-9)
    for axis, offset in (("x", 120), ("y", -60)):
        held = [float(seen[axis]) + offset * 2.0 ** seen["scale"] for seen in (before, after)]
        assert held[0] == pytest.approx(held[1], abs=2.0**-14)
    assert page.failures == []


def test_keys_and_buttons(page, server):
    show(page, server, START)
    page.focus("#view")
    for press, scale in (("+", -15), ("PageUp", -14), ("-", -13), ("PageDown", -14)):
        page.keyboard.press(press)
        settle(page)
        assert state(page)["scale"] == scale
    page.click("#closer")
    settle(page)
    before = state(page)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")  # the button that was clicked has the focus
    settle(page)
    assert pixels(before, state(page)) == [96, 0]
    page.keyboard.press("0")
    settle(page)
    assert 640 * 2 ** state(page)["scale"] == pytest.approx(2.8 / 420 * 640, rel=1e-6)
    for full in (True, False):
        page.keyboard.press("f")
        until(page, f"(document.fullscreenElement === document.documentElement) === {str(full).lower()}")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    assert "full screen" in page.inner_text("#help")
    assert page.failures == []


def test_a_dive_goes_on_until_it_is_stopped(browser, server):
    context = browser.new_context(viewport={"width": 240, "height": 160})  # where things move
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    show(page, server, START)
    page.evaluate("viewer.started = viewer.view.scale")
    page.focus("#view")
    page.keyboard.press(" ")
    until(page, "viewer.view.scale < viewer.started - 0.5")
    page.keyboard.press("Escape")
    settle(page)
    still = state(page)["scale"]
    page.wait_for_timeout(300)
    assert state(page)["scale"] == still
    context.close()


def test_a_dive_waits_for_tiles(browser, server):
    """While the server does not answer, a dive at 40 levels per second stays where its tiles still show something."""
    context = browser.new_context(viewport={"width": 240, "height": 160})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    show(page, server, START)
    page.route("**/at/**", lambda _: None)
    page.evaluate("viewer.dive(-40)")
    until(page, "viewer.view.scale < -18")
    page.wait_for_timeout(500)
    page.evaluate("viewer.stop()")
    assert -18 > state(page)["scale"] > -30
    context.close()


def test_a_flight_arrives(browser, server):
    """Up, across the set and down again, and the view it ends at is exactly the one asked for."""
    context = browser.new_context(viewport={"width": 240, "height": 160})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    show(page, server, place("0.25", "0.5", Fraction(2) ** -12))
    page.evaluate(
        """async () => {
          const main = document.querySelector("script[type=module]").src;
          const { View } = await import(new URL("numbers/view.js", main));
          const { parsePoint } = await import(new URL("numbers/rationals.js", main));
          const { x, y } = viewer.source.fromPlane(parsePoint("-0.7436438870371587+0.1318259042053119i"));
          viewer.fly((window.goal = View.at(x, y, -14)));
        }"""
    )
    until(page, "viewer.view.scale === -14 && !viewer.moving")
    assert page.evaluate("viewer.view.x === goal.x && viewer.view.y === goal.y")
    context.close()


def test_it_fits_a_phone(browser, server):
    phone = browser.new_context(
        viewport={"width": 390, "height": 780}, device_scale_factor=3, is_mobile=True, has_touch=True
    )
    page = phone.new_page()
    page.set_default_timeout(PATIENCE_MS)
    show(page, server, "#antialias=off")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [page.locator(each).bounding_box() for each in (".bar", ".tools", ".readout", ".buttons")]
    for box in boxes:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 780
    assert sum(box["width"] * box["height"] for box in boxes) < 0.3 * 390 * 780
    for full in (True, False):
        page.get_by_role("button", name="Full screen").tap()
        until(page, f"document.getElementById('fullscreen').ariaPressed === '{str(full).lower()}'")
        assert page.evaluate("document.fullscreenElement !== null") is full
    before = state(page)
    pinch(phone.new_cdp_session(page), (195, 390))
    page.wait_for_timeout(200)
    after = state(page)
    assert after["scale"] == pytest.approx(before["scale"] - 1, abs=1e-9)
    assert all(abs(moved) < 1 for moved in pixels(before, after))  # it does not go on when the fingers are lifted
    page.tap("text=Colours")
    assert page.locator("#colours").is_visible()
    phone.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install in tests/viewer")
def test_axe_finds_nothing(page, server, scheme):
    page.emulate_media(color_scheme=scheme)
    show(page, server, "#antialias=off")
    for panel in (None, "Places", "Colours", "Share", "?"):
        if panel:
            page.click(f"nav >> text={panel}")
        page.evaluate(AXE.read_text())
        found = page.evaluate(
            "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + nodes[0].html))"
        )
        assert found == []
        page.keyboard.press("Escape")
