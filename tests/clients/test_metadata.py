"""The served documents are valid by OME-Zarr's models, and by the requests of viewers, in their order."""

from __future__ import annotations

from itertools import pairwise

import httpx
import pytest
import zarr
from ome_zarr_models import open_ome_zarr

from clients.windows import PYRAMID


@pytest.fixture(scope="module")
def client():
    with httpx.Client(timeout=60) as each:
        yield each


def test_ome_zarr_models_accept_the_image(server):
    for zarr_format, version in (("v2", "0.4"), ("v3", "0.5")):
        image = open_ome_zarr(zarr.open_group(server.url(zarr_format), mode="r"))
        assert image.ome_zarr_version == version
        assert [len(datasets) for datasets in image.datasets] == [50]


def test_xarray_opens_all_levels_at_once(url):
    import xarray as xr

    with xr.open_datatree(url, engine="zarr", chunks=None) as tree:
        assert [tree[f"{level}/iterations"].shape for level in range(50)] == [
            PYRAMID.grid(level).shape for level in range(50)
        ]
        assert tree.attrs["exact_width"] == "5"


def test_zarr_python_lists_the_tree(url):
    root = zarr.open_group(url, mode="r")
    assert sorted(root.keys(), key=int) == [str(level) for level in range(50)]
    assert sorted(root["49"].keys()) == ["iterations", "x", "y"]
    assert list(root["0"].keys()) == ["iterations"]  # whose coordinates are too long to be loaded


def test_keys_of_a_server_are_its_trees(server):
    root = zarr.open_group(server.url("v3").rsplit("/", 1)[0], mode="r")
    assert list(root.keys()) == ["mandelbrot", "atlas"]
    assert root["mandelbrot/49/iterations"].shape == (1024, 1024)


def test_vizarr_finds_what_its_page_fetches(server, client):
    """The page's own order: attributes, every level's array, then the coarsest level whole, then tiles in sight."""
    url = server.url("v2")
    assert client.get(f"{url}/.zgroup").json()["zarr_format"] == 2
    (image,) = client.get(f"{url}/.zattrs").json()["multiscales"]
    for absent in (".zarray", "labels/.zattrs", "labels/.zgroup", "zarr.json"):
        assert client.get(f"{url}/{absent}").status_code == 404
    arrays = [client.get(f"{url}/{dataset['path']}/.zarray").json() for dataset in image["datasets"]]
    widths = [array["shape"][1] for array in arrays]
    assert all(finer == 2 * coarser for finer, coarser in pairwise(widths))
    coarsest = image["datasets"][-1]["path"]
    for row, col in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert client.get(f"{url}/{coarsest}/{row}/{col}").status_code == 200
    assert [axis["type"] for axis in image["axes"]] == ["space", "space"]


BAD_KEYS = (
    "50/iterations/zarr.json",
    "-1/iterations/zarr.json",
    "049/iterations/zarr.json",
    "49/smooth/zarr.json",
    "49/iterations/c/2/0",
    "49/iterations/c/0/2",
    "49/iterations/c/-1/0",
    "49/iterations/c/00/0",
    "49/iterations/c/+1/0",
    "49/iterations/c/1_0/0",
    "49/iterations/c/%D9%A1/0",
    "49/iterations/c/0",
    "49/iterations/c/0/0/0",
    "49/iterations/c/0.0",
    "49/iterations/0/0",
    "49/iterations/c/99999999999999999999999999/0",
    "0/iterations/c/1125899906842624/0",
    "49/iterations/.zarray",
    "%00",
    "..%2fzarr.json",
)


@pytest.mark.parametrize("key", BAD_KEYS)
def test_what_is_not_there_is_404(server, client, key):
    assert client.get(f"{server.url('v3')}/{key}").status_code == 404


def test_the_last_chunk_of_the_finest_level_is_there(server, client):
    last = 2**50 - 1
    assert client.get(f"{server.url('v3')}/0/iterations/c/{last}/{last}").status_code == 200
    assert client.get(f"{server.url('v2')}/0/iterations/{last}/{last}").status_code == 200
