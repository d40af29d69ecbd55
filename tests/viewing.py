"""Common parts of the tests of the viewer page: open a view, and the expected pixels."""

from __future__ import annotations

import base64
from fractions import Fraction

import numpy as np

from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_text

SIZE = {"width": 640, "height": 420}
READY = "canvas[data-state=idle]"
CAPPED = 0xFFFFFFFE
PROVEN = 0xF0000000
PATIENCE_MS = 300_000
"""For what takes seconds: other tests may run on the same cores."""
AS_TEXT = """(values) => {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
}"""
"""Base64 of a Uint32Array: numbers by the hundred thousand take longer as JSON than the page takes to draw."""


def show(page, server, place="", query=""):
    """Open a view and wait until it is all there."""
    if page.url != "about:blank":
        page.goto("about:blank")  # a link that differs in its hash only would load nothing
    page.goto(f"{server.page}{query}{place}")
    settle(page)


def go(page, server, place="", query=""):
    """Follow a link, within the page if it is open already, and wait until the view is all there.

    It costs a fraction of what loading costs, but the page keeps its tiles.
    """
    if page.url.split("#")[0] != f"{server.page}{query}":
        page.goto(f"{server.page}{query}{place}")
    else:
        until(page, "viewer.canvas.width === viewer.canvas.clientWidth")  # if a test has just changed the window
        page.evaluate(FOLLOWED, place or "#")
    settle(page)


FOLLOWED = """(hash) => {
  said.length = 0;
  history.pushState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}"""
"""What the address bar does; setting the hash that the page has already would do nothing."""


def settle(page):
    """Wait until the page has drawn all that it wants."""
    page.wait_for_timeout(80)  # an event is on its way
    page.wait_for_selector(READY)


def until(page, expression, seconds=PATIENCE_MS // 1000):
    """Wait until an expression is true; Playwright's own way needs `eval`, which the page forbids."""
    for _ in range(10 * seconds):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(expression)


def said(page):
    """Return all that the page's notice has said."""
    return "".join(page.evaluate("said"))


def place(re, im, spacing, **look):
    """Return the hash of a view whose pixels are `spacing` plane units apart, without what is not a level's own."""
    parts = {"re": re, "im": im, "width": as_text(SIZE["width"] * Fraction(spacing)), "antialias": "off", **look}
    return "#" + "&".join(f"{name}={value}" for name, value in parts.items())


def state(page):
    """Scale, the exact middle in source coordinates, and the level: log2 of its spacing, its maxiter."""
    seen = page.evaluate(
        """() => {
          const { view: { x, y, bits, scale }, level, canvas: { width, height } } = viewer;
          const { maxiter, spacing } = level;
          const [e, m] = [spacing.e, String(spacing.m)];
          return { scale, x: String(x), y: String(y), bits, width, height, maxiter, e, m };
        }"""
    )
    unit = Fraction(1, 2 ** seen["bits"])
    return {**seen, "x": int(seen["x"]) * unit, "y": int(seen["y"]) * unit}


def values(page, box):
    """Encoded values that `box` (rows, cols of the canvas) shows."""
    rows, cols = box
    height, width = rows.stop - rows.start, cols.stop - cols.start
    read = page.evaluate(f"({AS_TEXT})(viewer.painter.read({cols.start}, {rows.start}, {width}, {height}))")
    return np.frombuffer(base64.b64decode(read), "<u4").reshape(height, width)


def corner(seen, box):
    """Row and column of the shown level at the upper left of `box`, for a level that is seen 1:1."""
    spacing = Fraction(int(seen["m"])) * Fraction(2) ** seen["e"]
    assert seen["scale"] == np.log2(float(int(seen["m"]))) + seen["e"], "the check needs a level seen 1:1"
    top, left = (
        _round_up(seen[axis] / spacing - Fraction(seen[extent], 2))
        for axis, extent in (("y", "height"), ("x", "width"))
    )
    return top + box[0].start, left + box[1].start


def plane_grid(seen, box):
    """The pixels of the plane that `box` shows."""
    row, col = corner(seen, box)
    spacing = Fraction(2) ** seen["e"]
    height, width = (part.stop - part.start for part in box)
    return Grid(Axis(8 - row * spacing, -spacing, height), Axis(-8 + col * spacing, spacing, width))


def encoded(grid, maxiter, field):
    """What the page must have read for a field of the kernel; pixels without an escape are CAPPED."""
    found = Mandelbrot(maxiter, ("iterations", field))(grid)
    middle = 0.5 if field == "iterations" else 0.0
    escaped = found["iterations"] < maxiter
    times = np.where(escaped, found[field], 0).astype(np.float64)
    return np.where(escaped, np.floor((times + middle + 4) * 256), CAPPED).astype(np.uint32)


def check(page, box=(slice(100, 330), slice(150, 480)), field="smooth", distinct=20):
    """Compare every pixel of `box` with the kernel's."""
    seen = state(page)
    shown = values(page, box)
    shown = np.where(shown >= PROVEN, CAPPED, shown)
    assert len(np.unique(shown)) >= distinct
    expected = encoded(plane_grid(seen, box), seen["maxiter"], field)
    assert_shows(shown, expected, steps=1 if field == "smooth" else 0)
    return seen


def assert_shows(shown, expected, steps):
    """Compare encoded values; escape times may differ by `steps` of 1/256, as the page asks for `smooth`."""
    escaped = expected < PROVEN
    np.testing.assert_array_equal(shown[~escaped], expected[~escaped])
    assert np.abs(shown[escaped].astype(np.int64) - expected[escaped]).max(initial=0) <= steps


def _round_up(value):
    """The pixel whose left edge the page rounds to the canvas's."""
    return -((-value + Fraction(1, 2)) // 1)
