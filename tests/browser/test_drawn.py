"""The pages of arrays in a real browser: drawn pixels equal those computed with numpy."""

from __future__ import annotations

import numpy as np
import pytest
from zarr.codecs import BloscCodec, ZstdCodec

from browsed import CUTOUT, DEEP, FIELD, HEIGHT, LABELS, PARTS, PHOTO, TREES, WAVES
from browsing import SIZE, expected, mapped, pixels, shown
from viewing import until
from web_server import serving

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
]


def test_a_picture_in_colour_is_its_own_pixels(tab, server):
    shown(tab, server, "photo", x=500, y=600, scale=1)
    seen = pixels(tab)
    opaque = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(seen, expected(opaque, seen, 500, 600))
    shown(tab, server, "cutout", x=300, y=250, scale=1)
    seen = pixels(tab)
    clear = np.where(CUTOUT[..., 3:] > 0, CUTOUT, 0)
    np.testing.assert_array_equal(seen, expected(clear, seen, 300, 250))


def test_limits_are_percentiles_of_what_is_seen(tab, server):
    shown(tab, server, "field/height", x=450, y=900, scale=1, time=2)
    tab.get_by_label("Percent left out").fill("5")
    tab.get_by_label("Percent left out").press("Enter")
    until(tab, "location.hash.includes('ch0=-1')")
    low, high = (float(tab.get_by_label(name).input_value()) for name in ("Black", "White"))
    np.testing.assert_allclose([low, high], [-1.645, 1.645], atol=0.1)  # of a normal distribution
    tab.get_by_role("button", name="Full range").click()
    until(tab, "location.hash.includes('ch0=-4') || location.hash.includes('ch0=-5')")
    assert tab.locator("canvas.histogram").evaluate(
        "(it) => it.getContext('2d').getImageData(0, 0, it.width, it.height).data.some((byte) => byte > 0)"
    )
    assert tab.locator(".scalebar, .scale-bar").first.inner_text()


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
    until(tab, "() => location.hash.includes('viridis') && !location.hash.includes('part=')")
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
