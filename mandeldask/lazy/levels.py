"""A grid of any size as lazy xarray variables: dask where its blocks can be listed, lazily indexed where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.lazy.blocks import MAX_BLOCKS, blocks_along, dask_arrays
from mandeldask.lazy.index import grid_coordinates
from mandeldask.lazy.indexing import LazyPixels, PixelArray
from mandeldask.lazy.passes import Pixels
from mandeldask.lazy.plot import register
from mandeldask.lazy.variable import PixelVariable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.mandelbrot import Kernel

DIMS = ("y", "x")
"""Names of the dimensions: rows, then columns."""


def as_dataset(grid: Grid, kernel: Kernel, chunks: int | None, attrs: Mapping[str, Any], *, side: int) -> xr.Dataset:
    """Return every field of `kernel` on `grid` as a Dataset, nothing of it computed.

    Parameters
    ----------
    grid : Grid
        Where the pixels are.
    kernel : Kernel
        Computes the fields.
    chunks : int or None
        Pixels along a dask block; None for lazily indexed arrays at every size.
    attrs : mapping
        Attributes of the Dataset.
    side : int
        Pixels along a Zarr chunk, for arrays that have no dask chunks to tell.
    """
    register()
    if chunks is None or max(blocks_along(grid.shape, (chunks, chunks))) > MAX_BLOCKS:
        arrays: dict[str, Any] = lazy_arrays(grid, kernel)
        encoding = {"chunks": (side, side)}
    else:
        arrays, encoding = dask_arrays(grid, kernel, (chunks, chunks)), {}
    variables = {
        field: PixelVariable(DIMS, array, dict(kernel.attributes.get(field, {})), encoding, fastpath=True)
        for field, array in arrays.items()
    }
    return xr.Dataset(variables, coords=grid_coordinates(grid), attrs=attrs)


def lazy_arrays(grid: Grid, kernel: Kernel) -> dict[str, LazyPixels]:
    """Return a lazily indexed array for each field of `kernel`: works at any size."""
    return {field: LazyPixels(PixelArray(Pixels(kernel, grid, field))) for field in kernel.dtypes}
