"""Real clients read both formats over HTTP at the ends and in the middle of the pyramid, just as the kernel counts."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from packaging.version import Version

from clients import readers
from clients.windows import WINDOWS

ZARR_PYTHON = (readers.zarr_fsspec, readers.zarr_obstore, readers.zarrs_pipeline, readers.xarray_tree)
OTHERS = (readers.tensorstore, pytest.param(readers.zarrita, marks=pytest.mark.external))
UNSOUND = Version(zarr.__version__) < Version("3.2")
"""This zarr-python divides indices as floats: past 2^53 it reads some windows that cut chunks wrongly."""


@pytest.fixture(scope="module")
def counts():
    """What the kernel says, computed once for all clients."""
    return {name: window.counts for name, window in WINDOWS.items()}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("read", OTHERS, ids=["tensorstore", "zarrita"])
def test_a_window(url, read, name, counts):
    level, rows, cols = WINDOWS[name]
    np.testing.assert_array_equal(read(url, f"{level}/iterations", rows, cols), counts[name])


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("read", ZARR_PYTHON, ids=lambda read: read.__name__)
def test_a_window_by_zarr_python(url, read, name, counts):
    window = WINDOWS[name]
    whole_chunks = UNSOUND and window.level < 6
    level, rows, cols = window.chunks if whole_chunks else window
    block = read(url, f"{level}/iterations", rows, cols)
    np.testing.assert_array_equal(window.cut(block) if whole_chunks else block, counts[name])


def test_the_windows_tell_pixels_apart(counts):
    """A client that returned fill values or one value could pass at the corners; at the tip it could not."""
    assert all(np.unique(counts[name]).size > 1 for name in counts if name.endswith("tip"))
