"""An export that is served again: every reader that the README names opens it, and the page draws it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

import mandeldask as md
import servers
from browsers import CHROMIUM
from browsing import expected, mapped, pixels
from clients import readers

pytestmark = [
    pytest.mark.external,
    # A store on a disk may change, so it is served without consolidated metadata, as xarray remarks.
    pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated:RuntimeWarning"),
]

READERS = (
    readers.zarr_fsspec,
    readers.zarr_obstore,
    readers.zarrs_pipeline,
    readers.xarray_tree,
    readers.tensorstore,
    readers.zarrita,
)


def test_readers_and_the_page_show_an_export_that_is_served(tmp_path):
    tree = md.open_pyramid(levels=2, tilesize=512, chunks=None)
    md.export(tree, tmp_path / "out.zarr")
    counts = tree["0/iterations"][512:1536, 512:1536].to_numpy()
    with servers.serving(str(tmp_path / "out.zarr")) as served:
        address = re.search(r"http://[0-9.:]+", "\n".join(served.lines))[0]
        for version in ("v2", "v3"):
            for read in READERS:
                url = f"{address}/zarr/{version}/out.zarr"
                (seen,) = read(url, "0/iterations", [(slice(512, 1536), slice(512, 1536))])
                np.testing.assert_array_equal(seen, counts, read.__name__)
        with sync_playwright() as playwright:
            quiet = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
            tab = browser.new_page(viewport={"width": 1000, "height": 700})
            tab.goto(f"{address}/browse/out.zarr#x=1024&y=1024&scale=1&as=map&ch0=0_255_viridis")
            tab.wait_for_selector("#view[data-state=idle]")
            drawn = pixels(tab)
            whole = mapped(tree["0/iterations"].to_numpy().astype(np.float64), 0, 255, "viridis")
            np.testing.assert_array_equal(drawn, expected(whole, drawn, 1024, 1024))
            browser.close()
