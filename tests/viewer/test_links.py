"""Links: every view has a link that restores it exactly, and unreadable parts are reported."""

from __future__ import annotations

import struct
from fractions import Fraction
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest

import servers
from viewing import CAPPED, PATIENCE_MS, PROVEN, SIZE, check, go, place, said, settle, show, state, until, values

pytestmark = pytest.mark.external

SEAHORSE = ("-0.7436438870371587", "0.1318259042053119")
ALL = (slice(0, 420), slice(0, 640))
BOX = (slice(160, 260), slice(250, 400))


def kept(page):
    """The page's URL once it has been written."""
    page.wait_for_timeout(900)
    return page.url


def test_a_link_comes_back_to_the_very_view(page, server):
    show(page, server, place(*SEAHORSE, Fraction(2) ** -20, palette="orchid", density="2.5"))
    page.mouse.move(333, 222)
    page.mouse.wheel(0, -300)
    page.mouse.move(400, 300)
    page.mouse.down()
    page.mouse.move(391, 322)
    page.mouse.up()
    settle(page)
    link = kept(page)
    before, picture = state(page), values(page, ALL)
    assert parse_qs(urlsplit(link).fragment)["palette"] == ["orchid"]
    page.goto("about:blank")
    page.goto(link)
    settle(page)
    assert state(page) == before
    np.testing.assert_array_equal(values(page, ALL), picture)


def test_digits_are_kept_at_any_depth(page, server):
    im = "1." + "0" * 180 + "123456789012345678901"
    show(page, server, place("1e-190", im, Fraction(2) ** -640, field="iterations"))
    seen = state(page)
    assert abs(8 - seen["y"] - Fraction(im)) < Fraction(2) ** -650
    link = kept(page)
    page.goto("about:blank")
    page.goto(link)
    settle(page)
    assert state(page) == seen
    assert len(page.inner_text("#im")) < 40  # coordinates never fill the screen


def test_old_links_are_understood(open_page, server):
    page = open_page
    go(page, server, f"#re={SEAHORSE[0]}&im={SEAHORSE[1]}&level=40&palette=lagoon&field=iterations")
    seen = state(page)
    assert seen["scale"] == pytest.approx(np.log2(5) - 59 + 40, abs=0.02)
    assert said(page) == ""


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("#re=-0.75&im=0.1", ""),
        ("#re=-0.75&im=0.1&level=500", "outside"),
        ("#re=100&im=0", "outside"),
        ("#re=nonsense&im=0.1&width=0.01", "re=nonsense"),
        ("#re=-0.75&im=0.1&width=-3", "width=-3"),
        ("#re=-0.75&im=0.1&width=0.01&palette=puce&density=99", "palette=puce"),
        ("#re=−0.75&im=0.1&width=0.01", ""),
    ],
)
def test_what_a_link_lacks_or_cannot_say(open_page, server, link, problem):
    """A default, the nearest that can be shown, and a notice; the page stays alive."""
    page = open_page
    go(page, server, f"{link}&antialias=off")
    notice = said(page)
    assert problem in notice
    assert bool(notice) == bool(problem)
    page.focus("#view")
    before = state(page)["x"]
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert state(page)["x"] < before
    assert page.failures == []


HOSTILE = {
    "toString": "1", "__proto__": "2", "constructor": "", "palette": "<script>window.hacked = 1</script>",
    "density": "1e999", "iterations": "-1", "julia": "javascript:alert(1)", "x": "%00", "level": "9" * 30_000,
}  # fmt: skip


def test_a_hostile_link_gives_a_notice_and_the_rest_of_the_view(page, server):
    """All at once: words of JavaScript, markup, numbers out of range or without end; then digits by the thousand."""
    show(page, server, f"#re=-0.75&im=0.1&width=0.01&{urlencode(HOSTILE)}")
    seen = state(page)
    assert [float(seen["x"]), float(seen["y"])] == pytest.approx([8 - 0.75, 8 - 0.1], abs=1e-6)
    notice = said(page)
    for name in ("toString", "__proto__", "constructor", "density", "iterations", "julia", "level"):
        assert name in notice
    assert page.evaluate("[window.hacked ?? 0, document.querySelectorAll('#notice *').length]") == [0, 0]
    for rest in (f"&re={'1' * 30_000}", f"&re=-0.{'7' * 19_000}&width=0.01", "&re=-0.75&width=1e99999",
                 "&re=-0.75&level=1e300", f"&re=0&level=0.{'3' * 19_000}", "&re=0x10&width=1e-"):  # fmt: skip
        page.evaluate("(hash) => { location.hash = hash; }", f"im=0.1{rest}")
        settle(page)
    assert page.failures == []


