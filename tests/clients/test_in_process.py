"""The same pyramid without a server: as a zarr store, and as a mapping for clients of the old store interface."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from numcodecs import GZip

import mandeldask as md
from clients.windows import PYRAMID, WINDOWS


@pytest.fixture(scope="module")
def tree():
    return md.open_pyramid(PYRAMID)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ["49 tip", "20 tip", "20 middle"])
def test_zarr_opens_the_store(tree, zarr_format, name):
    level, rows, cols = WINDOWS[name]
    group = zarr.open_group(md.to_store(tree, zarr_format=zarr_format), mode="r")
    np.testing.assert_array_equal(group[f"{level}/iterations"][rows, cols], WINDOWS[name].counts)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_fsspec_makes_a_zarr_store_of_the_mapping(tree, zarr_format):
    from fsspec.implementations.reference import ReferenceFileSystem
    from zarr.storage import FsspecStore

    mapping = md.to_mapping(tree, zarr_format=zarr_format)
    store = FsspecStore(ReferenceFileSystem(fo=mapping, asynchronous=True), path="", read_only=True)
    level, rows, cols = WINDOWS["20 tip"]
    array = zarr.open_group(store, mode="r")[f"{level}/iterations"]
    np.testing.assert_array_equal(array[rows, cols], WINDOWS["20 tip"].counts)


def test_the_mapping_keeps_the_contract_of_vizarrs_python_side(tree):
    """vizarr 0.1.1 asks ``key in store`` and ``store[key]`` and sends the bytes; KeyError means: not there."""
    source = md.to_mapping(tree)
    for absent in ("labels/.zattrs", ".zarray", "49/iterations/2/0", "49/iterations/c/0/0", "50/.zgroup"):
        assert absent not in source
        with pytest.raises(KeyError):
            source[absent]
    assert "49/iterations/1/0" in source
    content = memoryview(source["49/iterations/1/0"])
    counts = np.frombuffer(GZip().decode(content), np.uint8).reshape(512, 512)
    (expected,) = (WINDOWS["49 tip"]._replace(rows=slice(512, 1024), cols=slice(0, 512)).counts,)
    np.testing.assert_array_equal(counts, expected)
