"""A contact sheet of the page: pictures of known places at several depths, for a visual check.

python tests/viewer/contact_sheet.py sheet.png [views]
"""

from __future__ import annotations

import io
import json
import sys
from importlib.resources import files
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import mandeldask as md
from browsers import CHROMIUM

SIZE = (480, 300)
COLUMNS = 5
VIEWS = 40


def places(views):
    """Return the hashes of so many views, evenly from the page's list."""
    known = json.loads((files("mandeldask") / "web" / "viewer" / "places.json").read_text("utf-8"))
    for number in range(views):
        each = known[number * len(known) // views]
        yield f"#re={each['re']}&im={each['im']}&width={each['width']}"


def pictures(address, views):
    """Return a picture of every view, without what lies over it."""
    software = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=software)
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce")
        for view in places(views):
            page.goto("about:blank")
            page.goto(f"{address}/{view}")
            page.wait_for_selector("canvas[data-state=idle]", timeout=600_000)
            page.evaluate("document.querySelectorAll('.card').forEach((each) => each.remove())")
            yield Image.open(io.BytesIO(page.screenshot()))
        chromium.close()


def main(path, views=VIEWS):
    """Write the sheet."""
    with md.serve(background=True) as server:
        shown = list(pictures(server.address, int(views)))
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (SIZE[0] * COLUMNS, SIZE[1] * rows))
    for number, picture in enumerate(shown):
        sheet.paste(picture, (SIZE[0] * (number % COLUMNS), SIZE[1] * (number // COLUMNS)))
    sheet.save(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
