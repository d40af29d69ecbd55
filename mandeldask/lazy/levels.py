"""Make lazy xarray variables of a grid: dask arrays if dask can list the blocks, else lazily indexed arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mandeldask.lazy.chunking import DIMS, can_be_listed
from mandeldask.lazy.index import grid_coordinates
from mandeldask.lazy.indexing import LazyPixels, PixelArray
from mandeldask.lazy.pixels import Pixels
from mandeldask.lazy.variable import PixelVariable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel
    from mandeldask.lazy.chunking import Division


def as_dataset(grid: Grid, kernel: Kernel, division: Division, attrs: Mapping[str, Any]) -> xr.Dataset:
    """Return every field of `kernel` on `grid` as a Dataset, without computing it.

    Parameters
    ----------
    grid : Grid
        Positions of the pixels.
    kernel : Kernel
        Computes the fields.
    division : Division
        How the grid is divided. It is lazily indexed if dask cannot list its blocks or compute one of them.
    attrs : mapping
        Attributes of the Dataset.
    """
    encoding: dict[str, Any] = {}
    if division.sides is None or not can_be_listed(grid.shape, division.sides):
        arrays: dict[str, Any] = lazy_arrays(grid, kernel)
        encoding = {"chunks": (division.side, division.side)}
    else:
        from mandeldask.lazy.dask_blocks import dask_arrays  # noqa: PLC0415  dask only if needed

        arrays = dask_arrays(grid, kernel, division.sides, division.tile)
        if division.tile is not None:
            encoding = {"chunks": (division.tile, division.tile)}
    attributes = {field: dict(kernel.attributes.get(field, {})) for field in arrays}
    variables = {
        field: PixelVariable(
            DIMS, array, attributes[field], encoding | _unused(kernel.dtypes[field], attributes[field]), fastpath=True
        )
        for field, array in arrays.items()
    }
    return xr.Dataset(variables, coords=grid_coordinates(grid, kernel.about.variable), attrs=attrs)


def _unused(dtype: np.dtype[Any], attrs: Mapping[str, Any]) -> dict[str, int]:
    """Return the Zarr v3 encoding of counts: a fill value that no count has, if there is one.

    Some viewers (OpenLayers, zarr-layer) show pixels with this value as transparent. With maxiter 255 counts use every
    value of uint8.
    """
    if dtype.kind != "u" or "maxiter" not in attrs or "scale_factor" in attrs:
        return {}
    most = int(np.iinfo(dtype).max)
    return {"fill_value": most} if attrs["maxiter"] < most else {}


def lazy_arrays(grid: Grid, kernel: Kernel) -> dict[str, LazyPixels]:
    """Return a lazily indexed array for each field of `kernel`: works at any size."""
    return {field: LazyPixels(PixelArray(Pixels(kernel, grid, field))) for field in kernel.dtypes}
