"""A grid of any size as lazy xarray variables: dask where its blocks can be listed, lazily indexed where not."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mandeldask.lazy.attributes import field_attributes
from mandeldask.lazy.index import grid_coordinates
from mandeldask.lazy.indexing import LazyPixels, PixelArray
from mandeldask.lazy.passes import Pixels, content_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.mandelbrot import Kernel

MAX_BLOCKS = 256
"""Blocks along an axis up to which a dask array is safe to *use*: reductions and overlaps enumerate all of them
(30 ms at 256², 0.5 s at 1024², 14 s and 2 GiB at 4096²; https://github.com/dask/dask/issues/8570)."""

DIMS = ("y", "x")
"""Names of the dimensions: rows, then columns."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The function that dask maps over blocks: it knows the whole grid, so the graph holds nothing else."""

    kernel: Kernel
    grid: Grid
    side: int
    """Pixels along a block."""
    field: str | None
    """The field to return; None for a dict of all."""

    def __call__(self, block_id: tuple[int, ...]) -> Any:
        """Return the pixels of a block."""
        rows, cols = (slice(i * self.side, (i + 1) * self.side) for i in block_id)
        pixels = self.kernel(self.grid[rows, cols])
        return pixels if self.field is None else pixels[self.field]

    def __dask_tokenize__(self) -> Any:
        return content_token(self.kernel, self.grid), self.side, self.field


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
    lazy = chunks is None or max(blocks_along(grid, chunks)) > MAX_BLOCKS
    arrays = lazy_arrays(grid, kernel) if lazy else dask_arrays(grid, kernel, chunks or side)
    encoding = {"chunks": (side, side)} if lazy else {}
    variables = {
        field: xr.Variable(DIMS, array, field_attributes(field, attrs), encoding, fastpath=True)
        for field, array in arrays.items()
    }
    return xr.Dataset(variables, coords=grid_coordinates(grid), attrs=attrs)


def blocks_along(grid: Grid, side: int) -> tuple[int, int]:
    """Return the number of blocks of `side` pixels along each axis."""
    height, width = grid.shape
    return -(-height // side), -(-width // side)


def lazy_arrays(grid: Grid, kernel: Kernel) -> dict[str, LazyPixels]:
    """Return a lazily indexed array for each field of `kernel`; works at any size."""
    return {field: LazyPixels(PixelArray(Pixels(kernel, grid, field))) for field in kernel.dtypes}


def dask_arrays(grid: Grid, kernel: Kernel, side: int) -> dict[str, da.Array]:
    """Return a dask array for each field of `kernel`, in blocks of `side` pixels.

    A lone field is one `map_blocks` layer. Several share a layer whose blocks are dicts, so that one kernel call
    serves them all when they are computed together.
    """
    dtypes = kernel.dtypes
    chunks = tuple(_chunks(size, side) for size in grid.shape)
    if len(dtypes) == 1:
        ((field, dtype),) = dtypes.items()
        return {field: _map_blocks(Blocks(kernel, grid, side, field), field, dtype, chunks=chunks)}
    together = _map_blocks(Blocks(kernel, grid, side, None), "fields", np.dtype(object), chunks=chunks)
    return {field: _map_blocks(itemgetter(field), field, dtype, together) for field, dtype in dtypes.items()}


def _map_blocks(function: Any, name: str, dtype: np.dtype[Any], *arrays: da.Array, **keywords: Any) -> da.Array:
    """Map without dask's trial call of `function`, under a name that its content determines."""
    meta: NDArray[Any] = np.empty((0, 0), dtype)
    token = tokenize(function, *(array.name for array in arrays))
    mapped: da.Array = da.map_blocks(function, *arrays, name=f"{name}-{token}", dtype=dtype, meta=meta, **keywords)  # type: ignore[no-untyped-call]
    return mapped


def _chunks(size: int, side: int) -> tuple[int, ...]:
    whole, rest = divmod(size, side)
    return (side,) * whole + (rest,) * (rest > 0)
