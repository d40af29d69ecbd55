import pickle
import subprocess
import sys

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st

import mandeldask as md
from mandeldask.lazy.dask_blocks import Blocks
from mandeldask.lazy.variable import PixelVariable
from positions import LOG, PositionKernel, position_kernel

SMALL = md.Pyramid(levels=3, tilesize=16)


@pytest.fixture(autouse=True)
def _clear():
    LOG.clear()


def level(number, **keywords):
    return md.open_pyramid(kernel=position_kernel, **keywords)[str(number)].to_dataset()


@pytest.mark.parametrize("number", [42, 45, 49])
def test_a_dask_level_is_one_small_layer(number):
    array = level(number).iterations.data
    assert len(array.dask.layers) == 1
    assert not array.dask.layers[array.name].is_materialized()
    assert len(pickle.dumps(array.dask)) < 20_000


def test_the_function_of_a_layer_pickles_and_knows_its_block():
    blocks = Blocks(PositionKernel(SMALL.grid(0)), SMALL.grid(0), (16, 8), "iterations")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(blocks))((2, 3))[:, 0], np.arange(32, 48))


def test_names_follow_from_the_content_and_nothing_else():
    program = "import mandeldask as md; print(md.open_pyramid()['45/iterations'].data.name)"
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert md.open_pyramid()["45/iterations"].data.name == elsewhere.strip()
    names = {
        md.open_pyramid(**keywords)["45/iterations"].data.name
        for keywords in ({}, {"maxiter": 256}, {"center": "1e-99"}, {"width": "5.1"}, {"tilesize": 256}, {"chunks": 64})
    }
    assert len(names) == 6


def test_lazily_indexed_content_has_a_deterministic_token():
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        tokens = {tokenize(md.open_pyramid()["0/iterations"].variable[rows, 3:9]) for rows in (slice(5), slice(4))}
        tokens |= {tokenize(md.open_pyramid()["0/iterations"].variable[:5, 3:9])}
        tokens |= {tokenize(md.open_pyramid(maxiter=9)["0/iterations"].variable[:5, 3:9]._data)}
    assert len(tokens) == 3


def test_values_are_computed_block_by_block_once():
    found = level(0, levels=3, tilesize=16).compute(scheduler="synchronous")
    assert (LOG.calls, LOG.pixels) == (64, 128 * 128)
    np.testing.assert_array_equal(found.iterations[:, 5], np.arange(128))


def test_blocks_of_large_levels_are_larger_than_tiles_and_windows_are_not(tmp_path):
    large = level(0, levels=5, tilesize=16)
    assert large.chunksizes["x"] == (64,) * 8
    assert large.iterations.mean().compute() == 255.5
    assert (LOG.calls, LOG.pixels) == (64, 512 * 512)
    LOG.clear()
    window = large.isel(y=slice(96, 140), x=slice(96, 112))
    assert len(window.chunksizes["y"]) == 3
    points = large.iterations.isel(y=xr.DataArray([3, 500]), x=xr.DataArray([3, 500])).compute(scheduler="synchronous")
    np.testing.assert_array_equal(points, [3, 500])
    window.to_zarr(tmp_path / "window.zarr", consolidated=False)
    assert LOG.pixels == 2 * 16 * 16 + 48 * 16
    large.drop_vars(("x", "y")).to_zarr(tmp_path / "large.zarr", consolidated=False)
    assert xr.open_zarr(tmp_path / "large.zarr", consolidated=False).iterations.encoding["chunks"] == (16, 16)


def test_large_blocks_are_computed_call_by_call():
    found = level(0).isel(y=slice(1500), x=slice(1200)).chunk(-1).compute(scheduler="synchronous")
    assert max(max(grid.shape) for grid in LOG.grids) == 1024
    assert LOG.pixels == 1500 * 1200
    np.testing.assert_array_equal(found.iterations[:, 1100], np.arange(1500))


