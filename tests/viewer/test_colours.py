"""Colours: WebGL and plain JavaScript give the same pixels, and a change of colours sends no requests."""

from __future__ import annotations

import base64
import io
import json
import math
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from viewing import PROVEN, check, go, place, settle, show, state, values

pytestmark = pytest.mark.external

SEAHORSE = ("-0.7436438870371587", "0.1318259042053119")
INSIDE = (5, 6, 14)
START = place(*SEAHORSE, Fraction(2) ** -14)


def picture(page):
    """RGB of the canvas, shape (height, width, 3)."""
    png = page.evaluate("viewer.canvas.toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    "look",
    [
        {"slope": 0, "edges": 0},
        {},
        {"slope": 0.8, "edges": 0.7, "equalise": 1, "density": 3, "offset": 0.3, "palette": "twilight"},
        {"inside": "period", "antialias": "on"},
    ],
    ids=["plain", "usual", "all", "periods"],
)
def test_webgl_draws_what_the_definition_says(page, server, look):
    hash_ = place("-0.16", "1.03", Fraction(2) ** -11, **{"antialias": "off", **look})
    show(page, server, hash_)
    assert page.evaluate("viewer.painter.name") == "webgl"
    drawn = picture(page)
    show(page, server, hash_, "?painter=canvas")
    assert page.evaluate("viewer.painter.name") == "canvas"
    off = np.abs(drawn - picture(page)).max(axis=-1)
    assert (off <= 2).mean() > 0.998  # float32 against float64 where a palette is steep
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 500


@pytest.mark.parametrize("antialias", ["off", "on"])
def test_periods_have_colours_with_smooth_edges_too(open_page, server, antialias):
    page = open_page
    go(page, server, place("-0.5", "0", Fraction(1, 200), inside="period", antialias=antialias))
    drawn = picture(page)
    middle, disc = drawn[210, 320], drawn[210, 220]  # periods 1 and 2
    assert min(middle.max(), disc.max()) > 60
    assert not np.array_equal(middle, disc)
    black = (drawn == INSIDE).all(axis=-1)
    assert black.mean() < 0.01


def test_a_picture_drawn_part_by_part_is_the_whole_picture(open_page, server):
    page = open_page
    go(page, server, place("-0.16", "1.03", Fraction(2) ** -12, antialias="off"))
    whole = page.evaluate(
        """() => {
          const { painter, canvas: { width, height }, shown, style } = viewer;
          const other = new painter.constructor(Object.assign(document.createElement("canvas"), { width, height }));
          other.draw(shown, 1, style);
          return viewer.canvas.toDataURL() === other.canvas.toDataURL();
        }"""
    )
    assert whole
    assert page.failures == []


def test_looks_change_without_asking_again(page, server):
    show(page, server, START)
    before, asked = picture(page), [url for url in page.requested if "/c/" in url]
    page.keyboard.press("c")
    page.click("text=lagoon")
    page.locator("#slope").fill("0.9")
    settle(page)
    assert [url for url in page.requested if "/c/" in url] == asked
    assert np.abs(picture(page) - before).max() > 50
    check(page)  # the values are what they were


PLACES = [
    each
    for each in json.loads((files("mandeldask") / "web" / "viewer" / "places.json").read_text())
    if Fraction(each["width"]) > Fraction(1, 10**8)
][::3]


def test_no_known_place_is_black_or_flat(open_page, server):
    """Of what is not proven inside, there is light and dark at each of the page's own places.

    In a small window: links name widths, so it shows the same, at a quarter of the pixels.
    """
    page = open_page
    page.set_viewport_size({"width": 320, "height": 210})
    for known in PLACES:
        name = known["name"]
        go(page, server, f"#re={known['re']}&im={known['im']}&width={known['width']}&antialias=off")
        assert math.log2(state(page)["width"] / Fraction(known["width"])) == pytest.approx(-state(page)["scale"]), name
        outside = values(page, (slice(0, 210), slice(0, 320))) < PROVEN
        assert outside.mean() > 0.15, name
        brightness = picture(page).mean(axis=-1)[outside]
        assert (brightness < 12).mean() < 0.25, name
        assert brightness.std() > 20, name
    assert page.failures == []
