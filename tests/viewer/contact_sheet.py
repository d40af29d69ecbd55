"""A sheet of what the page shows: every known place at several depths, to be looked at as a designer would.

python tests/viewer/contact_sheet.py sheet.png
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import mandeldask as md
from mandeldask.fractal.rationals import as_text

SIZE = (480, 300)
COLUMNS = 6
STEPS = (1, 25, 625)
"""How many times deeper than the place itself."""


def places():
    """Return the hashes of some 40 views."""
    known = json.loads((files("mandeldask") / "web" / "viewer" / "places.json").read_text("utf-8"))
    for each in known:
        deep = Fraction(each["width"]) < Fraction(1, 10**20)
        for times in STEPS[: 1 if deep else None]:
            yield f"#re={each['re']}&im={each['im']}&width={as_text(Fraction(each['width']) / times)}"


def pictures(address):
    """Return a picture of every view, without what lies over it."""
    software = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=software)
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce")
        for view in places():
            page.goto("about:blank")
            page.goto(f"{address}/{view}")
            page.wait_for_selector("canvas[data-state=idle]", timeout=600_000)
            page.evaluate("document.querySelectorAll('.card').forEach((each) => each.remove())")
            yield Image.open(io.BytesIO(page.screenshot()))
        chromium.close()


def main(path):
    """Write the sheet."""
    with md.serve(background=True) as server:
        shown = list(pictures(server.address))
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (SIZE[0] * COLUMNS, SIZE[1] * rows))
    for number, picture in enumerate(shown):
        sheet.paste(picture, (SIZE[0] * (number % COLUMNS), SIZE[1] * (number // COLUMNS)))
    sheet.save(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
