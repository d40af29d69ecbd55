"""A real JupyterLab in Chromium: the pixels of `view` equal numpy's, and no port of ours is used."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.request import urlopen

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from browsers import CHROMIUM
from browsing import expected, mapped, pixels
from web_server import until

pytestmark = pytest.mark.external

VALUES = np.add.outer(3 * np.arange(600), np.arange(500)).astype("u2")

CELLS = (
    """import numpy as np, mandeldask as md
values = np.add.outer(3 * np.arange(600), np.arange(500)).astype('u2')
viewer = md.view({'image': values, 'other': {'wave': np.exp(1j * values)}}, 'image', height=400)
viewer""",
    "viewer.state = 'x=250&y=300&scale=1&as=map&ch0=0_2000_gray'",
    "tree = md.open_pyramid(levels=50)\nstore = md.to_mapping(tree)  # compiles what is not compiled yet",
    "tree",
    "pixels = md.window('-0.5', '3', shape=(512, 512), chunks=128).iterations.mandel.compute()",
    "server = md.serve(values, background=True, places=False)\nserver",
    "print(server.app.settings.allow_origins)\nserver.stop()",
)


def url_of(runtime):
    """Return the URL of the server that writes what it is to a folder, once it answers."""
    try:
        url = json.loads(next(runtime.glob("jpserver-*.json")).read_text())["url"]
        return url if urlopen(f"{url}api").status == 200 else None
    except (OSError, StopIteration, ValueError):  # it has only just begun
        return None


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A JupyterLab with a notebook of the cells, and its URL."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    parts = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**parts, "id": f"c{number}", "source": text} for number, text in enumerate(CELLS)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = tmp_path / "book" / "view.ipynb"
    book.parent.mkdir()
    book.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    options = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=", "--allow-root"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--notebook-dir={book.parent}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            runtime = tmp_path / "JUPYTER_RUNTIME_DIR"
            assert until(lambda: url_of(runtime))
            yield url_of(runtime)
        finally:
            process.terminate()


def test_a_view_in_jupyterlab(lab):
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 2400})
        page.set_default_timeout(250_000)
        asked, problems = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{lab}lab/tree/view.ipynb")
        page.get_by_text("| Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.get_by_text("http://localhost").last.or_(page.get_by_role("button", name="Select", exact=True)).wait_for()
        if page.get_by_role("button", name="Select", exact=True).is_visible():  # it asks which kernel
            page.get_by_role("button", name="Select", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
        page.get_by_text("'http://localhost:").wait_for()  # the last cell has run
        page.locator("#view[data-state=idle]").wait_for()
        seen = pixels(page)
        np.testing.assert_array_equal(seen, expected(mapped(VALUES, 0, 2000, "gray"), seen, 250, 300))
        page.get_by_role("link", name="All trees").click()
        page.get_by_role("link", name="other").click()
        page.get_by_role("link", name="wave").click()
        page.get_by_label("Part").select_option("phase")
        assert not problems
        assert page.locator(".jp-OutputArea-output img").get_attribute("src").startswith("data:image/png")
        assert "512 x 512 pixels" in "".join(page.locator(".jp-OutputArea").all_inner_texts())  # a bar
        assert page.get_by_role("link", name="http://127.0.0.1").count() > 2
        assert not [url for url in asked if "zarr" in url or "browse" in url]
        browser.close()