def test_several_fields_take_one_kernel_call_a_block():
    fields = ("iterations", "smooth", "distance")
    both = level(0, levels=3, tilesize=16, fields=fields)
    found = both.compute(scheduler="synchronous")
    assert (LOG.calls, LOG.pixels) == (64, 128 * 128)
    np.testing.assert_array_equal(found.distance, found.iterations + found.smooth)


@pytest.mark.parametrize("chunks", [200, {"y": 100, "x": 300}, "auto", {}, {"y": (300, 300, 100)}])
def test_chunking_a_window_makes_a_graph_of_that_window(chunks):
    window = level(0).isel(y=slice(2**58, 2**58 + 700), x=slice(9, 1009)).chunk(chunks)
    array = window.iterations.data
    assert isinstance(window.iterations.variable, PixelVariable)
    assert len(array.dask.layers) == 1
    assert len(array.dask) == np.prod(array.numblocks)
    np.testing.assert_array_equal(window.iterations[:, 0], np.arange(2**58, 2**58 + 700))


def test_uneven_chunks_are_xarrays_own():
    window = level(0).isel(y=slice(700), x=slice(100)).chunk(y=(100, 500, 100))
    assert window.chunksizes["y"] == (100, 500, 100)
    np.testing.assert_array_equal(window.iterations[:, 0], np.arange(700))
    with pytest.raises(MemoryError, match="select a window first"):
        level(0).chunk(y=(1, 2**59 - 1))


def test_fields_chunked_together_are_computed_together():
    window = level(0, fields=("iterations", "smooth")).isel(y=slice(100), x=slice(100)).chunk(50)
    window.compute(scheduler="synchronous")
    assert LOG.calls == 4


def test_a_window_has_the_same_keys_wherever_it_was_made():
    one, other = (level(0).isel(y=slice(5, 100), x=slice(5, 100)).chunk(50).iterations.data.name for _ in range(2))
    assert one == other


OPERATIONS = {
    "mean": lambda window: window.mean(),
    "coarsen": lambda window: window.coarsen(y=4, x=4).max(),
    "rolling": lambda window: window.rolling(x=5).mean().max(),
    "concat": lambda window: xr.concat([window, window], "copy").sum(),
    "histogram": lambda window: da.histogram(window.data, bins=16, range=(0, 2**59))[0],
    "map_overlap": lambda window: window.data.map_overlap(lambda block: block, depth=1).sum(),
    "quantile": lambda window: window.chunk(y=-1).quantile(0.5, "y").mean(),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("number", [0, 42])
def test_operations_on_a_window_compute_its_pixels_and_agree_with_numpys(operation, number):
    window = level(number).iterations[1000:1256, 300:500]
    window = window if number == 42 else window.chunk(100)
    lazily = operation(window)
    assert LOG.calls == 0
    found = lazily.compute(scheduler="synchronous")
    assert LOG.pixels <= 4 * 512 * 512
    memory = level(number).iterations[1000:1256, 300:500].compute().chunk(100)
    np.testing.assert_array_equal(found, operation(memory).compute(scheduler="synchronous"))


slices = st.tuples(st.integers(0, 127), st.integers(0, 127)).map(sorted).map(lambda ends: slice(*ends))


@given(slices, slices, st.integers(10, 60))
@settings(max_examples=30, deadline=None)
def test_unaligned_windows_are_seamless(rows, cols, side):
    lazy = md.open_pyramid(SMALL, kernel=position_kernel, chunks=None)["0/iterations"]
    eager = md.open_pyramid(SMALL, kernel=position_kernel)["0/iterations"]
    window = lazy[rows, cols]
    expected = np.repeat(np.arange(rows.start, rows.stop)[:, None], cols.stop - cols.start, axis=1)
    with dask.config.set(scheduler="synchronous"):
        for found in (window, window.chunk(side), eager[rows, cols]):
            np.testing.assert_array_equal(found, expected)
