"""Numbered files as one array."""

import time
from pickle import dumps, loads

import numpy as np
import pytest
import tifffile
import zarr

from mandeldask.files.paths import open_path
from mandeldask.files.patterns import Pattern
from mandeldask.zarrview.store import to_store


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 99, (11, 2, 30, 40)).astype("u2")
    for t in range(11):
        for c, name in enumerate(("green", "red")):
            tifffile.imwrite(tmp_path / f"img_{t}_{name}.tif", images[t, c], tile=(16, 16))
    np.save(tmp_path / "other.npy", np.arange(3))
    return tmp_path, images


def test_numbers_are_in_the_order_of_numbers(folder):
    path, images = folder
    tree = open_path(path, stack="img_{t}_{c}.tif")
    assert list(tree.members) == ["img_t_c.tif", "other.npy"]
    stack = tree.members["img_t_c.tif"]
    assert stack.dims == ("t", "c", "y", "x")
    assert stack.attrs["stacked"] == {"t": list(range(11)), "c": ["green", "red"]}
    for zarr_format in (2, 3):
        shown = zarr.open_group(to_store(tree, zarr_format), mode="r")["img_t_c.tif"]
        np.testing.assert_array_equal(shown[...], images)
    window = slice(3, 9), slice(1, 2), slice(5, 20), slice(7, 33)
    np.testing.assert_array_equal(loads(dumps(stack.read))(window), images[window])


def test_one_dimension_and_a_change_of_one_file(folder):
    path, images = folder
    tree = open_path(path, stack=["img_{t}_red.tif"])
    store = to_store(tree)
    shown = zarr.open_group(store, mode="r", use_consolidated=False)["img_t_red.tif"]
    np.testing.assert_array_equal(shown[...], images[:, 1])
    tifffile.imwrite(path / "img_4_red.tif", images[0, 0], tile=(16, 16))
    tifffile.imwrite(path / "img_11_red.tif", images[0, 0], tile=(16, 16))
    time.sleep(1.1)
    shown = zarr.open_group(store, mode="r", use_consolidated=False)["img_t_red.tif"]
    assert shown.shape == (12, 30, 40)
    np.testing.assert_array_equal(shown[4], images[0, 0])


def test_files_that_are_missing_are_never_made_up(folder):
    path, _ = folder
    (path / "img_4_red.tif").unlink()
    tree = open_path(path, stack="img_{t}_{c}.tif")
    assert "1 of its 22 files are missing" in tree.skipped["img_t_c.tif"]


def test_a_file_of_another_shape_is_an_error_of_its_own_chunks(folder):
    path, images = folder
    tifffile.imwrite(path / "img_5_red.tif", images[0, 0, :20])
    stack = open_path(path, stack="img_{t}_red.tif").members["img_t_red.tif"]
    assert stack.read((slice(4, 5), slice(0, 1), slice(0, 1))).shape == (1, 1, 1)
    with pytest.raises(ValueError, match="img_5_red"):
        stack.read((slice(5, 6), slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("text", ["img.tif", "{t}_{t}.tif", "sub/{t}.tif"])
def test_patterns_without_a_dimension_are_refused(text):
    with pytest.raises(ValueError, match="must look like"):
        Pattern(text)
