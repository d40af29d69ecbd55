import asyncio
import inspect
import pickle
import threading
import time

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from xarray.core import indexing as xarray_indexing

import mandeldask as md
from mandeldask.cancellation import Cancelled, current
from mandeldask.lazy.indexing import LazyPixels
from positions import LOG, PositionKernel, position_kernel

SMALL = md.Pyramid(levels=1, tilesize=8)
FAR = 2**58
"""A pixel in the middle of level 0 of the default pyramid."""


@pytest.fixture
def level():
    LOG.clear()
    return md.open_pyramid(levels=50, kernel=position_kernel)["0"].to_dataset()


def small(chunks=None):
    """Return a level of 16 x 16 pixels, and the same values in memory."""
    array = md.open_pyramid(SMALL, kernel=position_kernel, chunks=chunks)["0/iterations"]
    return array, array.copy(data=np.repeat(np.arange(16)[:, None], 16, axis=1))


def test_canary_the_semi_private_names_of_xarray_are_what_they_were():
    """If this fails, read xarray's `core/indexing.py` and mend `mandeldask/lazy/indexing.py`, which alone uses it."""
    lazy = xarray_indexing.LazilyIndexedArray
    assert {"array", "key", "_shape"} == set(lazy.__slots__)
    for method in ("_updated_key", "_oindex_get", "_vindex_get", "transpose", "get_duck_array", "async_get_duck_array"):
        assert callable(getattr(lazy, method))
    assert list(inspect.signature(xarray_indexing.LazilyVectorizedIndexedArray).parameters) == ["array", "key"]
    assert xarray_indexing.MemoryCachedArray(np.zeros(1)).array is not None
    assert xarray_indexing.CopyOnWriteArray(np.zeros(1)).array is not None
    assert isinstance(xr.Variable("x", xarray_indexing.LazilyIndexedArray(np.zeros(3)))._data, lazy)
    labels = xarray_indexing.CoordinateTransformIndexingAdapter
    assert list(inspect.signature(labels).parameters) == ["transform", "coord_name", "dims"]
    assert callable(labels._repr_inline_)


def test_a_slice_costs_its_pixels(level):
    window = level.iterations[FAR : FAR + 30, FAR : FAR + 20]
    np.testing.assert_array_equal(window.values[:, 0], np.arange(FAR, FAR + 30))
    assert (LOG.calls, LOG.pixels) == (1, 600)


def test_numbers_and_strides_cost_their_pixels(level):
    assert level.iterations[-1, 0].item() == 2**59 - 1
    assert level.iterations[:: 2**57, 5].values.tolist() == [0, 2**57, 2**58, 3 * 2**57]
    assert level.iterations[5:0:-2, 7:9].values[:, 0].tolist() == [5, 3, 1]
    assert LOG.pixels == 1 + 4 + 6


def test_steps_reach_the_kernel_ascending(level):
    level.iterations[9:2:-1, 9:2:-1].load()
    assert LOG.grids[0].re.step > 0 > LOG.grids[0].im.step


def test_lists_cost_the_crossings_of_their_rows_and_columns(level):
    picked = level.iterations[[FAR + 7, 3, 3, FAR], [0, FAR]]
    np.testing.assert_array_equal(picked.values[:, 1], [FAR + 7, 3, 3, FAR])
    assert LOG.pixels == 3 * 2


def test_points_cost_themselves(level):
    rows, cols = xr.DataArray([5, FAR, 5, FAR], dims="point"), xr.DataArray([1, 2, 1, 4], dims="point")
    picked = level.iterations.isel(y=rows, x=cols)
    assert picked.dims == ("point",)
    assert picked.values.tolist() == [5, FAR, 5, FAR]
    assert LOG.pixels == 3


def test_points_on_a_line_are_computed_together(level):
    line = xr.DataArray(np.arange(FAR, FAR + 100), dims="point")
    level.iterations.isel(y=xr.full_like(line, 7), x=line).load()
    level.iterations.isel(y=line, x=xr.full_like(line, 7)).load()
    assert (LOG.calls, LOG.pixels) == (2, 200)


