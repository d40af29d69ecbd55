"""Arrays whose elements contain their positions, and nodes that count and delay reads."""

from __future__ import annotations

import threading
import time

import numpy as np
import xarray as xr
from xarray.backends.common import BackendArray
from xarray.core import indexing

from mandeldask.cancellation import current
from mandeldask.zarrview.nodes import Array


def pattern(rows, cols):
    """Return the elements at rows and cols: whole numbers of any size, exactly."""
    rows, cols = (np.array([index % 251 for index in range(*span)], "u1") for span in (rows, cols))
    return rows[:, None] ^ cols


class Pattern(BackendArray):
    """A square of any size that is never whole in memory, as xarray's backends make them."""

    def __init__(self, size):
        self.shape = (size, size)
        self.dtype = np.dtype("u1")

    def __dask_tokenize__(self):
        return "pattern", self.shape

    def __getitem__(self, key):
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._window)

    def _window(self, key):
        rows, cols = (slice(part, part + 1) if isinstance(part, int) else part for part in key)
        window = pattern(rows.indices(self.shape[0]), cols.indices(self.shape[1]))
        axes = tuple(axis for axis, part in enumerate(key) if isinstance(part, int))
        return window.squeeze(axes) if axes else window


def deep_tree(levels=50, tilesize=512):
    """Return a pyramid of patterns, level 0 the finest, like the one that this package is for."""
    return xr.DataTree.from_dict(
        {
            f"/{level}": xr.Dataset({"pattern": lazily(tilesize * 2 ** (levels - level), tilesize)})
            for level in range(levels)
        }
    )


def lazily(size, tilesize=512):
    """Return a variable over a Pattern."""
    data = indexing.LazilyIndexedArray(Pattern(size))
    return xr.Variable(("y", "x"), data, {"long_name": "pattern"}, {"chunks": (tilesize, tilesize)})


class Counted:
    """Reads an array in memory; counts, waits and fails as asked, and looks at its cancellation while it waits."""

    def __init__(self, data, seconds=0.0):
        self.data = data
        self.seconds = seconds
        self.windows = []
        self.cancelled = 0
        self.error = None
        self.started = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, window):
        self.windows.append(window)
        self.started.set()
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if current().cancelled:
                self.cancelled += 1
                self.stopped.set()
                current().check()
            time.sleep(0.002)
        if self.error is not None:
            raise self.error
        return self.data[window]

    def node(self, chunks, fingerprint="counted", **kwargs):
        return Array(self.data.shape, self.data.dtype, self, chunks, fingerprint=fingerprint, **kwargs)
