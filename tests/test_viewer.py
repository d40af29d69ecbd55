"""The viewer page in a real browser: what it draws is the kernel's, to the pixel."""

from __future__ import annotations

import base64
import io
import shutil
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

import mandeldask as md
import servers
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_text
from mandeldask.picture import lookup_table, paint

pytestmark = pytest.mark.external
PYRAMID = md.Pyramid()
SIZE = {"width": 900, "height": 600}
BOUNDARY = "#re=-0.7436438870371587&im=0.1318259042053119&level="
READY = "canvas[data-state=idle]"


@pytest.fixture(scope="module")
def server():
    with servers.serving() as served:
        yield served


@pytest.fixture(scope="module")
def browser():
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server):
    """A page that notes its requests and errors."""
    context = browser.new_context(viewport=SIZE, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.requested, page.failures = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.failures.append(message.text))
    yield page
    context.close()


def show(page, server, place=""):
    page.goto(server.page + place)
    page.wait_for_selector(READY)


def settle(page):
    """Wait until the page has drawn all that it wants."""
    page.wait_for_selector(READY)


def state(page):
    """Level shown, scale, and the exact middle in 2^-16 of a level-0 pixel."""
    return page.evaluate(
        """() => {
          const { view: { x, y, scale }, painter, canvas: { width, height } } = viewer;
          return { level: painter.level(viewer.view).number, scale, x: String(x), y: String(y), width, height };
        }"""
    )


