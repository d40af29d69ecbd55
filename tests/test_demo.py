"""The demo tree, by the code of the documentation that it follows, and through the command."""

import pickle
import sys
import time
import tracemalloc
from subprocess import run
from urllib.parse import parse_qs, urlsplit

import httpx
import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from fsspec import get_mapper

import mandeldask as md
from mandeldask.demo import MAXITER, ticks
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.zarrview.nodes import Group
from servers import serving

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")  # text of one length in v3

EXPECTED = {
    "dynamic": ((3, 3), "f8"),
    "flat_array": ((100,), "f8"),
    "high_entropy": ((100, 100), "i8"),
    "low_entropy": ((100, 100), "i4"),
    "nested/complex": ((30, 50), "c16"),
    "nested/cubes/tiny_cube": ((50, 50, 50), "f8"),
    "nested/cubes/tiny_hypercube": ((50,) * 5, "f8"),
    "nested/images/big_image": ((10_000, 10_000), "f8"),
    "nested/images/medium_image": ((1000, 1000), "f8"),
    "nested/images/small_image": ((300, 300), "f8"),
    "nested/images/tiny_image": ((50, 50), "f8"),
    "nested/sparse_image": ((100, 100), "f8"),
    "scalars/fortytwo": ((), "i8"),
    "scalars/pi": ((), "f8"),
    "tables/long_table/A": ((100_000,), "f8"),
    "tables/short_table/A": ((100,), "u1"),
    "tables/wide_table/Z": ((10,), "f8"),
}
NAMES = {"dynamic", "flat_array", "high_entropy", "low_entropy", "mandelbrot.zarr"}
NAMES |= {"nested", "scalars", "structured_data", "tables"}


@pytest.fixture(scope="module")
def served():
    with serving("--demo", "--api-key", "secret") as server:
        assert not [line for line in server.lines if "Warning" in line]
        yield server.url("v3").replace("/key/YOUR-KEY", "").removesuffix("/zarr/v3/")


@pytest.mark.parametrize("zarr_format", ["v2", "v3"])
def test_python_clients_read_it_as_the_documentation_says(served, zarr_format):
    url = f"{served}/zarr/{zarr_format}/"
    fs_mapper = get_mapper(url, client_kwargs={"headers": {"Authorization": "Apikey secret"}})
    root = zarr.open(fs_mapper, mode="r")
    assert set(root.keys()) == NAMES
    assert "medium_image (1000, 1000) float64" in str(root.tree())
    for path, (shape, dtype) in EXPECTED.items():
        assert root[path].shape == shape, path
        assert root[path].dtype == np.dtype(dtype), path
    image = root["nested/images/medium_image"][...]
    counts = Mandelbrot(MAXITER, ("iterations",))(Grid.window("-0.5", "3", (1000, 1000)))["iterations"]
    np.testing.assert_array_equal(image, counts)
    cube = root["nested/cubes/tiny_hypercube"]
    assert cube[49, 49, 49, 49, 49] == 50**5 - 1
    assert cube[1, 2, 3, 4, 5] == np.ravel_multi_index((1, 2, 3, 4, 5), cube.shape)
    assert root["structured_data/pets"][...].tolist() == [("Rex", 9, 81.0), ("Fido", 3, 27.0)]
    assert str(root["scalars/fsc"][()]) == "1/137"


def test_a_viewer_reads_an_array_as_the_documentation_says(served):
    viewer = f"https://hms-dbmi.github.io/vizarr/?source={served}/zarr/v2/nested/images/medium_image"
    (source,) = parse_qs(urlsplit(viewer).query)["source"]
    headers = {"Authorization": "Apikey secret", "Origin": "https://hms-dbmi.github.io"}
    with httpx.Client(headers=headers) as client:
        array = client.get(f"{source}/.zarray")
        assert array.headers["access-control-allow-origin"] == "https://hms-dbmi.github.io"
        metadata = array.json()
        assert metadata["shape"] == [1000, 1000]
        raw = client.get(f"{source}/{metadata['dimension_separator'].join('00')}").content
        assert client.get(f"{source}/.zgroup").status_code == 404
        assert client.get(f"{served}/zarr/v2/nested/images/nothing/.zarray").status_code == 404
    chunk = np.frombuffer(numcodecs.get_codec(metadata["compressor"]).decode(raw), metadata["dtype"])
    height, width = metadata["chunks"]
    expected = Mandelbrot(MAXITER, ("iterations",))(Grid.window("-0.5", "3", (1000, 1000))[:height, :width])
    np.testing.assert_array_equal(chunk.reshape(height, width), expected["iterations"])


def test_without_the_key_nothing_is_read(served):
    assert httpx.get(f"{served}/zarr/v2/.zgroup").status_code == 401


def test_dynamic_values_are_never_kept(served):
    headers = {"Authorization": "Apikey secret"}
    root = zarr.open(get_mapper(f"{served}/zarr/v3/", client_kwargs={"headers": headers}), mode="r")
    for _ in range(8):
        before, value, after = ticks(), float(root["dynamic"][0, 0]), ticks()
        assert before <= value <= after
        time.sleep(0.5)


def test_xarray_reads_the_dataset_and_the_tables():
    store = md.to_store(md.demo_tree())
    weather = xr.open_dataset(store, group="structured_data/xarray_dataset", engine="zarr")
    assert set(weather.coords) == {"lat", "lon", "time"}
    assert str(weather.time.values[0])[:10] == "2014-09-06"
    table = xr.open_dataset(store, group="tables/short_table", engine="zarr")
    assert table.E.values.tolist() == [True, False] * 50
    assert table.C.values[:2].tolist() == ["one", "two"]


def test_the_tree_takes_little_memory_and_pickles():
    md.demo_tree()
    tracemalloc.start()
    tree = md.demo_tree()
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()
    assert set(pickle.loads(pickle.dumps(tree)).members) == NAMES
    assert isinstance(tree, Group)


def test_paths_and_the_demo_are_not_served_together(tmp_path):
    command = [sys.executable, "-m", "mandeldask", "serve", "--demo", str(tmp_path)]
    done = run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--demo" in done.stderr