def test_back_and_forward_lead_through_where_one_was(page, server):
    show(page, server, place(*SEAHORSE, Fraction(2) ** -12))
    kept(page)
    first = state(page)
    page.mouse.move(320, 210)
    page.mouse.wheel(0, -480)
    settle(page)
    second = state(page)
    page.wait_for_timeout(2200)
    page.go_back()
    settle(page)
    assert state(page) == first
    page.go_forward()
    settle(page)
    assert state(page) == second


def test_python_computes_the_very_pixels(page, server):
    """The code that is copied, run here, gives what the page shows."""
    show(page, server, place(*SEAHORSE, Fraction(2) ** -26, field="iterations"))
    page.keyboard.press("s")
    page.click("#python")
    code = page.evaluate("navigator.clipboard.readText()").replace("md.render(ds.smooth)", "")
    names: dict = {}
    exec(code, names)
    counts = names["ds"].iterations[BOX].to_numpy().astype(np.int64)
    shown = values(page, BOX)
    expected = np.where(counts < names["ds"].attrs["maxiter"], counts * 256 + 1152, CAPPED)
    np.testing.assert_array_equal(np.where(shown >= PROVEN, CAPPED, shown), expected)


def test_xarray_opens_what_is_shown(page, server):
    show(page, server, place(*SEAHORSE, Fraction(2) ** -26, field="iterations"))
    page.keyboard.press("s")
    page.click("#xarray")
    names: dict = {}
    exec(page.evaluate("navigator.clipboard.readText()"), names)
    view = names["view"]
    shown = values(page, (slice(0, view.sizes["y"]), slice(0, view.sizes["x"])))
    counts = view["iterations"][BOX].to_numpy()
    escaped = shown[BOX] < PROVEN
    np.testing.assert_array_equal(shown[BOX][escaped], counts.astype(np.int64)[escaped] * 256 + 1152)


def test_places_in_other_words(open_page, server):
    page = open_page
    go(page, server, "#antialias=off")
    for text, re, im, width in (
        ("-0.75 + 0.1i", "-0.75", "0.1", None),
        ("-0.74, 0.1, width 1e-3", "-0.74", "0.1", "1e-3"),
        ("https://example.org/?re=-0.5&im=0.55&zoom=200", "-0.5", "0.55", "0.02"),
        ("Re: -1.25\nIm: 0.02\nZoom: 400\n", "-1.25", "0.02", "0.01"),
        ('location.real = "-1.3"\nlocation.imag = "0.03"\nlocation.zoom = "400"\n', "-1.3", "0.03", "0.01"),
    ):
        page.evaluate(
            """async (text) => {
              const data = new DataTransfer();
              if (text.includes("\\n")) data.items.add(new File([text], "place.kfr"));
              else data.setData("text", text);
              document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
            }""",
            text,
        )
        settle(page)
        seen = state(page)
        assert abs(seen["x"] - 8 - Fraction(re)) < Fraction(1, 10**6), text
        assert abs(8 - seen["y"] - Fraction(im)) < Fraction(1, 10**6), text
        if width:
            assert 640 * 2 ** seen["scale"] == pytest.approx(float(width), rel=1e-6), text


def test_a_picture_leads_back_to_its_place(page, server):
    show(page, server, place(*SEAHORSE, Fraction(2) ** -20, palette="lagoon"))
    seen = state(page)
    page.keyboard.press("s")
    page.fill("#size", "700")
    with page.expect_download() as saved:
        page.click("#save")
    path = saved.value.path()
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (700, round(700 * SIZE["height"] / SIZE["width"]))
    go(page, server, "#antialias=off")
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        list(content),
    )
    until(page, "viewer.view.scale === -20")
    settle(page)
    assert state(page) == seen
    check(page)


def test_bookmarks_stay_in_this_browser(page, server):
    show(page, server, place(*SEAHORSE, Fraction(2) ** -14))
    seen = state(page)
    page.keyboard.press("p")
    page.click("#bookmark")
    show(page, server, "#antialias=off")
    page.click("#places-button")
    page.locator("#bookmarks button").first.click()
    until(page, "viewer.view.scale === -14")
    settle(page)
    assert state(page) == seen
    page.locator("#bookmarks button").nth(1).click()
    assert page.locator("#bookmarks button").count() == 0


def test_copying_a_link_says_that_a_key_is_in_it(context):
    with servers.serving("--api-key", "s3cret") as served:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(served.page.replace("YOUR-KEY", "s3cret") + "#antialias=off")
        settle(page)
        page.keyboard.press("s")
        page.click("#link")
        until(page, "said.some((text) => text.startsWith('Link copied. It contains your API key'))")
        assert "/key/s3cret/" in page.evaluate("navigator.clipboard.readText()")
