"""The pages of arrays in a real browser: links, keys, tables, lines, phones, accessibility, requests and memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from browsed import THIN
from browsing import IDLE, expected, mapped, pixels, shown
from viewing import until

pytestmark = [
    pytest.mark.external,
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
]
AXE = Path(__file__).parents[1] / "viewer" / "node_modules" / "axe-core" / "axe.min.js"


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
    until(tab, "location.hash.includes('ch1')")
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
    until(tab, "document.querySelectorAll('#rows tbody tr').length === 20")
    assert tab.locator("#rows tbody tr").last.inner_text().split("\t") == ["119", "119", "row <119>", "29.75"]
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    until(tab, "document.querySelectorAll('#rows tbody tr').length === 20")


def test_a_link_holds_the_part_of_a_line(tab, server):
    shown(tab, server, "misc/signal")
    for name, value in (("From element", "4000"), ("Elements", "200")):
        tab.get_by_label(name).fill(value)
        tab.get_by_label(name).press("Enter")
    until(tab, "location.hash === '#from=4000&count=200'")
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    tab.wait_for_selector(IDLE)
    assert tab.locator(".readout").inner_text().startswith("200 of 5,000 values")


def test_small_pictures_are_drawn_in_lists(tab, server):
    tab.goto(f"{server}/browse/misc")
    tab.wait_for_selector("canvas.thumb[data-state=idle]")
    assert tab.locator("canvas.thumb").count() == 2  # not the text


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


MOVES = """async ([first, count]) => {
  const canvas = document.querySelector(".stage canvas");
  const keys = ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "+", "-"];
  for (let move = first; move < first + count; move++) {
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: keys[move % keys.length] }));
    if (move % 4 === 3 || count === 1) await new Promise(requestAnimationFrame);
  }
}"""


def test_a_thousand_moves_over_seen_tiles_ask_for_nothing_and_keep_no_memory(tab, server):
    shown(tab, server, "photo", x=500, y=600, scale=0.5)
    devtools = tab.context.new_cdp_session(tab)

    def moved(count, first=0):
        tab.evaluate(MOVES, [first, count])
        tab.wait_for_selector(IDLE)
        devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")
        return heap["usedSize"] + heap.get("backingStorageSize", 0), len(tab.requests)

    for move in range(6):
        moved(1, move)  # all that these keys lead to has been seen
    moved(120)
    before, asked = moved(120)
    after, asked_then = moved(1000)
    assert asked_then == asked
    assert after < before + 4 * 2**20