def canvas_pixels(page):
    """RGB of the canvas, shape (height, width, 3)."""
    png = page.evaluate("viewer.canvas.toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def expected_pixels(seen, box):
    """What `box` (rows, cols of the canvas) must show of a level that is seen 1:1, computed here."""
    rows, cols = box
    level, unit = seen["level"], Fraction(1, 2 ** (16 + seen["level"]))
    left, top = (
        int(_round_up(int(seen[axis]) * unit - Fraction(seen[extent], 2)))
        for axis, extent in (("x", "width"), ("y", "height"))
    )
    grid = PYRAMID.grid(level)[top + rows.start : top + rows.stop, left + cols.start : left + cols.stop]
    counts = Mandelbrot(PYRAMID.maxiter_at(level))(grid)["iterations"]
    return paint(counts, lookup_table("ember"), inside=255)


def _round_up(value):
    """The pixel whose left edge the page rounds to the canvas's."""
    return -((-value + Fraction(1, 2)) // 1)


def chunks_of(page):
    """Chunks that the page asked for, in order."""
    return [url for url in page.requested if "/c/" in url]


def check(page, box=(slice(100, 420), slice(360, 800)), colours=20):
    seen = state(page)
    assert seen["scale"] == seen["level"], "the check needs a level seen 1:1"
    shown = canvas_pixels(page)[box]
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) >= colours
    np.testing.assert_array_equal(shown, expected_pixels(seen, box))
    return seen


def test_ten_levels_in_by_the_wheel(page, server):
    show(page, server, BOUNDARY + "45")
    before = check(page)
    page.mouse.move(SIZE["width"] / 2, SIZE["height"] / 2)
    for _ in range(20):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(40)
    settle(page)
    after = check(page)
    assert (before["level"], after["level"]) == (45, 35)
    assert page.failures == []


def test_dragging_moves_pixel_for_pixel(page, server):
    show(page, server, BOUNDARY + "45")
    before = check(page)
    page.mouse.move(500, 300)
    page.mouse.down()
    page.mouse.move(437, 341, steps=4)
    page.mouse.up()
    settle(page)
    after = check(page)
    moved = [(int(after[axis]) - int(before[axis])) / 2 ** (16 + 45) for axis in "xy"]
    assert moved == [63, -41]


def test_pinching_keeps_what_is_between_the_fingers(page, server):
    show(page, server, BOUNDARY + "45")
    touch = page.context.new_cdp_session(page)
    before = state(page)
    middle = (450 + 120, 300 - 60)

    def fingers(kind, spread):
        points = (
            [] if kind == "touchEnd" else [{"x": middle[0] + s * spread, "y": middle[1], "id": s + 1} for s in (-1, 1)]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 50)
    for spread in (60, 80, 100):
        fingers("touchMove", spread)
    fingers("touchEnd", 0)
    settle(page)
    after = state(page)
    assert after["scale"] == pytest.approx(before["scale"] - 1, abs=1e-9)
    for axis, offset in (("x", 120), ("y", -60)):
        held = [int(seen[axis]) / 2**16 + offset * 2.0 ** seen["scale"] for seen in (before, after)]
        assert held[0] == pytest.approx(held[1], abs=2.0**46)  # half a pixel of level 45
    assert page.failures == []


def test_keys_and_buttons(page, server):
    show(page, server, BOUNDARY + "45")
    page.focus("#view")
    for press, scale in (("+", 44), ("PageUp", 45), ("-", 46)):
        page.keyboard.press(press)
        settle(page)
        assert state(page)["scale"] == scale
    page.click("#closer")
    settle(page)
    before = check(page)
    page.keyboard.press("ArrowRight")
    settle(page)
    assert int(check(page)["x"]) - int(before["x"]) == 96 << (16 + 45)
    page.keyboard.press("0")
    settle(page)
    assert state(page)["level"] >= 48


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4, 5])
def test_deep_positions_are_exact(page, server, level):
    """At level 0 float64 could only say every 64th pixel. Far outside, where tiles cost nothing."""
    re, im = Fraction(3, 2) + Fraction(12345, 2**57), Fraction(5, 4) + Fraction(54321, 2**56)
    show(page, server, f"#re={as_text(re)}&im={as_text(im)}&level={level}")
    grid = PYRAMID.grid(level)
    col, row = (axis.index(position) // 1 for axis, position in ((grid.re, re), (grid.im, im)))
    for dx, dy in ((0, 0), (-31, 17), (209, -101)):
        seen = page.evaluate(
            f"(({{ row, col, value }}) => [String(row), String(col), value])(viewer.pixel({dx}, {dy}))"
        )
        assert seen[:2] == [str(row + dy), str(col + dx)]
        assert seen[2] == Mandelbrot(255)(grid[row + dy : row + dy + 1, col + dx : col + dx + 1])["iterations"][0, 0]
    asked = {url for url in page.requested if f"/{level}/iterations/c/" in url}
    assert any(url.endswith(f"/c/{row // 512}/{col // 512}") for url in asked)
    assert abs(Fraction(page.inner_text("#re").replace("+", "")) - re) < grid.spacing / 1000


@pytest.mark.parametrize("level", [0, 3])
def test_the_finest_pixels_are_the_kernels(page, server, level):
    """Beside the tip -2, where pixels 1e-17 apart still escape at different times."""
    re, im = (as_text(part * PYRAMID.grid(level).spacing) for part in (300, 40))
    show(page, server, f"#re=-{as_text(2 - Fraction(re))}&im={im}&level={level}")
    check(page, colours=4)


def test_the_hash_is_a_link_to_the_place(page, server, browser):
    show(page, server, BOUNDARY + "45&palette=orchid")
    page.mouse.wheel(0, -300)
    settle(page)
    page.wait_for_timeout(400)
    link = page.url
    assert "palette=orchid" in link
    picture = canvas_pixels(page)
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector(READY)
    np.testing.assert_array_equal(canvas_pixels(page), picture)


def test_palettes_repaint_without_asking_again(page, server):
    show(page, server, BOUNDARY + "45")
    before, asked = canvas_pixels(page), chunks_of(page)
    page.select_option("#palette", "lagoon")
    settle(page)
    after = canvas_pixels(page)
    assert chunks_of(page) == asked
    colours = {tuple(colour) for colour in lookup_table("lagoon")} | {(0, 0, 0)}
    assert {tuple(colour) for colour in after.reshape(-1, 3)} <= colours
    np.testing.assert_array_equal((before == 0).all(axis=-1), (after == 0).all(axis=-1))


def test_only_its_own_origin_is_asked(page, server):
    show(page, server)
    page.mouse.wheel(0, -500)
    settle(page)
    assert page.requested
    assert [url for url in page.requested if not url.startswith(server.page)] == []
    assert page.failures == []


def test_errors_are_told_in_words(page, server):
    page.goto(f"{server.page}?source=/zarr/v3/no-such.zarr")
    page.wait_for_selector("canvas[data-state=error]")
    assert "404 for /zarr/v3/no-such.zarr/zarr.json" in page.inner_text("#notice")
    page.goto(f"{server.page}?source=https://example.org/a.zarr")
    page.wait_for_selector("canvas[data-state=error]")
    assert page.inner_text("#notice") == "This page shows data of its own server only."


def test_a_black_view_says_why(page, server):
    show(page, server, "#re=0&im=0&level=30")
    assert page.inner_text("#notice").startswith("No pixel in sight escapes within 255 iterations")


def test_controls_have_names_and_the_page_a_language(page, server):
    show(page, server)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, canvas")]
             .filter((each) => !each.textContent.trim() && !each.ariaLabel && !each.labels?.length)
             .map((each) => each.id)"""
    )
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize(
    "text", ["5", "-0.75", "1e-300", "1/3", "-22/7", "123456789012345678901234567890.5", "0.000999951", "9.9999999e-5"]
)
def test_rationals_are_those_of_python(page, server, text):
    show(page, server)
    parsed, fixed, scientific = page.evaluate(
        """async (text) => {
          const { parse, toFixed, toScientific } = await import("/viewer/rationals.js");
          const value = parse(text);
          return [[String(value.p), String(value.q)], toFixed(value, 20), toScientific(value, 5)];
        }""",
        text,
    )
    value = Fraction(text)
    assert Fraction(*map(int, parsed)) == value
    assert abs(Fraction(fixed) - value) <= Fraction(1, 2 * 10**20)
    mantissa, _, power = scientific.partition("e")
    assert len(mantissa.lstrip("-")) == 6
    assert abs(Fraction(scientific) - value) <= Fraction(10) ** (int(power) - 4) / 2


def test_copying_a_link_says_that_a_key_is_in_it(browser):
    with servers.serving("--api-key", "s3cret") as served:
        context = browser.new_context(viewport=SIZE, permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.goto(served.page.replace("YOUR-KEY", "s3cret"))
        page.wait_for_selector(READY)
        page.click("#link")
        page.wait_for_function("document.body.innerText.includes('Link copied, with your API key in it')")
        assert "/key/s3cret/" in page.evaluate("navigator.clipboard.readText()")
        context.close()
