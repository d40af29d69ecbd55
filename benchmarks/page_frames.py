"""Frames of an image's page at ``/browse/`` over tiles that it has: time between them, in Chromium without a GPU.

python benchmarks/page_frames.py
"""

from __future__ import annotations

import shutil
import statistics
from itertools import pairwise

import numpy as np
from playwright.sync_api import sync_playwright

import mandeldask as md

FRAMES = 400
SCRIPT = """async (count) => {
  const canvas = document.querySelector(".stage canvas");
  const keys = ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"];
  const times = [];
  for (let frame = 0; frame < count; frame++) {
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: keys[frame % keys.length] }));
    const began = await new Promise((done) => requestAnimationFrame(() => done(performance.now())));
    times.push(began);
  }
  return times;
}"""


def main() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (3000, 4000), np.uint8)
    with md.serve(photo, background=True, places=False, pyramid="auto") as server, sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = chromium.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"{server.address}/browse/data#x=2000&y=1500&scale=1")
        page.wait_for_selector("#view[data-state=idle]")
        page.evaluate(SCRIPT, 40)
        page.wait_for_selector("#view[data-state=idle]")
        times = page.evaluate(SCRIPT, FRAMES)
        chromium.close()
    gaps = [after - before for before, after in pairwise(times)]
    late = sum(gap > 1.5 * 1000 / 60 for gap in gaps)
    print(
        f"/browse/ of {photo.shape} {photo.dtype}, {FRAMES} frames over cached tiles: "
        f"median {statistics.median(gaps):.1f} ms apart, {late} later than 25 ms"
    )


if __name__ == "__main__":
    main()
