"""A grid of any size as lazy xarray variables: dask where its blocks can be listed, lazily indexed where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mandeldask.lazy.blocks import dask_arrays
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
    """Return every field of `kernel` on `grid` as a Dataset, nothing of it computed.

    Parameters
    ----------
    grid : Grid
        Where the pixels are.
    kernel : Kernel
        Computes the fields.
    division : Division
        How it is divided. What dask could not list, or not compute a block of, is lazily indexed.
    attrs : mapping
        Attributes of the Dataset.
    """
    encoding: dict[str, Any] = {}
    if division.sides is None or not can_be_listed(grid.shape, division.sides):
        arrays: dict[str, Any] = lazy_arrays(grid, kernel)
        encoding = {"chunks": (division.side, division.side)}
    else:
        arrays = dask_arrays(grid, kernel, division.sides, division.tile)
        if division.tile is not None:
            encoding = {"chunks": (division.tile, division.tile)}
    said = {field: dict(kernel.attributes.get(field, {})) for field in arrays}
    variables = {
        field: PixelVariable(
            DIMS, array, said[field], encoding | _unused(kernel.dtypes[field], said[field]), fastpath=True
        )
        for field, array in arrays.items()
    }
    return xr.Dataset(variables, coords=grid_coordinates(grid, kernel.about.variable), attrs=attrs)


def _unused(dtype: np.dtype[Any], attrs: Mapping[str, Any]) -> dict[str, int]:
    """Return the encoding of counts for Zarr v3: a fill value that none has, if there is one.

    Some viewers (OpenLayers, zarr-layer) show what equals it as transparent. A cap of 255 needs every value of uint8.
    """
    if dtype.kind != "u" or "maxiter" not in attrs or "scale_factor" in attrs:
        return {}
    most = int(np.iinfo(dtype).max)
    return {"fill_value": most} if attrs["maxiter"] < most else {}


def lazy_arrays(grid: Grid, kernel: Kernel) -> dict[str, LazyPixels]:
    """Return a lazily indexed array for each field of `kernel`: works at any size."""
    return {field: LazyPixels(PixelArray(Pixels(kernel, grid, field))) for field in kernel.dtypes}