def test_points_along_one_dimension_keep_the_other(level):
    rows = xr.DataArray([[1, 2], [3, FAR]], dims=("a", "b"))
    picked = level.iterations.isel(y=rows, x=slice(FAR, FAR + 3))
    assert dict(picked.sizes) == {"a": 2, "b": 2, "x": 3}
    np.testing.assert_array_equal(picked.values[..., 0], rows)
    assert LOG.pixels == 12


def test_labels_of_points_select_the_nearest_pixels(level):
    profile = xr.DataArray(np.linspace(-0.75, -0.7499, 100), dims="t")
    picked = level.iterations.sel(x=profile, y=xr.full_like(profile, 0.1), method="nearest")
    assert picked.sizes == {"t": 100}
    assert LOG.calls == 0
    picked.load()
    assert LOG.pixels == 100


def test_the_transpose_is_lazy(level):
    flipped = level.iterations.T
    assert flipped.dims == ("x", "y")
    np.testing.assert_array_equal(flipped[4:6, 10:13].values, [[10, 11, 12]] * 2)
    np.testing.assert_array_equal(flipped.T[10:13, 4].values, [10, 11, 12])
    assert flipped[FAR, FAR].item() == FAR
    assert flipped[[1, 2], [FAR]].values.tolist() == [[FAR], [FAR]]
    assert flipped.isel(x=xr.DataArray([1, 2], dims="p"), y=xr.DataArray([3, 4], dims="p")).values.tolist() == [3, 4]
    assert LOG.pixels == 6 + 3 + 1 + 2 + 2


WHOLE = {
    "values": lambda array: array.values,
    "mean": lambda array: array.mean(),
    "plus one": lambda array: array + 1,
    "load": lambda array: array.load(),
    "coarsen": lambda array: array.coarsen(y=2, x=2).mean(),
    "to_zarr": lambda array: array.to_dataset().to_zarr(zarr.storage.MemoryStore()),
    "numpy": np.asarray,
    "transposed": lambda array: array.T.values,
    "listed": lambda array: array.isel(y=[0, 5]).values,
    "plot": lambda array: array.mandel.plot(),
}


@pytest.mark.parametrize("operation", WHOLE.values(), ids=WHOLE)
def test_operations_on_a_whole_level_are_refused(level, operation):
    with pytest.raises(MemoryError, match="select a window first"):
        operation(level.iterations)
    assert LOG.calls == 0


def test_dividing_a_whole_level_into_too_many_blocks_is_refused(level):
    with pytest.raises(ValueError, match="select a window first"):
        level.chunk(512)


def test_coordinates_of_a_whole_level_are_refused(level):
    with pytest.raises(MemoryError, match="select a window first"):
        _ = level.x.values


@pytest.mark.parametrize("key", [(16, 0), (-17, 0), ([3, 16], 0), (0, [-17])])
def test_pixels_outside_are_index_errors(key):
    with pytest.raises(IndexError):
        small()[0].isel(y=key[0], x=key[1])
    for array in (small()[0].variable, small()[0].variable.T):
        with pytest.raises(IndexError):
            array.isel(y=key[0], x=key[1]).load()


def axis_index():
    pixels = st.integers(-16, 15)
    arrays = st.lists(pixels, max_size=6).map(lambda picked: np.array(picked, np.int64))
    return st.one_of(pixels, st.slices(16), arrays)


@given(y=axis_index(), x=axis_index(), y2=st.slices(16), x2=st.slices(16), flip=st.booleans())
@settings(max_examples=80, deadline=None)
def test_outer_indexing_is_numpys(y, x, y2, x2, flip):
    lazy, memory = small()
    if flip:
        lazy, memory = lazy.T, memory.T
    found, expected = (array.isel(y=y, x=x) for array in (lazy, memory))
    xr.testing.assert_equal(found.variable.compute(), expected.variable)
    again = {dim: {"y": y2, "x": x2}[dim] for dim in found.dims}
    xr.testing.assert_equal(found.isel(again).variable.compute(), expected.isel(again).variable)


