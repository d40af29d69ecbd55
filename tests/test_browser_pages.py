"""The pages of arrays in a real browser: what they draw is numpy's, to the pixel."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
import sparse
import xarray as xr
from playwright.sync_api import sync_playwright
from zarr.codecs import BloscCodec, ZstdCodec

from browsing import expected, mapped, pixels
from web_server import serving

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
]

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (1300, 1100, 3), np.uint8)
DEEP = RANDOM.integers(0, 5000, (3, 2, 700, 900), np.uint16)
HEIGHT = RANDOM.normal(0, 1, (4, 1200, 1100)).astype(np.float32)
HEIGHT[:, 300:500, 200:700] = np.nan
LABELS = RANDOM.integers(0, 50, (600, 500)).astype(np.int32)
THIN = sparse.COO(np.where(LABELS > 45, LABELS, 0))
FIELD = xr.Dataset(
    {"height": (("time", "lat", "lon"), HEIGHT, {"units": "m"})},
    {
        "time": pd.date_range("2026-01-01", periods=4),
        "lat": ("lat", np.linspace(60, 0.05, 1200), {"units": "degrees_north"}),
        "lon": ("lon", np.linspace(0, 54.95, 1100), {"units": "degrees_east"}),
    },
)
WAVES = RANDOM.normal(0, 1, (600, 700)) + 1j * RANDOM.normal(0, 1, (600, 700))
PARTS = np.zeros((500, 600), [("height", ">f4"), ("label", "S4"), ("count", "i2")])
PARTS["height"], PARTS["count"], PARTS["label"] = RANDOM.normal(0, 1, PARTS.shape), np.arange(600), b"ab"
TREES = {
    "waves": WAVES,
    "parts": PARTS,
    "points": PARTS[0],
    "photo": PHOTO,
    "thin": THIN,
    "deep": xr.DataArray(DEEP, dims=("t", "c", "y", "x")),
    "field": FIELD,
    "labels": xr.DataArray(LABELS, dims=("y", "x"), attrs={"flag_meanings": "cells"}),
    "table": pd.DataFrame({"name": [f"row <{n}>" for n in range(120)], "value": np.arange(120) / 4}),
    "misc": {
        "signal": np.sin(np.arange(5000) / 50),
        "text": "a <b>word</b>",
        "number": 7.5,
        "mask": LABELS[:40, :60] > 25,
        "large": np.arange(12).reshape(3, 4) * 10**15,
        "words": np.array([["a", "b"], ["c", "d"]]),
        "waves": np.exp(1j * np.arange(2000) / 50),
    },
}
AXE = Path(__file__).parent / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
SIZE = {"width": 1200, "height": 900}
IDLE = "#view[data-state=idle]"


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


def shown(tab, address, path, wait=IDLE, **state):
    """Open a page in the state that a link of it says."""
    tab.goto(f"{address}/browse/{path}" + (f"#{urlencode(state)}" if state else ""))
    tab.wait_for_selector(wait)


def test_a_picture_in_colour_is_its_own_pixels(tab, server):
    shown(tab, server, "photo", x=500, y=600, scale=1)
    seen = pixels(tab)
    opaque = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(seen, expected(opaque, seen, 500, 600))


def test_values_go_through_the_chosen_limits_and_colours(tab, server):
    shown(tab, server, "field/height", x=450, y=400, scale=1, time=2, **{"as": "map", "ch0": "-1.5_2_magma"})
    seen = pixels(tab)
    np.testing.assert_array_equal(seen, expected(mapped(HEIGHT[2], -1.5, 2, "magma"), seen, 450, 400))


def test_parts_of_complex_numbers_and_fields_of_structs_are_drawn(tab, server):
    height = PARTS["height"].astype(np.float64)
    for path, part, values, low, high in (
        ("waves", "magnitude", np.abs(WAVES), 0, 2),
        ("waves", "phase", np.angle(WAVES), -3, 3),
        ("parts", "height", height, -1, 1),
        ("parts", "count", PARTS["count"].astype(np.float64), 0, 600),
    ):
        tab.goto("about:blank")
        rows, columns = np.array(values.shape) // 2
        shown(tab, server, path, x=columns, y=rows, scale=1, part=part, **{"as": "map", "ch0": f"{low}_{high}_gray"})
        seen = pixels(tab)
        np.testing.assert_array_equal(seen, expected(mapped(values, low, high, "gray"), seen, columns, rows), part)
    tab.get_by_label("Part").select_option("height")
    tab.wait_for_function("() => location.hash.includes('viridis') && !location.hash.includes('part=')")
    shown(tab, server, "points")
    assert tab.locator("tbody tr").nth(1).inner_text().split("\t")[2:] == ["ab", "1"]


def test_coarser_levels_are_means(tab, server):
    shown(tab, server, "field/height", x=550, y=600, scale=0.5, time=1, **{"as": "map", "ch0": "-1_1_viridis"})
    seen = pixels(tab)
    cells = HEIGHT[1].reshape(600, 2, 550, 2).astype(np.float64)
    means = np.where(np.isnan(cells).all((1, 3)), np.nan, np.nan_to_num(cells).sum((1, 3)) / 4).astype(np.float32)
    np.testing.assert_array_equal(seen, expected(mapped(means, -1, 1, "viridis"), seen, 550, 600, 0.5))


def test_channels_add_up_in_their_colours(tab, server):
    shown(
        tab,
        server,
        "deep",
        x=450,
        y=350,
        scale=1,
        t=1,
        **{"as": "channels", "ch0": "0_4000_FF0000", "ch1": "1000_5000_00FF80"},
    )
    seen = pixels(tab)
    red, green = (
        np.clip(np.floor((DEEP[1, c].astype(float) - low) * (256 / 4000)), 0, 255) for c, low in ((0, 0), (1, 1000))
    )
    blue = np.rint(green * (128 / 255))
    rgba = np.dstack([red, green, blue, np.full_like(red, 255)]).astype(np.uint8)
    np.testing.assert_array_equal(seen, expected(rgba, seen, 450, 350))


def test_every_label_has_a_colour_of_its_own_and_none_is_clear(tab, server):
    shown(tab, server, "labels", x=250, y=300, scale=1)
    seen = pixels(tab)
    there = expected(np.dstack([LABELS, LABELS, LABELS, LABELS]).astype(np.uint8), seen, 250, 300)[..., 0]
    colours = {label: {tuple(pixel) for pixel in np.unique(seen[there == label], axis=0)} for label in range(50)}
    assert colours[0] == {(0, 0, 0, 0)}
    assert all(len(found) == 1 for found in colours.values())
    assert len({min(found) for found in colours.values()}) == 50


def test_the_pointer_reads_values_with_coordinates_and_units(tab, server):
    shown(tab, server, "field/height", x=550, y=600, scale=1, time=3)
    box = tab.locator(".stage canvas").bounding_box()
    tab.mouse.move(box["x"] + round(box["width"] / 2) + 0.5, box["y"] + round(box["height"] / 2) + 0.5)
    text = tab.locator(".readout").inner_text()
    value = float(text.split(" · ")[1].removesuffix(" m"))
    assert abs(value - HEIGHT[3, 600, 550]) < 1e-5
    assert f"lat {round(float(FIELD.lat[600]), 5)}" in text or "lat 30" in text
    assert tab.locator(".control output").inner_text() == "2026-01-04"


def test_a_link_holds_the_whole_state(tab, server):
    shown(tab, server, "deep")
    canvas = tab.locator(".stage canvas")
    canvas.focus()
    for key in ("+", "ArrowRight", "ArrowDown"):
        canvas.press(key)
    tab.locator("input[data-axis=t]").fill("2")
    tab.locator(".channel input[type=number]").first.fill("77")
    tab.locator(".channel input[type=number]").first.press("Enter")
    tab.locator(".channel input[type=checkbox]").last.uncheck()
    tab.wait_for_function("location.hash.includes('ch1')")
    tab.wait_for_timeout(400)
    tab.wait_for_selector(IDLE)
    before, link = pixels(tab), tab.url
    assert "t=2" in link
    assert "ch0=77_" in link
    tab.goto("about:blank")
    tab.goto(link)
    tab.wait_for_selector(IDLE)
    np.testing.assert_array_equal(pixels(tab), before)


def test_everything_is_reached_by_keys(tab, server):
    shown(tab, server, "deep")
    reached = Counter()
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached[tab.evaluate("document.activeElement.tagName + (document.activeElement.type ?? '')")] += 1
    assert {
        "CANVAS",
        "INPUTrange",
        "INPUTnumber",
        "INPUTcheckbox",
        "INPUTcolor",
        "BUTTONbutton",
        "SELECTselect-one",
    } <= set(reached)


def test_only_what_is_seen_is_asked_for(tab, server):
    shown(tab, server, "photo", x=50, y=50, scale=8)
    chunks = [url for url in tab.requests if "/c/" in url and "/0/image/" in url]
    assert len(chunks) == len(set(chunks)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("misc/text", "a <b>word</b>"),
        ("misc/number", "7.5"),
        ("misc/words", "does not draw arrays of text"),
        ("misc/waves", "magnitude"),
        ("misc/signal", "5,000 of 5,000 values"),
    ],
)
def test_what_is_no_image_is_text_or_a_line(tab, server, path, text):
    shown(tab, server, path, "#view[data-state=idle], #view[data-state=failed]")
    assert text in tab.locator("#view").inner_text()


def test_tables_are_pages_of_rows(tab, server):
    shown(tab, server, "table", "#rows[data-state=idle]")
    assert tab.locator("#rows tbody tr").count() == 50
    tab.get_by_label("Page", exact=True).fill("3")
    tab.get_by_label("Page", exact=True).press("Enter")
    tab.wait_for_function("document.querySelectorAll('#rows tbody tr').length === 20")
    assert tab.locator("#rows tbody tr").last.inner_text().split("\t") == ["119", "119", "row <119>", "29.75"]
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    tab.wait_for_function("document.querySelectorAll('#rows tbody tr').length === 20")


def test_a_link_holds_the_part_of_a_line(tab, server):
    shown(tab, server, "misc/signal")
    for name, value in (("From element", "4000"), ("Elements", "200")):
        tab.get_by_label(name).fill(value)
        tab.get_by_label(name).press("Enter")
    tab.wait_for_function("location.hash === '#from=4000&count=200'")
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    tab.wait_for_selector(IDLE)
    assert tab.locator(".readout").inner_text().startswith("200 of 5,000 values")


def test_small_pictures_are_drawn_in_lists(tab, server):
    tab.goto(f"{server}/browse/misc")
    tab.wait_for_selector("canvas.thumb[data-state=idle]")
    assert tab.locator("canvas.thumb").count() == 2  # not the text


def test_small_pictures_of_large_images_are_their_coarsest_levels(tab, server):
    assert HEIGHT.nbytes > 2**24
    tab.goto(f"{server}/browse/field")
    tab.wait_for_selector("canvas.thumb[data-state=idle]")
    drawn = tab.locator("canvas.thumb").evaluate(
        "(it) => [...it.getContext('2d').getImageData(0, 0, it.width, it.height).data].filter((_, at) => at % 4 === 3)"
    )
    assert 0.5 < np.mean(np.array(drawn) > 0) < 1  # all but what is missing, and the sides
    asked = [url for url in tab.requests if "/images/field/height/" in url and "/c/" in url]
    assert asked
    assert not any("/height/0/" in url for url in asked)


@pytest.mark.parametrize("compressor", [ZstdCodec(level=1), BloscCodec(cname="lz4"), None])
def test_codecs_are_loaded_when_they_are_met(chromium, compressor):
    with serving({"photo": PHOTO}, codecs={3: {"compressors": compressor}}) as client:
        page = chromium.new_page(viewport=SIZE)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        shown(page, client.handle.address, "photo", x=500, y=600, scale=1)
        seen = pixels(page)
        page.close()
    opaque = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(seen, expected(opaque, seen, 500, 600))
    loaded = [url.rsplit("numcodecs-")[-1] for url in asked if "numcodecs-" in url]
    assert loaded == ([] if compressor is None else [f"{type(compressor).__name__.removesuffix('Codec').lower()}.js"])


@pytest.mark.parametrize("shards", [None, "auto"])
def test_a_server_without_levels_and_one_with_shards_are_drawn_too(chromium, shards):
    with serving({"labels": TREES["labels"]}, codecs={3: {"shards": shards}}) as client:
        page = chromium.new_page(viewport=SIZE)
        shown(page, client.handle.address, "labels", x=250, y=300, scale=1, **{"as": "map", "ch0": "0_50_gray"})
        seen = pixels(page)
        page.close()
    np.testing.assert_array_equal(seen, expected(mapped(LABELS, 0, 50, "gray"), seen, 250, 300))


def test_a_phone_shows_it_all_and_nothing_overflows(chromium, server):
    page = chromium.new_page(viewport={"width": 390, "height": 800}, is_mobile=False)
    for path in ("", "field/height", "table", "misc/signal"):
        page.goto(f"{server}/browse/{path}")
        page.wait_for_timeout(600)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    shown(page, server, "thin", x=250, y=300, scale=1, **{"as": "map", "ch0": "0_50_gray"})
    seen = pixels(page)
    np.testing.assert_array_equal(seen, expected(mapped(THIN.todense(), 0, 50, "gray"), seen, 250, 300))
    page.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install in tests/viewer")
def test_axe_finds_nothing_on_any_kind_of_page(tab, server):
    found = {}
    kinds = ("", "field/height", "deep", "labels", "parts", "table", "misc/signal", "misc/text")
    for scheme, paths in (("light", kinds), ("dark", ("?q=a", "field/height"))):
        tab.emulate_media(color_scheme=scheme)
        for path in paths:
            tab.goto(f"{server}/browse/{path}")
            tab.wait_for_selector(f"{IDLE}, #rows[data-state=idle], table.members")
            tab.evaluate(AXE.read_text())
            script = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + nodes[0].html))"
            found[scheme, path] = tab.evaluate(script)
    assert {place: violations for place, violations in found.items() if violations} == {}


MOVES = """async (count) => {
  const canvas = document.querySelector(".stage canvas");
  const keys = ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "+", "-"];
  for (let move = 0; move < count; move++) {
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: keys[move % keys.length] }));
    if (move % 4 === 3) await new Promise(requestAnimationFrame);
  }
}"""


def test_a_thousand_moves_over_seen_tiles_ask_for_nothing_and_keep_no_memory(tab, server):
    shown(tab, server, "photo", x=500, y=600, scale=0.5)
    devtools = tab.context.new_cdp_session(tab)

    def moved(count):
        tab.evaluate(MOVES, count)
        tab.wait_for_selector(IDLE)
        devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")
        return heap["usedSize"] + heap.get("backingStorageSize", 0), len(tab.requests)

    moved(120)
    before, asked = moved(120)
    after, asked_then = moved(1000)
    assert asked_then == asked
    assert after < before + 4 * 2**20
