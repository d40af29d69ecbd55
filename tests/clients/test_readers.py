"""Real clients read both formats over HTTP at the ends and in the middle of the pyramid, with the kernel's counts."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from packaging.version import Version

from clients import readers
from clients.windows import LEVELS, WINDOWS, windows_of

ZARR_PYTHON = (readers.zarr_fsspec, readers.zarr_obstore, readers.zarrs_pipeline, readers.xarray_tree)
OTHERS = (readers.tensorstore, pytest.param(readers.zarrita, marks=pytest.mark.external))
UNSOUND = Version(zarr.__version__) < Version("3.2")
"""This zarr-python divides indices as floats: past 2^53 it reads some windows that cut chunks wrongly."""


@pytest.fixture(scope="module")
def counts():
    """What the kernel says, computed once for all clients."""
    return {name: window.counts for name, window in WINDOWS.items()}


@pytest.mark.parametrize("read", OTHERS, ids=["tensorstore", "zarrita"])
def test_windows(url, read, counts):
    for level in LEVELS:
        names = windows_of(level)
        blocks = read(url, f"{level}/iterations", [WINDOWS[name][1:] for name in names])
        for name, block in zip(names, blocks, strict=True):
            np.testing.assert_array_equal(block, counts[name], err_msg=name)


@pytest.mark.parametrize("read", ZARR_PYTHON, ids=lambda read: read.__name__)
def test_windows_by_zarr_python(url, read, counts):
    for level in LEVELS:
        names = windows_of(level)
        whole_chunks = UNSOUND and level < 6
        asked = [WINDOWS[name].chunks if whole_chunks else WINDOWS[name] for name in names]
        blocks = read(url, f"{level}/iterations", [window[1:] for window in asked])
        for name, block in zip(names, blocks, strict=True):
            got = WINDOWS[name].cut(block) if whole_chunks else block
            np.testing.assert_array_equal(got, counts[name], err_msg=name)


def test_the_windows_tell_pixels_apart(counts):
    """A client that returned fill values or one value could pass at the corners; at the tip it could not."""
    assert all(np.unique(counts[name]).size > 1 for name in counts if name.endswith("tip"))
