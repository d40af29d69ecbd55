"""Kernel calls of bounded size: the pixels of a dask task or of a read are computed piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.lazy.cluster_orbits import run_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mandeldask.fractal.geometry import Grid
    from mandeldask.fractal.kernel import Kernel

CALL_SIDE = 1024
"""Greatest side, in pixels, of one kernel call. It bounds the memory and the time until Ctrl-C takes effect."""


def run_in_calls(kernel: Kernel, grid: Grid) -> Mapping[str, NDArray[Any]]:
    """Return what `kernel` computes on `grid`, arrays of its shape (height, width).

    In addition to the result, it needs only the memory of one call. Every call checks for cancellation.
    """
    if max(grid.shape) <= CALL_SIDE:
        return run_kernel(kernel, grid)
    out = {field: np.empty(grid.shape, dtype) for field, dtype in kernel.dtypes.items()}
    rows, cols = ([slice(start, start + CALL_SIDE) for start in range(0, size, CALL_SIDE)] for size in grid.shape)
    for row in rows:
        for col in cols:
            for field, pixels in run_kernel(kernel, grid[row, col]).items():
                out[field][row, col] = pixels
    return out
