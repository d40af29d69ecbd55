"""Multiscale images of the server, by their OME-Zarr metadata: the 50 levels of the notebook's pyramid, and others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from zarr.codecs import ZstdCodec

import mandeldask as md
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_text
from viewing import CAPPED, PROVEN, SIZE, corner, encoded, go, settle, state, until, values

pytestmark = pytest.mark.external

PYRAMID = md.Pyramid()
NAMED = "?image=mandelbrot"
BOUNDARY = "#re=-0.7436438870371587&im=0.1318259042053119&field=iterations&antialias=off&level="


def check(page, box=(slice(100, 330), slice(150, 480)), distinct=20):
    """Compare with the pixels of the level that is shown."""
    seen = state(page)
    level = int(seen["scale"])
    row, col = corner(seen, box)
    height, width = (part.stop - part.start for part in box)
    grid = PYRAMID.grid(level)[row : row + height, col : col + width]
    shown = values(page, box)
    assert len(np.unique(shown)) >= distinct
    np.testing.assert_array_equal(np.where(shown >= PROVEN, CAPPED, shown), encoded(grid, 255, "iterations"))
    return seen


def test_ten_levels_in_by_the_wheel(open_page, server):
    page = open_page
    go(page, server, BOUNDARY + "45", NAMED)
    before = check(page)
    page.mouse.move(SIZE["width"] / 2, SIZE["height"] / 2)
    for _ in range(20):
        page.mouse.wheel(0, -100)
    until(page, "viewer.view.scale === 35")
    settle(page)
    after = check(page)
    assert (before["scale"], after["scale"]) == (45, 35)
    assert page.failures == []


@pytest.mark.parametrize("level", [0, 3, 5])
def test_deep_positions_are_exact(open_page, server, level):
    """At level 0 float64 could only say every 64th pixel. Far outside, where tiles cost nothing."""
    page = open_page
    re, im = Fraction(3, 2) + Fraction(12345, 2**57), Fraction(5, 4) + Fraction(54321, 2**56)
    go(page, server, f"#re={as_text(re)}&im={as_text(im)}&antialias=off&level={level}", NAMED)
    grid = PYRAMID.grid(level)
    col, row = (axis.index(position) // 1 for axis, position in ((grid.re, re), (grid.im, im)))
    for dx, dy in ((0, 0), (-31, 17), (209, -101)):
        found = "(({ row, col, value }) => [String(row), String(col), Math.floor(value)])"
        seen = page.evaluate(f"{found}(viewer.pixel({dx}, {dy}))")
        assert seen[:2] == [str(row + dy), str(col + dx)]
        assert seen[2] == Mandelbrot(255)(grid[row + dy : row + dy + 1, col + dx : col + dx + 1])["iterations"][0, 0]
    asked = {url for url in page.requested if f"/{level}/iterations/c/" in url}
    assert any(url.endswith(f"/c/{row // 512}/{col // 512}") for url in asked)


def test_the_finest_pixels_are_the_kernels(open_page, server):
    """Next to the tip -2, where pixels 1e-17 apart still escape at different times."""
    page = open_page
    re, im = (as_text(part * PYRAMID.grid(0).spacing) for part in (300, 40))
    go(page, server, f"#re=-{as_text(2 - Fraction(re))}&im={im}&level=0", NAMED)
    check(page, distinct=4)


@pytest.mark.parametrize("stored", [{}, {"compressors": ZstdCodec(), "shards": 1024}], ids=["gzip", "zstd in shards"])
def test_an_image_is_not_the_set(context, stored):
    """Other arrays are shown between their limits, however they are stored, and what is copied reads them."""
    rows, cols = np.mgrid[:700, :900]
    image = (((rows // 7) * 31 + cols // 5) % 251).astype(np.uint8)
    stepped = {"0": image, "1": image[::2, ::2]}
    levels = {name: {"image": (("y", "x"), each, {}, {"chunks": (256, 256)})} for name, each in stepped.items()}
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), **{name: xr.Dataset(level) for name, level in levels.items()}})
    scales = [{"path": f"{name}/image", "coordinateTransformations": []} for name in levels]
    tree.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "image", "axes": [], "datasets": scales}]}
    page = context.new_page()
    loaded = []
    page.on("request", lambda request: loaded.append(request.url))
    with md.serve({"photo": tree}, background=True, codecs={3: stored}) as server:
        page.goto(f"{server.address}/viewer/")
        settle(page)
        assert page.inner_text("#title") == "photo"
        assert page.evaluate("viewer.source.kind") == "image"
        assert page.locator("#python").is_hidden()
        assert page.locator("#places-button").is_hidden()
        page.evaluate("viewer.glide(viewer.source.finest + 5 - viewer.view.scale, 0, 0)")
        settle(page)
        box = (slice(80, 280), slice(120, 420))
        row, col = corner(state(page), box)
        shown = values(page, box)
        expected = np.floor(image[row : row + 200, col : col + 300].astype(np.float64) * (2**24 / 255))
        np.testing.assert_array_equal(shown, expected)
        page.click("text=Share")
        page.click("#xarray")
        code = page.evaluate("navigator.clipboard.readText()")
        assert "xr.open_zarr(" in code
        assert any("numcodecs-zstd" in url for url in loaded) == bool(stored)
        names: dict = {}
        exec(code, names)
        assert names["view"]["image"].shape[0] <= 700


def test_errors_are_told_in_words(context, server):
    page = context.new_page()
    page.goto(f"{server.page}?source=/zarr/v3/no-such.zarr")
    page.wait_for_selector("canvas[data-state=error]")
    assert "404 for /zarr/v3/no-such.zarr/zarr.json" in page.inner_text("#notice")
    page.goto(f"{server.page}?source=https://example.org/a.zarr")
    page.wait_for_selector("canvas[data-state=error]")
    assert page.inner_text("#notice") == "This page can show only data of its own server."
