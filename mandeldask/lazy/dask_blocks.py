"""Make dask arrays of a grid: one `map_blocks` layer over one picklable function, for any number of blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mandeldask.lazy import threads as _registered  # noqa: F401  dask's threads in forked children
from mandeldask.lazy.blocks import blocks_of
from mandeldask.lazy.calls import run_in_calls
from mandeldask.lazy.guarded import GuardedArray
from mandeldask.lazy.memory import check_left
from mandeldask.lazy.pixels import Pixels, content_token

if TYPE_CHECKING:
    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel
    from mandeldask.lazy.blocks import Side


@dataclass(frozen=True, slots=True)
class Blocks:
    """The function that dask maps over blocks. It contains the whole grid, so the graph needs no other data."""

    kernel: Kernel
    """Computes the pixels."""
    grid: Grid = field(repr=False)  # dask calls repr() here, which fails for integers above 4300 digits
    """Positions of all pixels."""
    sides: tuple[Side, Side]
    """Pixels along the blocks of rows and of columns."""
    field: str | None
    """The field to return; None for a dict of all fields."""

    def __call__(self, block_id: tuple[int, ...]) -> Any:
        """Return the pixels of a block."""
        check_left()
        rows, cols = (_span(side, i) for i, side in zip(block_id, self.sides, strict=True))
        pixels = run_in_calls(self.kernel, self.grid[rows, cols])
        return pixels if self.field is None else pixels[self.field]

    def __dask_tokenize__(self) -> Any:
        return content_token(self.kernel, self.grid), self.sides, self.field


def dask_arrays(grid: Grid, kernel: Kernel, sides: tuple[Side, Side], tile: int | None = None) -> dict[str, da.Array]:
    """Return a dask array for each field of `kernel`, in blocks of `sides` pixels along rows and columns.

    With `tile`, windows of an array are computed in square tiles of that many pixels a side.

    One field alone is one `map_blocks` layer. Several fields share a layer whose blocks are dicts, so that one kernel
    call computes all of them. Names are made from the content: the same pixels in the same blocks have the same keys in
    every process.
    """
    dtypes = kernel.dtypes
    chunks = blocks_of(grid.shape, sides)
    if len(dtypes) == 1:
        ((field, dtype),) = dtypes.items()
        arrays = {field: _map_blocks(Blocks(kernel, grid, sides, field), field, dtype, chunks=chunks)}
    else:
        together = _map_blocks(Blocks(kernel, grid, sides, None), "fields", np.dtype(object), chunks=chunks)
        arrays = {field: _map_blocks(itemgetter(field), field, dtype, together) for field, dtype in dtypes.items()}
    tiled = {field: partial(_tiled, grid, kernel, tile, field) if tile else None for field in arrays}
    return {field: GuardedArray.of(array, Pixels(kernel, grid, field), tiled[field]) for field, array in arrays.items()}


def _tiled(grid: Grid, kernel: Kernel, tile: int, field: str) -> da.Array:
    """Return the array of one field in blocks of `tile` pixels."""
    return dask_arrays(grid, kernel, (tile, tile))[field]


def _map_blocks(function: Any, name: str, dtype: np.dtype[Any], *arrays: da.Array, **keywords: Any) -> da.Array:
    """Call `da.map_blocks` without dask's trial call of `function`, with a name made from the content."""
    token = tokenize(function, *(array.name for array in arrays))
    mapped: da.Array = da.map_blocks(  # type: ignore[no-untyped-call]
        function, *arrays, name=f"{name}-{token}", dtype=dtype, meta=np.empty((0, 0), dtype), **keywords
    )
    return mapped


def _span(side: Side, block: int) -> slice:
    """Return the slice of pixels of a block along one axis."""
    if isinstance(side, tuple):
        start = sum(side[:block])
        return slice(start, start + side[block])
    return slice(block * side, (block + 1) * side)
