import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md


def mean_of(array, level):
    """Return the means of a level, computed from the array itself."""
    out = array.astype(np.float64)
    for axis in (-2, -1):
        starts = np.arange(0, out.shape[axis], 2**level)
        lengths = np.diff([*starts, out.shape[axis]])
        out = np.add.reduceat(out, starts, axis) / (lengths[:, None] if axis == -2 else lengths)
    return np.round(out).astype(array.dtype) if array.dtype.kind in "ui" else out


def test_levels_of_a_numpy_array():
    array = np.random.default_rng(0).integers(0, 2**16, (1300, 2100), np.uint16)
    tree = md.pyramid(array)
    assert list(tree.children) == ["0", "1", "2", "3"]
    assert tree["0/image"].dims == ("y", "x")
    for level in range(4):
        np.testing.assert_array_equal(tree[f"{level}/image"], mean_of(array, level))
    window = tree.attrs["zarr_v3"]["ome"]["omero"]["channels"][0]["window"]
    assert 0 < window["start"] < window["end"] < 2**16


def test_nothing_is_computed_and_every_block_once(tmp_path):
    reads = []

    def block(block_id):
        reads.append(block_id)
        return np.full((256, 256), sum(block_id), np.int16)

    lazy = da.map_blocks(block, chunks=((256,) * 6, (256,) * 8), dtype=np.int16, meta=np.empty((0, 0), np.int16))
    tree = md.pyramid(xr.DataArray(lazy, dims=("y", "x"), name="sums"))
    assert not reads
    coarse = tree["2/sums"].compute()
    assert sorted(reads) == sorted(set(reads))
    assert len(reads) == 48
    tree["1/sums"].compute()
    assert len(reads) == 48  # remembered
    np.testing.assert_array_equal(coarse[::64, ::64], np.add.outer(range(6), range(8)))


def test_levels_are_one_layer_each_and_have_equal_names_for_equal_arrays():
    array = np.zeros((2048, 2048), np.uint8)
    first, second = (md.pyramid(array.copy())["1/image"] for _ in range(2))
    assert len(first.data.dask.layers) == 1
    assert first.data.name == second.data.name
    assert md.pyramid(array + 1)["1/image"].data.name != first.data.name


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_any_scheduler_computes_them(scheduler):
    array = np.random.default_rng(1).integers(0, 255, (1100, 1100), np.uint8)
    with dask.config.set(scheduler=scheduler, num_workers=2):
        np.testing.assert_array_equal(md.pyramid(da.from_array(array, 512))["2/image"], mean_of(array, 2))


def test_coordinates_are_those_of_cells_and_make_the_scale():
    image = xr.DataArray(
        np.zeros((2, 1200, 900), np.float32),
        {"time": [10, 20], "y": ("y", np.arange(1200) * 0.5, {"units": "um"}), "x": np.arange(900) ** 2, "run": 7},
        ("time", "y", "x"),
        attrs={"long_name": "height"},
    )
    tree = md.pyramid(image)
    level = tree["1/image"]
    np.testing.assert_array_equal(level.y, np.arange(600) + 0.25)
    np.testing.assert_array_equal(level.x[:2], [0.5, 6.5])
    assert (int(level.run), list(level.time), level.attrs["long_name"]) == (7, [10, 20], "height")
    multiscale = tree.attrs["zarr_v3"]["ome"]["multiscales"][0]
    assert multiscale["axes"][1] == {"name": "y", "type": "space", "unit": "micrometer"}
    assert multiscale["datasets"][1]["coordinateTransformations"][0]["scale"] == [10.0, 1.0, 2.0]
    strided = md.pyramid(image, "stride")["1/image"]
    np.testing.assert_array_equal(strided.y, np.arange(600.0))


def test_the_transformation_of_a_grid_mapping_is_that_of_the_level():
    grid = xr.DataArray(0, attrs={"GeoTransform": "500000.0 10.0 0.0 4600000.0 0.0 -20.0", "crs_wkt": "here"})
    image = xr.DataArray(np.zeros((1100, 1100), np.uint8), {"spatial_ref": grid}, ("y", "x"))
    tree = md.pyramid(image)
    assert tree["0/image"].coords["spatial_ref"].attrs == grid.attrs
    coarser = tree["2/image"].coords["spatial_ref"].attrs
    assert coarser == {"GeoTransform": "500000.0 40.0 0.0 4600000.0 0.0 -80.0", "crs_wkt": "here"}


def test_descending_coordinates_have_no_negative_scale_in_ome_zarr():
    image = xr.DataArray(
        np.zeros((1200, 1100)), {"lat": 60 - np.arange(1200) * 0.01, "lon": np.arange(1100) * 0.01}, ("lat", "lon")
    )
    v3 = md.pyramid(image).attrs["zarr_v3"]
    assert v3["ome"]["multiscales"][0]["datasets"][1]["coordinateTransformations"][0]["scale"] == [2.0, 2.0]
    transform = v3["multiscales"]["layout"][1]["spatial:transform"]
    np.testing.assert_allclose(transform, [0.02, 0, -0.005, 0, -0.02, 60.005])


@pytest.mark.parametrize(("zarr_format", "image"), [(2, Image04), (3, Image05)])
def test_xarray_writes_it_and_it_is_valid(zarr_format, image, tmp_path):
    array = np.random.default_rng(2).integers(0, 9, (2, 1100, 1030), np.uint8)
    tree = md.pyramid(array)
    served = zarr.open_group(md.to_store(tree, zarr_format=zarr_format), mode="r")
    image.from_zarr(served)
    np.testing.assert_array_equal(served["2/image"][:], mean_of(array, 2))
    tree.to_zarr(tmp_path / "out.zarr", zarr_format=zarr_format, consolidated=False)
    written = xr.open_datatree(tmp_path / "out.zarr", engine="zarr", consolidated=False)
    np.testing.assert_array_equal(written["2/image"], mean_of(array, 2))


def test_zarr_arrays_missing_values_and_volumes():
    stored = zarr.create_array({}, shape=(40, 700, 600), chunks=(8, 128, 128), dtype="i2")
    stored[:] = np.broadcast_to(np.arange(40)[:, None, None], stored.shape)
    tree = md.pyramid(stored, axes=("z", "y", "x"))
    assert tree["1/image"].shape == (20, 350, 300)
    np.testing.assert_array_equal(tree["1/image"][:, 0, 0], np.round(np.arange(20) * 2 + 0.5))
    gaps = xr.DataArray(np.where(np.eye(600) > 0, 5, -9), dims=("y", "x"), attrs={"_FillValue": -9})
    coarse = md.pyramid(gaps)["1/image"].values
    assert (coarse[np.arange(300), np.arange(300)] == 5).all()
    assert (coarse[0, 1:] == -9).all()


def test_masked_elements_of_dask_are_left_out():
    values = np.ma.masked_greater(np.tile([[1.0, 2.0], [3.0, 99.0]], (300, 300)), 9)
    assert (md.pyramid(da.from_array(values, 128))["1/image"] == 2).all()
    assert (md.pyramid(da.from_array(values.astype("i2"), 128))["1/image"] == 2).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros(5),), ValueError, "two dimensions"),
        ((np.zeros((5, 5)), "median"), ValueError, "mean, stride, mode"),
        ((np.full((5, 5), "a"),), TypeError, "no mean"),
        ((xr.Dataset({"a": 1}),), TypeError, "select one of its variables"),
        (([[1]],), TypeError, "not of a list"),
    ],
)
def test_what_is_no_image_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        md.pyramid(*arguments)
