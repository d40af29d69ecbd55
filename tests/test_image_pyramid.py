"""Levels of arrays in Python: stored between processes, with the names that viewers need, and lazy."""

from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md
from mandeldask.images import states

FIELD = np.random.default_rng(0).normal(size=(1300, 1100)).astype(np.float32)
MEANS = FIELD.reshape(650, 2, 550, 2).astype(np.float64).mean((1, 3)).astype(np.float32)

OTHER_PROCESS = """
import sys, numpy as np, mandeldask as md
from mandeldask.lazy.images import Plain
array = np.load(sys.argv[1])
tree = md.pyramid(array, cache_dir=sys.argv[2])
del Plain.read
np.save(sys.argv[3], tree["2/image"].values)
"""


@pytest.fixture
def reads():
    return []


def lazily(reads):
    """Return the field as a dask array that notes which blocks are read."""

    def block(block_id):
        reads.append(block_id)
        row, column = (512 * at for at in block_id)
        return FIELD[row : row + 512, column : column + 512]

    chunks = ((512, 512, 276), (512, 512, 76))
    return da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0), np.float32))


def test_another_process_finds_the_levels_of_an_array_in_memory(tmp_path):
    coarse = md.pyramid(FIELD, cache_dir=tmp_path / "kept")["2/image"].values
    np.save(tmp_path / "field.npy", FIELD)
    paths = [tmp_path / name for name in ("field.npy", "kept", "coarse.npy")]
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, *map(str, paths)], check=True)
    np.testing.assert_array_equal(np.load(paths[-1]), coarse)


def test_what_has_a_name_is_read_once_for_all_times(tmp_path, reads):
    def level(number, name):
        states.states_of_level.cache_clear()  # another process
        return md.pyramid(lazily(reads), cache_dir=tmp_path, identity=name)[f"{number}/image"].values

    coarse = level(2, "today")
    assert len(reads) == len(set(reads)) == 9
    np.testing.assert_array_equal(level(2, "today"), coarse)
    np.testing.assert_allclose(level(1, "today"), MEANS, rtol=1e-6)
    assert len(reads) == 9
    level(2, "tomorrow")
    assert len(reads) == 18


@pytest.mark.parametrize(
    ("array", "identity", "message"),
    [
        (da.zeros((1100, 1100), chunks=512), None, r"this array \(Array\), because it may change.*pass identity="),
        (zarr.create_array({}, shape=(1100, 1100), dtype="u1"), None, "pass identity="),
        (FIELD, "", "must be text"),
        (FIELD, 7, "must be text"),
    ],
)
def test_what_nobody_can_know_again_is_refused(tmp_path, array, identity, message):
    with pytest.raises(ValueError, match=message):
        md.pyramid(array, cache_dir=tmp_path / "kept", identity=identity)
    assert not (tmp_path / "kept").exists()


def test_an_array_in_a_file_that_another_may_change_needs_a_name(tmp_path):
    mapped = np.memmap(tmp_path / "field", np.uint8, "w+", shape=(1100, 1100))
    with pytest.raises(ValueError, match="pass identity="):
        md.pyramid(mapped, cache_dir=tmp_path / "kept")
    assert md.pyramid(mapped, cache_dir=tmp_path / "kept", identity="at first")["1/image"].values.sum() == 0
    assert (tmp_path / "kept" / "tiles.sqlite").exists()


def test_a_lazily_opened_variable_is_not_read_until_a_level_is(tmp_path, monkeypatch):
    xr.Dataset({"height": (("lat", "lon"), FIELD)}).to_netcdf(tmp_path / "field.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "field.nc", engine="h5netcdf") as opened:
        tree = md.pyramid(opened["height"])
        assert not opened["height"].variable._in_memory
        np.testing.assert_allclose(tree["1/height"], MEANS, rtol=1e-6)


@pytest.mark.parametrize(("zarr_format", "image"), [(2, Image04), (3, Image05)])
def test_viewers_find_the_plane_whatever_its_axes_are_called(zarr_format, image):
    field = xr.DataArray(
        FIELD,
        {"lat": ("lat", 60 - np.arange(1300) / 100, {"units": "degrees_north"}), "lon": np.arange(1100) / 100},
        ("lat", "lon"),
        name="height",
    )
    tree = md.pyramid(field)
    for level in ("0", "1"):
        np.testing.assert_array_equal(
            tree[f"{level}/height"].sel(lat=slice(55, 50), lon=slice(2, 3)).lat,
            tree[f"{level}/lat"].values[(tree[f"{level}/lat"] <= 55) & (tree[f"{level}/lat"] >= 50)],
        )
    store = md.to_store(tree, zarr_format=zarr_format)
    group = zarr.open_group(store, mode="r")
    described = image.from_zarr(group)
    multiscale = (described.attributes if zarr_format == 2 else described.ome_attributes).multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["y", "x"]
    assert group.attrs["dimensions"] == ["lat", "lon"]
    if zarr_format == 3:
        assert group["1/height"].metadata.dimension_names == ("y", "x")
    with xr.open_datatree(store, engine="zarr", zarr_format=zarr_format) as opened:
        np.testing.assert_array_equal(opened["1/height"].coords["lat"], tree["1/lat"])
        assert opened["1/height"].coords["lat"].dims == ("y",)


@pytest.mark.parametrize(("dtype", "label", "active"), [("u1", "alpha", False), ("u2", "c 3", True)])
def test_the_opacity_of_a_picture_is_no_fourth_colour(dtype, label, active):
    tree = md.pyramid(np.zeros((64, 60, 4), dtype))
    channel = tree.attrs["zarr_v3"]["ome"]["omero"]["channels"][3]
    assert (channel["label"], channel["active"]) == (label, active)