@st.composite
def points(draw):
    shape = draw(st.sampled_from([(0,), (1,), (5,), (2, 3)]))
    size = int(np.prod(shape))
    arrays = (draw(st.lists(st.integers(-16, 15), min_size=size, max_size=size)) for _ in "yx")
    return tuple(xr.DataArray(np.array(one, np.int64).reshape(shape), dims=("a", "b")[: len(shape)]) for one in arrays)


@given(points(), st.slices(16), st.sampled_from(["both", "y", "x"]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_vectorised_indexing_is_numpys(picked, other, which, flip):
    lazy, memory = small()
    if flip:
        lazy, memory = lazy.T, memory.T
    rows, cols = picked
    indexers = {"both": {"y": rows, "x": cols}, "y": {"y": rows, "x": other}, "x": {"x": cols, "y": other}}[which]
    found, expected = (array.isel(indexers) for array in (lazy, memory))
    xr.testing.assert_equal(found.variable.compute(), expected.variable)


@given(y=axis_index(), x=axis_index())
@settings(max_examples=60, deadline=None)
def test_exactly_the_pixels_asked_for_are_computed_once(y, x):
    lazy, memory = small()
    LOG.clear()
    wanted = memory.copy(data=np.arange(256).reshape(16, 16)).isel(y=y, x=x)
    lazy.isel(y=y, x=x).load()
    assert LOG.pixels == np.unique(wanted).size


async def test_loading_is_asynchronous_too(level):
    window = level.isel(y=slice(FAR, FAR + 3), x=slice(4, 6))
    loaded = await window.load_async()
    np.testing.assert_array_equal(loaded.iterations[:, 0], [FAR, FAR + 1, FAR + 2])
    flipped = await level.iterations.T[:2, :2].load_async()
    np.testing.assert_array_equal(flipped, [[0, 1]] * 2)


class PatientKernel(PositionKernel):
    """Computes until it is cancelled."""

    began, ended = threading.Event(), threading.Event()

    def __call__(self, grid):
        self.began.set()
        while not current().cancelled:
            time.sleep(0.001)
        self.ended.set()
        raise Cancelled


async def test_cancelling_an_asynchronous_load_stops_the_kernel():
    tree = md.open_pyramid(SMALL, chunks=None, kernel=lambda pyramid, level: PatientKernel(pyramid.grid(level)))
    loading = asyncio.create_task(tree["0"].to_dataset().load_async())
    await asyncio.to_thread(PatientKernel.began.wait, 10)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert await asyncio.to_thread(PatientKernel.ended.wait, 10)


def test_lazy_pixels_pickle_and_copy(level):
    window = level.iterations[FAR : FAR + 3, :2]
    assert len(pickle.dumps(window)) < 5000
    for again in (pickle.loads(pickle.dumps(window)), window.copy(deep=True)):
        assert isinstance(again.variable._data, LazyPixels)
        np.testing.assert_array_equal(again, window)


def test_large_windows_are_computed_in_blocks_that_leave_room_to_be_interrupted(level):
    level.iterations[:1500, :1200].load()
    assert max(max(grid.shape) for grid in LOG.grids) == 1024
    assert LOG.pixels == 1500 * 1200


def test_fields_loaded_together_are_computed_together():
    tree = md.open_pyramid(levels=50, fields=("iterations", "smooth"), kernel=position_kernel)
    LOG.clear()
    window = tree["0"].to_dataset().isel(y=slice(FAR, FAR + 1100), x=slice(5))
    window.load()
    assert (LOG.calls, LOG.pixels) == (2, 1100 * 5)
    np.testing.assert_array_equal(window.smooth[3], np.arange(5))
    np.testing.assert_array_equal(window.iterations[:, 3], np.arange(FAR, FAR + 1100))


def test_long_lists_of_pixels_that_differ_in_the_middle_have_tokens_of_their_own():
    from dask.base import tokenize

    from mandeldask import open_pyramid

    pixels = open_pyramid(levels=4, chunks=None)["0/iterations"].variable
    rows = np.arange(4000)
    others = np.where(rows == 2000, 2001, rows)
    picked = [pixels[list(rows)], pixels[list(rows)], pixels[list(others)]]
    tokens = [tokenize(variable._data) for variable in picked]
    assert tokens[0] == tokens[1] != tokens[2]
